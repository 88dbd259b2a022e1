"""The translation of a source's offset into the target's, by the batches in the target."""

from typing import NamedTuple

from ..batches.offset_header import restore_source_records
from ..kafka.cluster_view import ClusterView
from ..kafka.metadata import Bounds, Partition


class MirroredRange(NamedTuple):
    """The bounds of a partition in the target, and the source's offset behind its last record."""

    bounds: Bounds
    position: int


async def translate_offset(target: ClusterView, partition: Partition, producer_id: int, source_offset: int) -> int:
    """Return the target's offset of the first record at or behind ``source_offset``, or the target's end.

    Raises:
        KafkaUnavailable, KafkaRefused: the target doesn't answer.
        ValueError: a batch can't be decoded.
    """
    bounds = await target.fetch_bounds(partition)
    position = await target.fetch_mirrored_position(partition, bounds, producer_id)
    return await translate_within(target, partition, producer_id, source_offset, MirroredRange(bounds, position))


async def translate_within(
    target: ClusterView, partition: Partition, producer_id: int, source_offset: int, mirrored: MirroredRange
) -> int:
    """Return what ``translate_offset`` returns, where it is known how far the partition is mirrored."""
    bounds, position = mirrored
    if source_offset >= position:
        return bounds.end
    if position == bounds.end:  # the difference of offsets only grows, so it is 0 everywhere when it is 0 at the end
        return max(source_offset, bounds.low)
    return await _search_target(target, partition, producer_id, source_offset, bounds)


async def _search_target(
    target: ClusterView, partition: Partition, producer_id: int, source_offset: int, bounds: Bounds
) -> int:
    """Find the record by a binary search over the target's log, and return its offset."""
    low, end = bounds
    while low < end:
        batch = await target.fetch_batch_at(partition, (low + end) // 2)
        if batch is None or batch.base_offset >= end:
            end = (low + end) // 2
            continue
        source_offsets = [record.offset for record in restore_source_records(batch, producer_id)]
        if not source_offsets or source_offsets[-1] < source_offset:
            low = max(batch.next_offset, low + 1)
        elif source_offsets[0] >= source_offset:
            end = batch.base_offset
        else:
            return batch.next_offset - sum(offset >= source_offset for offset in source_offsets)
    return low
