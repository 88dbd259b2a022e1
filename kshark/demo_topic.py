"""`kshark demo --cluster`: write the story into a topic."""

import time

from agentlog.cli import Where, chosen_cluster
from agentlog.errors import UsageError
from agentlog.kafka.admin import ensure_topic
from agentlog.kafka.reader import KafkaReader
from agentlog.kafka.writer import Outgoing, write
from agentlog.output import complain
from agentlog.wording import duration

from .demo import PARTITIONS, beginning
from .story import INVOICE_847, StoryRecord, story


def write_topic(where: Where, began: str | None) -> None:
    """Write the story into a topic, which is made when it isn't there.

    Raises:
        UsageError: the topic's retention would delete the story's records, which are old.
        KafkaError: the cluster can't be reached, or refuses.
    """
    cluster, topic, _ = chosen_cluster(where)
    records = story(beginning(began)) if began else story()
    settings = ensure_topic(cluster, topic, PARTITIONS, {"retention.ms": "-1"})
    if settings is not None:
        _check_retention(cluster.name, topic, settings, records[0].timestamp)
    with KafkaReader(cluster) as reader:
        count = reader.partition_count(topic)
    write(cluster, topic, (_outgoing(record, count) for record in records))
    complain(f"wrote {len(records):,} records into topic {topic} of {cluster.name}")
    complain(f"try: kshark replay {INVOICE_847}{_flags(where)}")


def _outgoing(record: StoryRecord, partitions: int) -> Outgoing:
    return Outgoing(record.partition(partitions), record.key, record.value, record.timestamp, record.headers)


def _check_retention(cluster: str, topic: str, settings: dict[str, str], oldest_ms: int) -> None:
    """Kafka deletes by the records' own time: an old story would be gone within minutes."""
    keeps_ms = int(settings.get("retention.ms", "-1"))
    if "compact" in settings.get("cleanup.policy", ""):
        raise UsageError(
            f"topic {topic} of {cluster} is compacted: it keeps one event of a session; name another --topic"
        )
    if 0 <= keeps_ms < time.time() * 1000 - oldest_ms:
        raise UsageError(
            f"topic {topic} of {cluster} keeps records for {duration(keeps_ms * 1000)}, and the story's are older: "
            f"Kafka would delete them within minutes. Move the story with --began -3h, or name a new --topic."
        )


def _flags(where: Where) -> str:
    flags = (("--cluster", where.cluster), ("--topic", where.topic))
    return "".join(f" {name} {value}" for name, value in flags if value)
