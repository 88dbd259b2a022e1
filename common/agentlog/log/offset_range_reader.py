"""The reader of offset ranges: partitions of a topic, each from one offset to another."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from ..errors import TopicNotFound
from .reader import BATCH_SIZE, KafkaReader, Message

_log = logging.getLogger("agentlog.kafka")


class OffsetRangeReader:
    """A reader of a topic's messages, in each partition from a start to an end.

    Attributes:
        next_offsets: the next offset to read in each partition.
        skipped_partitions: partitions whose next records were deleted during the reading.
    """

    def __init__(self, reader: KafkaReader, topic: str, starts: Mapping[int, int], ends: Mapping[int, int]) -> None:
        self.next_offsets = dict(starts)
        self.skipped_partitions: set[int] = set()
        self._reader, self._topic = reader, topic
        self._ends = {p: end for p, end in ends.items() if starts[p] < end}
        self._unfinished_partitions = set(self._ends)

    def read_batches(self) -> Iterator[list[Message]]:
        """Yield batches of messages. A batch may be empty, and may hold messages behind an end.

        Raises:
            KafkaError: the topic can't be read, or the cluster has become silent.
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
        """Read a full batch while enough messages are left; then read what is there, without waiting for a full one."""
        left = sum(max(self._ends[p] - self.next_offsets[p], 0) for p in self._unfinished_partitions)
        return self._reader.read_full_batch() if left >= BATCH_SIZE else self._reader.read_next_batch()

    def read_to_end(self) -> Iterator[list[Message]]:
        """Yield batches of messages, without the messages behind an end.

        Raises:
            KafkaError: the topic can't be read, or the cluster has become silent.
        """
        for batch in self.read_batches():
            if all(self.next_offsets[p] <= end for p, end in self._ends.items()):
                yield batch
            else:
                yield [message for message in batch if (message.offset() or 0) < self._ends[message.partition() or 0]]

    def read_live(self) -> Iterator[list[Message]]:
        """Yield batches of messages from the starts on, for ever.

        A batch is empty if no message arrived for 50 ms. That is also so while the cluster is away.

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
        elif partition in self._reader.cut_partitions:
            self._handle_cut(partition)
        elif partition in self.next_offsets:
            self.skipped_partitions.add(partition)

    def _handle_cut(self, partition: int) -> None:
        """Read on where the log has grown past our place. Else the end will never be reached."""
        cut = self._reader.cut_partitions[partition]
        if cut.end == cut.position:
            self._reader.continue_cut_partition(self._topic, partition, cut.position)
            return
        self._unfinished_partitions.discard(partition)
        _log.warning(
            "%s[%d] ends at %d, and is read up to %d: the topic was created again, or has lost records",
            self._topic,
            partition,
            cut.end,
            cut.position,
        )

    def _handle_live_event(self, message: Message) -> None:
        with suppress(TopicNotFound):  # a broker that starts may not know it yet; the monitor notices if that lasts
            partition = message.partition() or 0
            is_at_end = self._reader.is_at_end(message)
            if not (is_at_end or partition in self._reader.cut_partitions) and partition in self.next_offsets:
                self.skipped_partitions.add(partition)


def _filter_events(batch: list[Message], handle_event: Callable[[Message], None]) -> list[Message]:
    """Return the batch without librdkafka's own messages, which go to ``handle_event``."""
    if None not in map(Message.key, batch):
        return batch
    for message in batch:
        if message.error() is not None:
            handle_event(message)
    return [message for message in batch if message.error() is None]
