"""`kafmirror failback`: save what only the old primary holds, create its topics again, and copy them home."""

import base64
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from agentlog.atomic_file import open_output_file
from agentlog.capture_format import capture
from agentlog.errors import TopicNotFound, UsageError
from agentlog.event.escape import escape_controls
from agentlog.event.event import Place
from agentlog.formatting import format_count
from agentlog.terminal.output import write_bytes, write_lines
from agentlog.terminal.style import Paint, Style, choose_paint

from ..batches.offset_header import find_next_source_offset
from ..batches.record import DecodedRecord, decode_headers, decode_key_value, decode_records
from ..batches.record_batch import is_written_by
from ..copy.mirror import CopyOptions, Mirror
from ..errors import Refused
from ..kafka import topic_admin
from ..kafka.cluster_pair import ClusterPair, MirrorRequest, open_clusters
from ..kafka.cluster_view import ClusterView
from ..kafka.connection import UNKNOWN_TOPIC
from ..kafka.metadata import Bounds, Partition
from ..verify.batch_reader import BatchReader


class FailbackOptions(NamedTuple):
    """The options of `kafmirror failback`: a file for what would be lost, and whether to do it at all."""

    save_path: Path | None
    is_confirmed: bool
    output_format: str


@dataclass
class TopicFailback:
    """A topic on its way home.

    Attributes:
        topic: the topic's name.
        unmirrored: the offsets that only the old primary holds, by partition.
        saved_count: the number of records that were saved.
        copied_count: the number of records that were copied home.
    """

    topic: str
    unmirrored: dict[Partition, Bounds] = field(default_factory=dict)
    saved_count: int = 0
    copied_count: int = 0

    @property
    def unmirrored_count(self) -> int:
        """The number of offsets that only the old primary holds."""
        return sum(bounds.end - bounds.low for bounds in self.unmirrored.values())


def failback(request: MirrorRequest, options: FailbackOptions) -> int:
    """Bring topics home, and return the exit code: 1 when ``--yes`` is missing, so that nothing was changed.

    Raises:
        UsageError: there are records to save but no ``--save``, or its file exists already.
        Refused: the plan of the way home has refusals.
    """
    with open_clusters(request) as clusters:
        topics = clusters.loop.run(_inspect_topics, clusters)
        if options.is_confirmed:
            clusters.loop.run(_bring_home, clusters, topics, options)
    if options.output_format == "json":
        write_bytes([orjson.dumps(_encode_result(topics, request, options)), b"\n"])
    else:
        write_lines(_result_lines(topics, request, options, choose_paint(sys.stdout)))
    return 0 if options.is_confirmed else 1


async def _inspect_topics(clusters: ClusterPair) -> list[TopicFailback]:
    topics = []
    for topic in clusters.selection.patterns:
        target_metadata = await clusters.target.fetch_metadata([topic])
        if target_metadata.topics[topic].error == UNKNOWN_TOPIC:
            topics.append(TopicFailback(topic))
        else:
            source, target = await clusters.fetch_views(topic, topic)
            topics.append(await _inspect_topic(source, target, topic))
    return topics


async def _inspect_topic(source: ClusterView, target: ClusterView, topic: str) -> TopicFailback:
    """Find what the old primary, which is the target of the way home, holds behind its mirrored records."""
    topic_failback = TopicFailback(topic)
    producer_id = target.derive_mirror_producer_id(topic)
    for number, bounds in (await target.fetch_all_bounds(topic, is_read_committed=True)).items():
        partition = Partition(topic, number)
        mirrored = await _find_mirrored_position(source, partition, producer_id)
        if mirrored < bounds.end:
            topic_failback.unmirrored[partition] = Bounds(max(mirrored, bounds.low), bounds.end)
    return topic_failback


async def _find_mirrored_position(source: ClusterView, partition: Partition, producer_id: int) -> int:
    """Return the old primary's offset up to which it was mirrored, by a binary search for the mirror's last batch."""
    if partition.number not in source.metadata.topics[partition.topic].leaders:
        return 0
    low, end = await source.fetch_bounds(partition)
    position = 0
    while low < end:
        batch = await source.fetch_batch_at(partition, (low + end) // 2)
        if batch is not None and is_written_by(batch, producer_id):
            position, low = find_next_source_offset(batch, producer_id), batch.next_offset
        else:
            end = min(batch.base_offset, end - 1) if batch is not None else (low + end) // 2
    return position


async def _bring_home(clusters: ClusterPair, topics: list[TopicFailback], options: FailbackOptions) -> None:
    if any(each.unmirrored_count for each in topics):
        await _save_unmirrored(clusters, topics, _check_save_path(options.save_path))
    for each in topics:
        if each.unmirrored:
            await _delete_topic(clusters, each.topic)
    mirror = Mirror(clusters.source, clusters.target, clusters.selection, CopyOptions(once=True))
    plan = await mirror.make_plan()
    if plan.all_refusals:
        raise Refused("\n".join(["nothing was copied home:", *(f"  {text}" for text in plan.all_refusals)]))
    await mirror.run(plan)
    statuses = await mirror.list_statuses()
    for each in topics:
        each.copied_count = sum(status.records for status in statuses if status.source.topic == each.topic)


def _check_save_path(path: Path | None) -> Path:
    if path is None:
        raise UsageError(
            "the old primary holds records that were never mirrored. Name a file for them with --save FILE"
        )
    if path.exists():
        raise UsageError(f"--save {path}: the file exists already; name another one")
    return path


async def _save_unmirrored(clusters: ClusterPair, topics: list[TopicFailback], path: Path) -> None:
    """Save the records that only the old primary holds as a capture file. Nothing is deleted before that is done."""
    with open_output_file(str(path)) as file:
        for each in topics:
            for partition, bounds in each.unmirrored.items():
                view = ClusterView.for_topic(
                    clusters.target, await clusters.target.fetch_metadata([each.topic]), each.topic
                )
                each.saved_count += await _save_partition(view, partition, bounds, file)


async def _save_partition(view: ClusterView, partition: Partition, bounds: Bounds, file: BinaryIO) -> int:
    reader, count = BatchReader(view, partition, bounds.low, bounds.end), 0
    while batch := await reader.read_next():
        for record in decode_records(batch):
            if record.offset >= bounds.low:
                file.write(encode_capture_line(record, partition))
                count += 1
    return count


def encode_capture_line(record: DecodedRecord, partition: Partition) -> bytes:
    """Return a record as a line of a capture file. If it isn't a JSON object, write its key and value in base64."""
    key, value = decode_key_value(record.body)
    pairs = tuple((name.decode(errors="replace"), each) for name, each in decode_headers(record.body))
    place = Place(partition.topic, partition.number, record.offset, record.timestamp, pairs)
    try:
        if isinstance(orjson.loads(value or b""), dict):
            return capture.write_line(value or b"", place)
    except orjson.JSONDecodeError:
        pass
    raw = {"key": _encode_base64(key), "value": _encode_base64(value)}
    return capture.write_line(orjson.dumps({"raw": raw}), place)


def _encode_base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


async def _delete_topic(clusters: ClusterPair, topic: str) -> None:
    """Delete a topic of the old primary, and wait until it no longer exists."""
    await topic_admin.delete_topic(clusters.target, topic)
    for _ in range(300):
        try:
            await clusters.target.fetch_topic(topic)
        except TopicNotFound:
            return
        await clusters.loop.sleep(0.1)


def _encode_result(topics: list[TopicFailback], request: MirrorRequest, options: FailbackOptions) -> dict[str, Any]:
    return {
        "source": request.source,
        "target": request.target,
        "done": options.is_confirmed,
        "topics": [
            {
                "topic": topic.topic,
                "made_anew": bool(topic.unmirrored),
                "beyond": [
                    {"partition": partition.number, "from": bounds.low, "to": bounds.end - 1}
                    for partition, bounds in topic.unmirrored.items()
                ],
                "saved": topic.saved_count,
                "copied": topic.copied_count,
            }
            for topic in topics
        ],
    }


def _result_lines(
    topics: list[TopicFailback], request: MirrorRequest, options: FailbackOptions, paint: Paint
) -> Iterator[str]:
    target, source = escape_controls(request.target), escape_controls(request.source)
    for topic in topics:
        yield paint(topic.topic, Style.STRONG)
        for partition, bounds in sorted(topic.unmirrored.items()):
            yield f"  never mirrored  {partition} offsets {bounds.low} to {bounds.end - 1}"
        if not topic.unmirrored:
            yield f"  {target} holds nothing that {source} doesn't have"
        elif options.is_confirmed:
            saved = format_count(topic.saved_count, "record")
            yield f"  {saved} saved in {options.save_path}, the topic in {target} deleted and created again"
        else:
            yield f"  --save FILE saves them; the topic in {target} is then deleted and created again"
        if options.is_confirmed:
            yield f"  {format_count(topic.copied_count, 'record')} copied from {source} to {target}"
    yield ""
    if options.is_confirmed:
        yield "Next: run kafmirror replicate in the same direction until the switch, then kafmirror failover."
    else:
        yield "Nothing was changed. Add --yes to do it."
