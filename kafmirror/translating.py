"""Which offset of the target an offset of the source is, told by the target's own batches."""

from .batches import Batch, as_in_source, is_written_by, source_position
from .examining import Side
from .plan import Bounds
from .wire import Partition


async def target_offset(target: Side, partition: Partition, producer: int, wanted: int) -> int:
    """The target's offset of the first record that isn't before ``wanted`` in the source; its end when there is none.

    Raises:
        KafkaUnavailable, KafkaRefused: the target doesn't answer.
        ValueError: a batch can't be opened.
    """
    bounds = await target.bounds(partition)
    last = await target.batch_at(partition, bounds.end - 1) if bounds.end > bounds.low else None
    if last is None:
        position = await target.noted_position(partition, bounds.end, producer)
        return bounds.end if wanted >= position else max(wanted - (position - bounds.end), 0)
    if not _is_shifted(last, producer):
        return min(max(wanted, bounds.low), bounds.end)
    return await _found(target, partition, producer, wanted, bounds)


def _is_shifted(last: Batch, producer: int) -> bool:
    """Whether offsets differ; as a shift only grows, the last batch tells for all."""
    return is_written_by(last, producer) and source_position(last, producer) != last.next_offset


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
