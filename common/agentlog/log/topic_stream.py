"""A topic's records of all sessions: what it holds up to its end, and what comes from then on."""

from collections.abc import Callable, Iterator, Mapping

from ..event import codec
from ..event.event import Record, Unreadable
from ..event.position import Moment, Offset, Position
from .connection_monitor import ConnectionMonitor
from .offset_range_reader import OffsetRangeReader
from .reader import Bounds, KafkaReader, Message, message_place
from .source import RecordOrUnreadable


def decode_message(message: Message) -> RecordOrUnreadable:
    """The record that a message is, or why it is none."""
    record_place = message_place(message)
    decoded, key = codec.decode(message.value(), record_place, record_place.where), message.key()
    if isinstance(decoded, Record) and key is not None and key != decoded.event.session_id.encode():
        return Unreadable(record_place.where, record_place, explain_key_mismatch(key, decoded.event.session_id))
    return decoded


def explain_key_mismatch(key: bytes | None, session_id: str) -> str:
    """Why a record is none of its ``session_id``'s: its ``key`` is another."""
    return f"its key is {(key or b'').decode(errors='replace')}, its session_id {session_id}"


def start_offsets(
    reader: KafkaReader, topic: str, bounds: Mapping[int, Bounds], since: Position | None
) -> dict[int, int]:
    """The offset from which on each partition holds all that isn't before ``since``; its end where it holds nothing."""
    begins: Mapping[int, int | None]
    match since:
        case Moment():
            begins = reader.find_offsets_at(topic, bounds, since.timestamp_ms)
        case Offset():
            begins = dict.fromkeys(bounds, since.offset)
        case None:
            begins = dict.fromkeys(bounds, 0)
    found = {p: begins[p] for p in bounds}
    return {p: min(max(b.high if (at := found[p]) is None else at, b.low), b.high) for p, b in bounds.items()}


class TopicStream:
    """All partitions of a topic, read from ``begin`` on.

    Args:
        notify: is told when the cluster goes away and comes back, and when partitions are taken up.

    Attributes:
        records: how many were read.
        ends: of each partition that was there at the beginning, the offset that its next record would get.
    """

    def __init__(self, reader: KafkaReader, topic: str, notify: Callable[[str], None]) -> None:
        self.what = f"topic {topic} of {reader.cluster.name}"
        self.records = 0
        self.partition_count = 0
        self.ends: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        self._reader, self._topic, self._notify = reader, topic, notify

    def begin(self, since: Moment | None, *, at_end: bool = False) -> None:
        """Begin at ``since``, None being the first record that is left; or at the end.

        Raises:
            KafkaError: the topic can't be read.
        """
        self.partition_count = self._reader.partition_count(self._topic)
        bounds = self._reader.fetch_bounds(self._topic, range(self.partition_count))
        self.ends = {p: b.high for p, b in bounds.items()}
        self._starts = self.ends if at_end else start_offsets(self._reader, self._topic, bounds, since)

    @property
    def expected(self) -> int:
        """How many offsets lie between the beginning and the end."""
        return sum(end - self._starts[p] for p, end in self.ends.items())

    @property
    def lag(self) -> int:
        """How many records are known to wait to be read."""
        return self._reader.measure_lag()

    def read_existing(self) -> Iterator[list[Message]]:
        """What lies between the beginning and the end.

        Raises:
            KafkaError: the cluster stays silent.
        """
        for batch in OffsetRangeReader(self._reader, self._topic, self._starts, self.ends).read_to_end():
            self.records += len(batch)
            yield batch

    def read_live(self) -> Iterator[list[Message]]:
        """What comes from the beginning on; nothing where for 50 ms nothing came. It waits while the cluster is away.

        Raises:
            KafkaError: the topic was deleted, or we are refused.
        """
        connection_monitor = ConnectionMonitor(self._reader, self._topic, self._notify)
        for batch in OffsetRangeReader(self._reader, self._topic, self._starts, {}).read_live():
            self.records += len(batch)
            yield batch
            count = connection_monitor.check_connection() or 0
            if count > self.partition_count:
                self._add_partitions(range(self.partition_count, count))

    def _add_partitions(self, partitions: range) -> None:
        self._reader.add_partitions(self._topic, dict.fromkeys(partitions, 0))
        self.partition_count = partitions.stop
        self._notify(f"{self.what} has {self.partition_count} partitions now; the new ones are read too")
