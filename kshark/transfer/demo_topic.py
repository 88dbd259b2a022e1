"""`kshark demo --cluster`: write the story into a topic."""

import time

from agentlog.cli import Where, chosen_cluster, chosen_moment
from agentlog.errors import UsageError
from agentlog.log.admin import ensure_topic
from agentlog.log.reader import KafkaReader
from agentlog.log.writer import Outgoing, write
from agentlog.terminal.output import complain

from ..story import INVOICE_847, StoryRecord, story
from .demo import PARTITIONS
from .preflight import Load, refusals


def write_topic(where: Where, began: str | None) -> None:
    """Write the story into a topic, which is made when it isn't there.

    Raises:
        UsageError: the topic is none for the story: its retention would delete what is so old, for instance.
        KafkaError: the cluster can't be reached, or refuses.
    """
    cluster, topic, _ = chosen_cluster(where)
    records = story(chosen_moment("--began", began).time) if began else story()
    settings = ensure_topic(cluster, topic, PARTITIONS, {"retention.ms": "-1"})
    load = Load("the story's are", "Move the story with --began -3h", records[0].timestamp, records[-1].timestamp)
    for refusal in refusals(f"topic {topic} of {cluster.name}", settings, load, round(time.time() * 1000)):
        raise UsageError(refusal)
    with KafkaReader(cluster) as reader:
        count = reader.partition_count(topic)
    write(cluster, topic, (_outgoing(record, count) for record in records))
    complain(f"wrote {len(records):,} records into topic {topic} of {cluster.name}")
    complain(f"try: kshark replay {INVOICE_847}{_flags(where)}")


def _outgoing(record: StoryRecord, partitions: int) -> Outgoing:
    return Outgoing(record.partition(partitions), record.key, record.value, record.timestamp, record.headers)


def _flags(where: Where) -> str:
    flags = (("--cluster", where.cluster), ("--topic", where.topic))
    return "".join(f" {name} {value}" for name, value in flags if value)
