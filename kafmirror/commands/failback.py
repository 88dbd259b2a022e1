"""`kafmirror failback`: save what only the old primary holds, create its topics again, and copy them home."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentlog.errors import AgentlogError, Stopped
from agentlog.event.escape import escape_controls
from agentlog.formatting import format_count
from agentlog.terminal.output import write_bytes, write_lines
from agentlog.terminal.style import Paint, Style, choose_paint

from ..batches.offset_header import find_next_source_offset
from ..batches.record_batch import is_written_by
from ..kafka.cluster_pair import ClusterPair, MirrorRequest, open_clusters
from ..kafka.cluster_view import ClusterView
from ..kafka.connection import UNKNOWN_TOPIC
from ..kafka.metadata import Bounds, Partition
from ..kafka.network.event_loop import MAX_QUESTIONS
from ..verify.compare import OffsetRanges, PartitionComparison, PartitionPair
from .failback_obstacles import find_obstacles
from .failback_run import FailbackRun, TopicFailback
from .stop_signals import call_on_signal


class FailbackOptions(NamedTuple):
    """The options of `kafmirror failback`: a file for what would be lost, and whether to do it at all."""

    save_path: Path | None
    is_confirmed: bool
    output_format: str


def failback(request: MirrorRequest, options: FailbackOptions) -> int:
    """Bring topics home, and return the exit code: 1 when ``--yes`` is missing, so that nothing was changed.

    Raises:
        UsageError: there are records to save but no ``--save``, or its file exists already.
        Refused: the old primary can't be emptied without a loss, or the plan of the way home has refusals.
        MirrorStopped: the old primary is written while it is filled.
        Stopped: a signal ended the command. The old primary takes records again.
    """
    with open_clusters(request) as clusters:
        topics = clusters.loop.run(_inspect_topics, clusters)
        if options.is_confirmed:
            failback_run = FailbackRun(clusters, topics, options.save_path, _inspect_topic)
            with call_on_signal(clusters.loop, failback_run.stop) as signals:
                try:
                    clusters.loop.run(failback_run.run)
                except AgentlogError:
                    if not signals:
                        raise
            if signals:
                raise Stopped(128 + signals[0])
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
    for each in topics:
        if each.unmirrored:
            each.obstacles = await find_obstacles(clusters.target, each.topic)
    return topics


async def _inspect_topic(source: ClusterView, target: ClusterView, topic: str) -> TopicFailback:
    """Find what the old primary, which is the target of the way home, holds behind its mirrored records."""
    topic_failback = TopicFailback(topic)
    producer_id = target.derive_mirror_producer_id(topic)
    bounds_by_number = await target.fetch_all_bounds(topic, is_read_committed=True)

    async def inspect_partition(number: int) -> None:
        partition, bounds = Partition(topic, number), bounds_by_number[number]
        mirrored, source_offset = await _find_mirrored_position(source, partition, producer_id)
        if mirrored == source_offset and mirrored < bounds.end:
            mirrored = await _skip_equal_records(source, target, partition, Bounds(mirrored, bounds.end))
        if mirrored < bounds.end:
            topic_failback.unmirrored[partition] = Bounds(max(mirrored, bounds.low), bounds.end)

    await source.connection.loop.map_concurrently(inspect_partition, sorted(bounds_by_number), MAX_QUESTIONS)
    topic_failback.unmirrored = dict(sorted(topic_failback.unmirrored.items()))
    return topic_failback


async def _find_mirrored_position(source: ClusterView, partition: Partition, producer_id: int) -> tuple[int, int]:
    """Find the mirror's last batch by a binary search.

    Return the offset behind it in the old primary, and in the cluster that took over.
    """
    if partition.number not in source.metadata.topics[partition.topic].leaders:
        return 0, 0
    low, end = await source.fetch_bounds(partition)
    position = source_offset = 0
    while low < end:
        batch = await source.fetch_batch_at(partition, (low + end) // 2)
        if batch is not None and is_written_by(batch, producer_id):
            position = find_next_source_offset(batch, producer_id)
            source_offset = low = batch.next_offset
        else:
            end = min(batch.base_offset, end - 1) if batch is not None else (low + end) // 2
    return position, source_offset


async def _skip_equal_records(source: ClusterView, target: ClusterView, partition: Partition, bounds: Bounds) -> int:
    """Return the first offset from ``bounds.low`` on whose records differ, or that only the old primary holds.

    Records that are equal there were copied home before, by an earlier failback or a mirror.
    """
    if partition.number not in source.metadata.topics[partition.topic].leaders:
        return bounds.low
    source_bounds = await source.fetch_bounds(partition, is_read_committed=True)
    low, end = max(bounds.low, source_bounds.low), min(bounds.end, source_bounds.end)
    if low > bounds.low or low >= end:
        return bounds.low
    pair = PartitionPair(partition, partition, source.derive_mirror_producer_id(partition.topic))
    comparison = PartitionComparison(pair, source, target, OffsetRanges(low, end, low, end))
    result = comparison.result
    while result.is_exact and await comparison.compare_next():
        pass
    first_differences = [first for first, _ in (*result.missing, *result.extra)]
    first_differences += [result.first_difference[0]] if result.first_difference else []
    return min(first_differences, default=end)


def _encode_result(topics: list[TopicFailback], request: MirrorRequest, options: FailbackOptions) -> dict[str, Any]:
    return {
        "source": request.source,
        "target": request.target,
        "done": options.is_confirmed,
        "refusals": [text for topic in topics for text in topic.obstacles],
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
        for text in topic.obstacles:
            yield f"  {paint('refused', Style.BAD)}  {escape_controls(text)}"
        if options.is_confirmed:
            yield f"  {format_count(topic.copied_count, 'record')} copied from {source} to {target}"
    yield ""
    if options.is_confirmed:
        yield "Next: run kafmirror replicate in the same direction until the switch, then kafmirror failover."
    else:
        has_obstacles = any(topic.obstacles for topic in topics)
        yield "Nothing was changed." if has_obstacles else "Nothing was changed. Add --yes to do it."
