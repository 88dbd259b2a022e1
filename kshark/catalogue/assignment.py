"""A share of a topic's partitions, which one process reads and adds to a catalogue."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from agentlog.event.event import Unreadable
from agentlog.event.partial_decode import PartialEvent, decode_partial
from agentlog.log.offset_range_reader import OffsetRangeReader
from agentlog.log.reader import KafkaReader, Message, message_place

from .store import PartitionProgress, Store, UnreadableEntry
from .write_batch import LocatedEvent, WriteBatch


class Assignment(msgspec.Struct):
    """Partitions to read, each from an offset in ``starts`` up to an offset in ``ends``."""

    topic: str
    starts: dict[int, int]
    ends: dict[int, int]

    @property
    def remaining(self) -> int:
        """The number of offsets that are still to be read."""
        return sum(max(end - self.starts[p], 0) for p, end in self.ends.items())

    def read_partitions(
        self,
        reader: KafkaReader,
        store: Store,
        progress: dict[int, PartitionProgress],
        on_records_read: Callable[[int], None],
    ) -> dict[int, PartitionProgress]:
        """Read the partitions into ``store`` and return the new progress of all partitions of ``progress``.

        Raises:
            ConcurrentUpdate: another process has read further and written what it found.
            KafkaError: the topic can't be read.
            sqlite3.Error: the store can't be written.
        """
        range_reader = OffsetRangeReader(reader, self.topic, self.starts, self.ends)
        write_batch = WriteBatch(store)
        for batch in range_reader.read_batches():
            write_batch.add(_decode_events(batch, write_batch))
            on_records_read(len(batch))
            if write_batch.is_full:
                progress = _commit_batch(write_batch, progress, range_reader.next_offsets)
                write_batch = WriteBatch(store)
        return _commit_batch(write_batch, progress, range_reader.next_offsets)


def assign_partitions(topic: str, starts: Mapping[int, int], ends: Mapping[int, int], count: int) -> list[Assignment]:
    """Divide the partitions that have new records into at most ``count`` shares of similar size; at least one share."""
    assignments = [Assignment(topic, {}, {}) for _ in range(count)]
    remaining = {p: end - starts[p] for p, end in ends.items() if starts[p] < end}
    for partition in sorted(remaining, key=lambda p: remaining[p], reverse=True):
        smallest = min(assignments, key=lambda share: share.remaining)
        smallest.starts[partition], smallest.ends[partition] = starts[partition], ends[partition]
    return [share for share in assignments if share.ends] or assignments[:1]


def _commit_batch(
    write_batch: WriteBatch, progress: dict[int, PartitionProgress], positions: Mapping[int, int]
) -> dict[int, PartitionProgress]:
    """Write the batch and return how far each partition has been read."""
    new_progress = {
        p: PartitionProgress(mark.low, max(positions.get(p, 0), mark.position)) for p, mark in progress.items()
    }
    if new_progress != progress:
        write_batch.commit_if_unchanged(progress, new_progress)
    return new_progress


def _decode_events(batch: Sequence[Message], write_batch: WriteBatch) -> Iterable[LocatedEvent]:
    """Return the events of a batch with their positions; note the other records and the other keys."""
    keys, values = list(map(Message.key, batch)), list(map(Message.value, batch))
    partitions, offsets = list(map(Message.partition, batch)), list(map(Message.offset, batch))
    partial_events = decode_partial(values, lambda number: message_place(batch[number]))
    # an unreadable record stands for itself, because it may have any key, an empty one too
    expected_keys = [each.session_id.encode() if type(each) is PartialEvent else each for each in partial_events]
    if keys == expected_keys:
        return zip(partial_events, partitions, offsets, strict=True)  # type: ignore[arg-type]
    events = []
    for each, key, expected_key, partition, offset in zip(
        partial_events, keys, expected_keys, partitions, offsets, strict=True
    ):
        if isinstance(each, Unreadable):
            write_batch.unreadable.append(UnreadableEntry(partition or 0, offset or 0, each.reason, key))
        else:
            events.append((each, partition, offset))
            if key != expected_key:
                write_batch.partitions_with_other_keys.add(partition or 0)
    return events  # type: ignore[return-value]
