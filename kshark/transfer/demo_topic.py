"""The command `kshark demo --cluster`: the story, written into a topic."""

import time

from agentlog.errors import UsageError
from agentlog.log.admin import ensure_topic
from agentlog.log.open_source import choose_cluster, parse_moment
from agentlog.log.reader import KafkaReader
from agentlog.log.writer import OutgoingRecord, write_records
from agentlog.terminal.options import SourceOptions
from agentlog.terminal.output import write_stderr

from ..story import INVOICE_847, StoryRecord, build_story
from .demo import PARTITIONS
from .preflight import WritePlan, find_preflight_errors


def write_topic(source_options: SourceOptions, start_time: str | None) -> None:
    """Write the story into a topic, which is created if it doesn't exist.

    Raises:
        UsageError: the topic wouldn't keep the story, for example because its retention is too short.
        KafkaError: the cluster can't be reached, or refuses.
    """
    cluster, topic, _ = choose_cluster(source_options)
    records = build_story(parse_moment("--began", start_time).time) if start_time else build_story()
    settings = ensure_topic(cluster, topic, PARTITIONS, {"retention.ms": "-1"})
    plan = WritePlan("the story's are", "Move the story with --began -3h", records[0].timestamp, records[-1].timestamp)
    for refusal in find_preflight_errors(f"topic {topic} of {cluster.name}", settings, plan, round(time.time() * 1000)):
        raise UsageError(refusal)
    with KafkaReader(cluster) as reader:
        count = reader.partition_count(topic)
    write_records(cluster, topic, (_make_outgoing(record, count) for record in records))
    write_stderr(f"wrote {len(records):,} records into topic {topic} of {cluster.name}")
    write_stderr(f"try: kshark replay {INVOICE_847}{_format_flags(source_options)}")


def _make_outgoing(record: StoryRecord, partitions: int) -> OutgoingRecord:
    return OutgoingRecord(record.partition(partitions), record.key, record.value, record.timestamp, record.headers)


def _format_flags(source_options: SourceOptions) -> str:
    flags = (("--cluster", source_options.cluster), ("--topic", source_options.topic))
    return "".join(f" {name} {value}" for name, value in flags if value)
