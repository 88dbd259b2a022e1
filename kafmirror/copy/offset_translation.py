"""Which offset of the target an offset of the source is, told by the target's own batches."""

from ..batches.offset_header import restore_source_records
from ..kafka.cluster_view import ClusterView
from ..kafka.metadata import Bounds, Partition


async def translate_offset(target: ClusterView, partition: Partition, producer_id: int, source_offset: int) -> int:
    """The target's offset of the first record that isn't before ``source_offset`` in the source; its end when there is none.

    Raises:
        KafkaUnavailable, KafkaRefused: the target doesn't answer.
        ValueError: a batch can't be opened.
    """
    bounds = await target.fetch_bounds(partition)
    position = await target.fetch_mirrored_position(partition, bounds, producer_id)
    if source_offset >= position:
        return bounds.end
    if position == bounds.end:  # a shift only grows, so where there is none at the end there is none at all
        return max(source_offset, bounds.low)
    return await _search_target(target, partition, producer_id, source_offset, bounds)


async def _search_target(
    target: ClusterView, partition: Partition, producer_id: int, source_offset: int, bounds: Bounds
) -> int:
    """Halve the target's log until the batch with the record is found."""
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
