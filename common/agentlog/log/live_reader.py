"""The reader of a topic's new messages, for ever, also if the topic is deleted and created again."""

import time
from collections.abc import Callable, Iterator, Mapping

from .connection_monitor import ConnectionMonitor
from .offset_range_reader import OffsetRangeReader
from .reader import KafkaReader, Message

UNTOLD_S = 10.0
"""A cluster that hasn't told the topic's id for so long doesn't tell it."""

MAX_UNCONFIRMED = 100_000
"""Above this number it isn't remembered any more which messages were read since the topic's id was last confirmed."""


class LiveReader:
    """A reader of new messages.

    A topic that was deleted and created again is another topic under the same name. The consumer may take its leader
    epochs for old news and read nothing, for ever, or read it from an offset of the old topic on. So the topic's id is
    compared each second, and another topic is read from its beginning, by a new consumer.

    Args:
        starts: the offsets to begin at, by partition.
        notify: receives a message when the cluster goes away, when it comes back, and when the topic is another one.

    Attributes:
        skipped_partitions: partitions whose next records were deleted during the reading.
        partition_count: the topic's number of partitions as last told; None before.
        has_new_answer: whether the cluster has told the topic's partitions since the last batch.
        generation: how often the topic was deleted and created again.
    """

    def __init__(
        self, reader: KafkaReader, topic: str, starts: Mapping[int, int], notify: Callable[[str], None]
    ) -> None:
        self.skipped_partitions: set[int] = set()
        self.partition_count: int | None = None
        self.has_new_answer = False
        self.generation = 0
        self._reader, self._topic, self._notify = reader, topic, notify
        self._starts = dict(starts)
        self._monitor = ConnectionMonitor(reader, topic, notify)
        self._unconfirmed: dict[tuple[int, int], tuple[float, int]] = {}
        self._shown: dict[tuple[int, int], tuple[float, int]] = {}

    def read(self) -> Iterator[list[Message]]:
        """Yield batches of messages. A batch is empty if nothing arrived for 50 ms, also while the cluster is away.

        Raises:
            KafkaError: the topic was deleted, or the cluster refuses us.
        """
        while True:
            yield from self._read_one_topic()
            self._begin_anew()

    def _read_one_topic(self) -> Iterator[list[Message]]:
        """Yield batches until the topic is another one."""
        range_reader = OffsetRangeReader(self._reader, self._topic, self._starts, {})
        for batch in range_reader.read_live():
            self.skipped_partitions |= range_reader.skipped_partitions
            range_reader.skipped_partitions.clear()
            self._note_unconfirmed(batch)
            yield self._leave_out_shown(batch) if self._shown else batch
            count = self._monitor.check_connection()
            self.has_new_answer = count is not None
            self.partition_count = self.partition_count if count is None else count
            if self._monitor.has_another_topic:
                return
            if self._reader.cut_partitions:
                self._continue_cut_partitions()

    def _begin_anew(self) -> None:
        """Begin with the first record of each partition of the new topic, without knowledge of the old one."""
        self.partition_count = self._monitor.accept_topic()
        self._starts = dict.fromkeys(range(self.partition_count), 0)
        self._shown, self._unconfirmed = self._unconfirmed, {}
        self.generation += 1
        self._reader.reconnect()
        self._notify(
            f"topic {self._topic} of {self._reader.cluster.name} was deleted and created again; it is another topic "
            "and read from its beginning"
        )

    def _continue_cut_partitions(self) -> None:
        """Continue with partitions that end before our place, unless the topic is found to be another one."""
        confirmed_at, now = self._monitor.confirmed_at, time.monotonic()
        for partition, cut in list(self._reader.cut_partitions.items()):
            what = (
                f"{self._topic}[{partition}] of {self._reader.cluster.name} ended before offset {cut.position}, up to "
                "which it was read"
            )
            if confirmed_at is not None and confirmed_at > cut.noticed_at:
                self._reader.continue_cut_partition(self._topic, partition, cut.end)
                self._notify(
                    f"{what}: it has lost records (an unclean leader election); reading goes on at offset {cut.end}"
                )
            elif confirmed_at is None and now - cut.noticed_at > UNTOLD_S:
                self._reader.continue_cut_partition(self._topic, partition, 0)
                self._notify(f"{what}: it was created again, or has lost records; it is read from its beginning")

    def _note_unconfirmed(self, batch: list[Message]) -> None:
        """Note what was read since the topic's id was last confirmed: it may be of the new topic already."""
        confirmed_at, now = self._monitor.confirmed_at, time.monotonic()
        if confirmed_at is None or len(self._unconfirmed) > MAX_UNCONFIRMED:
            self._unconfirmed.clear()
            return
        if self._unconfirmed and next(iter(self._unconfirmed.values()))[0] < confirmed_at:
            self._unconfirmed = {place: each for place, each in self._unconfirmed.items() if each[0] >= confirmed_at}
        self._unconfirmed.update((_get_place(message), (now, _hash_message(message))) for message in batch)

    def _leave_out_shown(self, batch: list[Message]) -> list[Message]:
        """Return the batch without messages of the new topic that were read before its id was known."""
        known = [self._shown.pop(_get_place(message), None) for message in batch]
        return [
            message
            for message, shown in zip(batch, known, strict=True)
            if shown is None or shown[1] != _hash_message(message)
        ]


def _get_place(message: Message) -> tuple[int, int]:
    return message.partition() or 0, message.offset() or 0


def _hash_message(message: Message) -> int:
    return hash((message.timestamp(), message.value()))
