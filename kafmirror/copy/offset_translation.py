"""Which offset of the target an offset of the source is, told by the target's own batches."""

from ..batches.offset_header import as_in_source
from ..kafka.cluster_view import Side
from ..kafka.metadata import Bounds, Partition


async def target_offset(target: Side, partition: Partition, producer: int, wanted: int) -> int:
    """The target's offset of the first record that isn't before ``wanted`` in the source; its end when there is none.

    Raises:
        KafkaUnavailable, KafkaRefused: the target doesn't answer.
        ValueError: a batch can't be opened.
    """
    bounds = await target.bounds(partition)
    position = await target.position(partition, bounds, producer)
    if wanted >= position:
        return bounds.end
    if position == bounds.end:  # a shift only grows, so where there is none at the end there is none at all
        return max(wanted, bounds.low)
    return await _found(target, partition, producer, wanted, bounds)


async def _found(target: Side, partition: Partition, producer: int, wanted: int, bounds: Bounds) -> int:
    """Halve the target's log until the batch with the record is found."""
    low, end = bounds
    while low < end:
        batch = await target.batch_at(partition, (low + end) // 2)
        if batch is None or batch.base_offset >= end:
            end = (low + end) // 2
            continue
        in_source = [record.offset for record in as_in_source(batch, producer)]
        if not in_source or in_source[-1] < wanted:
            low = max(batch.next_offset, low + 1)
        elif in_source[0] >= wanted:
            end = batch.base_offset
        else:
            return batch.next_offset - sum(offset >= wanted for offset in in_source)
    return low
