"""A stretch of a topic: some of its partitions, each read from one offset to another."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from ..errors import TopicNotFound
from .reader import BATCH, KafkaReader, Message


class Stretch:
    """Messages of a topic, each partition's from its start to its end.

    Attributes:
        next: the offset to be read next, of each partition.
        skipped: partitions whose next records were deleted while they were read.
    """

    def __init__(self, reader: KafkaReader, topic: str, starts: Mapping[int, int], ends: Mapping[int, int]) -> None:
        self.next = dict(starts)
        self.skipped: set[int] = set()
        self._reader, self._topic = reader, topic
        self._ends = {p: end for p, end in ends.items() if starts[p] < end}
        self._unfinished = set(self._ends)

    def batches(self) -> Iterator[list[Message]]:
        """The messages as they come; a batch may be empty. Those behind an end may come too.

        Raises:
            KafkaError: the topic can't be read, or nothing comes any more.
        """
        if not self._ends:
            return
        self._reader.start(self._topic, {p: self.next[p] for p in self._ends})
        heard = time.monotonic()
        while True:
            batch = self._next_batch()
            if batch:
                heard = time.monotonic()
            elif time.monotonic() - heard > self._reader.timeout_s:
                raise self._reader.silent(self._topic)
            messages = _heeded(batch, self._heed)
            self.next.update(self._reader.positions())
            yield messages
            if all(self.next[p] >= self._ends[p] for p in self._unfinished):
                return

    def _next_batch(self) -> list[Message]:
        """A full one as long as there is so much: the last messages aren't kept waiting for more."""
        left = sum(max(self._ends[p] - self.next[p], 0) for p in self._unfinished)
        return self._reader.full_batch() if left >= BATCH else self._reader.next_batch()

    def within(self) -> Iterator[list[Message]]:
        """The messages as they come, without those behind an end.

        Raises:
            KafkaError: the topic can't be read, or nothing comes any more.
        """
        for batch in self.batches():
            if all(self.next[p] <= end for p, end in self._ends.items()):
                yield batch
            else:
                yield [each for each in batch if (each.offset() or 0) < self._ends[each.partition() or 0]]

    def onwards(self) -> Iterator[list[Message]]:
        """What comes from the starts on, without end; nothing where for 50 ms nothing came, the cluster being away too.

        Raises:
            KafkaError: the topic can't be read.
        """
        self._reader.start(self._topic, self.next)
        while True:
            yield _heeded(self._reader.next_batch(), self._heed_live)

    def _heed(self, message: Message) -> None:
        partition = message.partition()
        if self._reader.at_end(message):
            self._unfinished.discard(partition or 0)
        elif partition in self.next:
            self.skipped.add(partition)

    def _heed_live(self, message: Message) -> None:
        with suppress(TopicNotFound):  # a broker that starts may not know it yet; who watches sees whether that lasts
            self._heed(message)


def _heeded(batch: list[Message], heed: Callable[[Message], None]) -> list[Message]:
    """The batch without librdkafka's own messages, which ``heed`` takes in."""
    if None not in map(Message.key, batch):
        return batch
    for message in batch:
        if message.error() is not None:
            heed(message)
    return [message for message in batch if message.error() is None]
