"""A topic's records of all sessions: what it holds up to its end, and what comes from then on."""

from collections.abc import Callable, Iterator, Mapping

from ..event import codec
from ..event.event import Record, Unreadable
from ..event.position import Moment, Offset, Position
from .connection_monitor import Watch
from .offset_range_reader import Stretch
from .reader import Bounds, KafkaReader, Message, place
from .source import Found


def found_in(message: Message) -> Found:
    """The record that a message is, or why it is none."""
    lies = place(message)
    found, key = codec.decode(message.value(), lies, lies.where), message.key()
    if isinstance(found, Record) and key is not None and key != found.event.session_id.encode():
        return Unreadable(lies.where, lies, under_other_key(key, found.event.session_id))
    return found


def under_other_key(key: bytes | None, session_id: str) -> str:
    """Why a record is none of its ``session_id``'s: its ``key`` is another."""
    return f"its key is {(key or b'').decode(errors='replace')}, its session_id {session_id}"


def beginnings(reader: KafkaReader, topic: str, bounds: Mapping[int, Bounds], since: Position | None) -> dict[int, int]:
    """The offset from which on each partition holds all that isn't before ``since``; its end where it holds nothing."""
    begins: Mapping[int, int | None]
    match since:
        case Moment():
            begins = reader.offsets_at(topic, bounds, since.timestamp_ms)
        case Offset():
            begins = dict.fromkeys(bounds, since.offset)
        case None:
            begins = dict.fromkeys(bounds, 0)
    found = {p: begins[p] for p in bounds}
    return {p: min(max(b.high if (at := found[p]) is None else at, b.low), b.high) for p, b in bounds.items()}


class TopicStream:
    """All partitions of a topic, read from ``begin`` on.

    Args:
        say: is told when the cluster goes away and comes back, and when partitions are taken up.

    Attributes:
        records: how many were read.
        ends: of each partition that was there at the beginning, the offset that its next record would get.
    """

    def __init__(self, reader: KafkaReader, topic: str, say: Callable[[str], None]) -> None:
        self.what = f"topic {topic} of {reader.cluster.name}"
        self.records = 0
        self.partition_count = 0
        self.ends: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        self._reader, self._topic, self._say = reader, topic, say

    def begin(self, since: Moment | None, *, at_end: bool = False) -> None:
        """Begin at ``since``, None being the first record that is left; or at the end.

        Raises:
            KafkaError: the topic can't be read.
        """
        self.partition_count = self._reader.partition_count(self._topic)
        bounds = self._reader.bounds(self._topic, range(self.partition_count))
        self.ends = {p: b.high for p, b in bounds.items()}
        self._starts = self.ends if at_end else beginnings(self._reader, self._topic, bounds, since)

    @property
    def expected(self) -> int:
        """How many offsets lie between the beginning and the end."""
        return sum(end - self._starts[p] for p, end in self.ends.items())

    @property
    def behind(self) -> int:
        """How many records are known to wait to be read."""
        return self._reader.behind()

    def known(self) -> Iterator[list[Message]]:
        """What lies between the beginning and the end.

        Raises:
            KafkaError: the cluster stays silent.
        """
        for batch in Stretch(self._reader, self._topic, self._starts, self.ends).within():
            self.records += len(batch)
            yield batch

    def live(self) -> Iterator[list[Message]]:
        """What comes from the beginning on; nothing where for 50 ms nothing came. It waits while the cluster is away.

        Raises:
            KafkaError: the topic was deleted, or we are refused.
        """
        watch = Watch(self._reader, self._topic, self._say)
        for batch in Stretch(self._reader, self._topic, self._starts, {}).onwards():
            self.records += len(batch)
            yield batch
            count = watch.look() or 0
            if count > self.partition_count:
                self._take_up(range(self.partition_count, count))

    def _take_up(self, partitions: range) -> None:
        self._reader.add(self._topic, dict.fromkeys(partitions, 0))
        self.partition_count = partitions.stop
        self._say(f"{self.what} has {self.partition_count} partitions now; the new ones are read too")
