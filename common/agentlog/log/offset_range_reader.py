"""A stretch of a topic: some of its partitions, each read from one offset to another."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from ..errors import TopicNotFound
from .reader import BATCH_SIZE, KafkaReader, Message


class OffsetRangeReader:
    """Messages of a topic, each partition's from its start to its end.

    Attributes:
        next_offsets: the offset to be read next, of each partition.
        skipped_partitions: partitions whose next records were deleted while they were read.
    """

    def __init__(self, reader: KafkaReader, topic: str, starts: Mapping[int, int], ends: Mapping[int, int]) -> None:
        self.next_offsets = dict(starts)
        self.skipped_partitions: set[int] = set()
        self._reader, self._topic = reader, topic
        self._ends = {p: end for p, end in ends.items() if starts[p] < end}
        self._unfinished_partitions = set(self._ends)

    def read_batches(self) -> Iterator[list[Message]]:
        """The messages as they come; a batch may be empty. Those behind an end may come too.

        Raises:
            KafkaError: the topic can't be read, or nothing comes any more.
        """
        if not self._ends:
            return
        self._reader.start_reading(self._topic, {p: self.next_offsets[p] for p in self._ends})
        last_received_at = time.monotonic()
        while True:
            batch = self._read_next_batch()
            if batch:
                last_received_at = time.monotonic()
            elif time.monotonic() - last_received_at > self._reader.timeout_s:
                raise self._reader.explain_silence(self._topic)
            messages = _filter_events(batch, self._handle_event)
            self.next_offsets.update(self._reader.get_next_offsets())
            yield messages
            if all(self.next_offsets[p] >= self._ends[p] for p in self._unfinished_partitions):
                return

    def _read_next_batch(self) -> list[Message]:
        """A full one as long as there is so much: the last messages aren't kept waiting for more."""
        left = sum(max(self._ends[p] - self.next_offsets[p], 0) for p in self._unfinished_partitions)
        return self._reader.read_full_batch() if left >= BATCH_SIZE else self._reader.read_next_batch()

    def read_to_end(self) -> Iterator[list[Message]]:
        """The messages as they come, without those behind an end.

        Raises:
            KafkaError: the topic can't be read, or nothing comes any more.
        """
        for batch in self.read_batches():
            if all(self.next_offsets[p] <= end for p, end in self._ends.items()):
                yield batch
            else:
                yield [message for message in batch if (message.offset() or 0) < self._ends[message.partition() or 0]]

    def read_live(self) -> Iterator[list[Message]]:
        """What comes from the starts on, without end; nothing where for 50 ms nothing came, the cluster being away too.

        Raises:
            KafkaError: the topic can't be read.
        """
        self._reader.start_reading(self._topic, self.next_offsets)
        while True:
            yield _filter_events(self._reader.read_next_batch(), self._handle_live_event)

    def _handle_event(self, message: Message) -> None:
        partition = message.partition()
        if self._reader.is_at_end(message):
            self._unfinished_partitions.discard(partition or 0)
        elif partition in self.next_offsets:
            self.skipped_partitions.add(partition)

    def _handle_live_event(self, message: Message) -> None:
        with suppress(TopicNotFound):  # a broker that starts may not know it yet; who watches sees whether that lasts
            self._handle_event(message)


def _filter_events(batch: list[Message], handle_event: Callable[[Message], None]) -> list[Message]:
    """The batch without librdkafka's own messages, which ``handle_event`` takes in."""
    if None not in map(Message.key, batch):
        return batch
    for message in batch:
        if message.error() is not None:
            handle_event(message)
    return [message for message in batch if message.error() is None]
