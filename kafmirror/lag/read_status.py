"""The status of a mirror, read from both clusters. No mirror needs to run."""

import time

from agentlog.errors import AgentlogError

from ..batches.record import decode_records
from ..kafka.cluster_pair import ClusterPair
from ..kafka.cluster_view import ClusterView
from ..kafka.metadata import Bounds, Partition
from ..plan.gather import FactCollector
from .lag import UNKNOWN_LAG, compute_lag
from .partition_status import PartitionStatus
from .target_origin import MirroredEnd, find_foreign_end


async def read_statuses(clusters: ClusterPair) -> list[PartitionStatus]:
    """Return the status of each partition of the selected topics.

    Raises:
        KafkaUnavailable, KafkaRefused: a cluster doesn't answer.
        TopicNotFound: the source has no such topic.
    """
    source_metadata_future = clusters.loop.spawn(clusters.source.fetch_metadata, None)
    target_metadata = await clusters.target.fetch_metadata(None)
    source_metadata = await source_metadata_future
    names = FactCollector(clusters.source, clusters.target, clusters.selection).find_topics(source_metadata)

    async def read_topic(name: str) -> list[PartitionStatus]:
        target_name = clusters.selection.make_target_name(clusters.source, name)
        source, target = (
            ClusterView.for_topic(clusters.source, source_metadata, name),
            ClusterView.for_topic(clusters.target, target_metadata, target_name),
        )
        return await _read_topic_statuses(source, target, name, target_name)

    return [each for statuses in await clusters.loop.map_concurrently(read_topic, names) for each in statuses]


async def _read_topic_statuses(
    source: ClusterView, target: ClusterView, name: str, target_name: str
) -> list[PartitionStatus]:
    target_bounds = await target.fetch_all_bounds(target_name) if target_name in target.topic_ids else {}
    source_bounds = await source.fetch_all_bounds(name, is_read_committed=True)

    async def read_partition(number: int) -> PartitionStatus:
        pair = (Partition(name, number), Partition(target_name, number))
        return await _read_partition_status(source, target, pair, source_bounds[number], target_bounds.get(number))

    statuses = await source.connection.loop.map_concurrently(read_partition, sorted(source_bounds))
    return statuses + [
        _make_surplus_status(source, Partition(name, number), Partition(target_name, number), target_bounds[number])
        for number in sorted(target_bounds.keys() - source_bounds)
    ]


def _make_surplus_status(
    source: ClusterView, partition: Partition, target: Partition, bounds: Bounds
) -> PartitionStatus:
    problem = f"{source.connection.name} has no {partition}: its topic has fewer partitions than the copy"
    return PartitionStatus(partition, target, None, None, bounds.end, UNKNOWN_LAG, problem=problem)


async def _read_partition_status(
    source: ClusterView,
    target: ClusterView,
    pair: tuple[Partition, Partition],
    source_bounds: Bounds,
    target_bounds: Bounds | None,
) -> PartitionStatus:
    if target_bounds is None:
        return PartitionStatus(
            *pair, None, source_bounds.end, None, UNKNOWN_LAG, problem=f"{target.connection.name} has no {pair[1]}"
        )
    try:
        last_batch = await target.fetch_last_batch(pair[1], target_bounds)
        producer_id = source.derive_mirror_producer_id(pair[0].topic)
        position = await target.find_mirrored_position(pair[1], target_bounds, producer_id, last_batch)
        end = MirroredEnd(position, last_batch, source_bounds.end)
        if problem := await find_foreign_end(source, target, pair, end):
            return PartitionStatus(*pair, None, source_bounds.end, target_bounds.end, UNKNOWN_LAG, problem=problem)
        first_timestamp = (
            await _read_first_timestamp(source, pair[0], max(position, source_bounds.low))
            if position < source_bounds.end
            else None
        )
    except (AgentlogError, ValueError) as error:
        return PartitionStatus(*pair, None, source_bounds.end, target_bounds.end, UNKNOWN_LAG, problem=str(error))
    loss_text = (
        f"retention deleted offsets {position} to {source_bounds.low - 1} of the source before they were mirrored"
    )
    lag = compute_lag(position, source_bounds.end, first_timestamp, time.time() * 1000)
    return PartitionStatus(
        *pair,
        position,
        source_bounds.end,
        target_bounds.end,
        lag,
        problem=loss_text if 0 < position < source_bounds.low else None,
    )


async def _read_first_timestamp(source: ClusterView, partition: Partition, offset: int) -> int | None:
    """Return the timestamp of the first record from ``offset`` on, or None when there is none."""
    batch = await source.fetch_batch_at(partition, offset)
    if batch is None or batch.is_control:
        return None
    if batch.base_offset >= offset:
        return batch.first_timestamp
    return next((record.timestamp for record in decode_records(batch) if record.offset >= offset), None)
