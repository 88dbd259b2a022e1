"""The status of a mirror, read from both clusters. No mirror needs to run."""

import time
from typing import NamedTuple

from agentlog.errors import AgentlogError, KafkaUnavailable

from ..batches.filler import is_filler
from ..batches.loss import Loss
from ..batches.record import decode_records
from ..batches.record_batch import Batch
from ..kafka.cluster_pair import ClusterPair
from ..kafka.cluster_view import ClusterView
from ..kafka.metadata import Bounds, Metadata, Partition
from ..kafka.network.event_loop import MAX_QUESTIONS
from ..plan.gather import FactCollector
from ..verify.batch_reader import BatchReader
from .lag import UNKNOWN_LAG, RecordAge, compute_lag
from .one_side import AwaySide, fetch_available_metadata, read_source_alone, read_target_alone
from .partition_status import PartitionStatus, compare_looks
from .target_origin import MirroredEnd, find_foreign_end

LOOK_AGAIN_S = 2.0
"""The time until the second look at a copy whose lag the timestamps don't tell."""

DOUBTFUL_AGE_S = 5.0
"""A record that waits and is older than this, by its timestamp, may be an old record that arrived just now."""


class StatusReading(NamedTuple):
    """The statuses of all partitions, and the side that was away, or None."""

    statuses: list[PartitionStatus]
    away: AwaySide | None = None


async def read_available_statuses(clusters: ClusterPair) -> StatusReading:
    """Return the statuses. If one side is away, return what the other one knows.

    Raises:
        KafkaUnavailable, KafkaRefused: both sides are away, or one went away meanwhile.
        TopicNotFound: the source has no such topic.
    """
    source, target = await fetch_available_metadata(clusters)
    if isinstance(source, AwaySide):
        return StatusReading([] if isinstance(target, AwaySide) else await read_target_alone(clusters, target), source)
    if isinstance(target, AwaySide):
        return StatusReading(await read_source_alone(clusters, source), target)
    return StatusReading(await _read_settled_statuses(clusters, source, target))


async def _read_settled_statuses(clusters: ClusterPair, source: Metadata, target: Metadata) -> list[PartitionStatus]:
    """Return the statuses as ``read_statuses`` does. Look again where timestamps alone don't tell the lag.

    A writer's clock may be ahead, and old records may arrive late. If all that was there at the first look is mirrored
    at the second, what waits then has arrived in between.
    """
    first_look_ms = time.time() * 1000
    statuses = await _read_all(clusters, source, target)
    if not any(_is_doubtful(each) for each in statuses):
        return statuses
    await clusters.loop.sleep(LOOK_AGAIN_S)
    earlier = {each.source: each for each in statuses}
    return [
        compare_looks(earlier.get(each.source), each, (time.time() * 1000 - first_look_ms) / 1000)
        for each in await read_statuses(clusters)
    ]


def _is_doubtful(status: PartitionStatus) -> bool:
    stamped = status.age.stamped
    return status.is_behind and (stamped is None or not 0 <= stamped <= DOUBTFUL_AGE_S)


async def read_statuses(clusters: ClusterPair) -> list[PartitionStatus]:
    """Return the status of each partition of the selected topics.

    Raises:
        KafkaUnavailable, KafkaRefused: a cluster doesn't answer.
        TopicNotFound: the source has no such topic.
    """
    source_metadata_future = clusters.loop.spawn(clusters.source.fetch_metadata, None)
    target_metadata = await clusters.target.fetch_metadata(None)
    return await _read_all(clusters, await source_metadata_future, target_metadata)


async def _read_all(
    clusters: ClusterPair, source_metadata: Metadata, target_metadata: Metadata
) -> list[PartitionStatus]:
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
    target_bounds = await target.fetch_bounds_or_errors(target_name) if target_name in target.topic_ids else {}
    source_bounds = await source.fetch_bounds_or_errors(name, is_read_committed=True)

    async def read_partition(number: int) -> PartitionStatus:
        pair = (Partition(name, number), Partition(target_name, number))
        return await _read_partition_status(source, target, pair, source_bounds[number], target_bounds.get(number))

    statuses = await source.connection.loop.map_concurrently(read_partition, sorted(source_bounds), MAX_QUESTIONS)
    return statuses + [
        _make_surplus_status(source, Partition(name, number), Partition(target_name, number), target_bounds[number])
        for number in sorted(target_bounds.keys() - source_bounds)
    ]


def _make_surplus_status(
    source: ClusterView, partition: Partition, target: Partition, bounds: Bounds | KafkaUnavailable
) -> PartitionStatus:
    problem = f"{source.connection.name} has no {partition}: its topic has fewer partitions than the copy"
    end = bounds.end if isinstance(bounds, Bounds) else None
    return PartitionStatus(partition, target, None, None, end, UNKNOWN_LAG, problem=problem)


async def _read_partition_status(
    source: ClusterView,
    target: ClusterView,
    pair: tuple[Partition, Partition],
    source_bounds: Bounds | KafkaUnavailable,
    target_bounds: Bounds | KafkaUnavailable | None,
) -> PartitionStatus:
    source_end = source_bounds.end if isinstance(source_bounds, Bounds) else None
    if not isinstance(target_bounds, Bounds):
        problem = str(target_bounds or f"{target.connection.name} has no {pair[1]}")
        return PartitionStatus(*pair, None, source_end, None, UNKNOWN_LAG, problem=problem)
    try:
        last_batch = await target.fetch_last_batch(pair[1], target_bounds)
        producer_id = source.derive_mirror_producer_id(pair[0].topic)
        position = await target.find_mirrored_position(pair[1], target_bounds, producer_id, last_batch)
        if not isinstance(source_bounds, Bounds):
            problem = str(source_bounds)
            return PartitionStatus(*pair, position, None, target_bounds.end, UNKNOWN_LAG, problem=problem)
        end = MirroredEnd(position, last_batch, source_bounds.end)
        if foreign_end := await find_foreign_end(source, target, pair, end):
            return PartitionStatus(*pair, None, source_bounds.end, target_bounds.end, UNKNOWN_LAG, problem=foreign_end)
        is_filling = position < source_bounds.low and _holds_fillers_alone(last_batch, producer_id, target_bounds)
        first_timestamp = None
        if position < source_bounds.end:
            waiting = Bounds(max(position, source_bounds.low), source_bounds.end)
            batch = await _read_first_batch(source, pair[0], waiting)
            first_timestamp = _find_first_timestamp(batch, waiting.low) if batch else None
            position = source_bounds.end if batch is None and waiting.low == position else position
    except (AgentlogError, ValueError) as error:
        return PartitionStatus(*pair, None, source_end, target_bounds.end, UNKNOWN_LAG, problem=str(error))
    loss_text = (
        f"retention deleted offsets {position} to {source_bounds.low - 1} of the source before they were mirrored"
    )
    age = RecordAge.at(time.time() * 1000, first_timestamp)
    lag = compute_lag(source_bounds.low if is_filling else position, source_bounds.end, age)
    losses = await _read_noted_losses(target, pair[1], producer_id) if position != target_bounds.end else ()
    return PartitionStatus(
        *pair,
        position,
        source_bounds.end,
        target_bounds.end,
        lag,
        problem=loss_text if 0 < position < source_bounds.low and not is_filling else None,
        age=age,
        losses=losses,
        filled=(position, source_bounds.low) if is_filling else None,
    )


def _holds_fillers_alone(last_batch: Batch | None, producer_id: int, target_bounds: Bounds) -> bool:
    """Return whether the target only holds what fills the offsets before the source's first record, or nothing yet."""
    return target_bounds.end == 0 if last_batch is None else is_filler(last_batch, producer_id)


async def _read_noted_losses(target: ClusterView, partition: Partition, producer_id: int) -> tuple[Loss, ...]:
    """Return the losses that mirrors accepted. None are known where we may not read the mirror's group."""
    try:
        note = await target.fetch_note(partition, producer_id)
    except (AgentlogError, ValueError):
        return ()
    return note.losses if note else ()


async def _read_first_batch(source: ClusterView, partition: Partition, bounds: Bounds) -> Batch | None:
    """Return the first batch within bounds that a mirror copies; None if only markers and aborted records are left."""
    batch = await source.fetch_batch_at(partition, bounds.low)
    if batch is None or batch.is_transactional:
        batch = await BatchReader(source, partition, bounds.low, bounds.end).read_next()
    return batch


def _find_first_timestamp(batch: Batch, offset: int) -> int | None:
    """Return the timestamp of the first record of a batch from ``offset`` on, or None when there is none."""
    if batch.base_offset >= offset:
        return batch.first_timestamp
    return next((record.timestamp for record in decode_records(batch) if record.offset >= offset), None)
