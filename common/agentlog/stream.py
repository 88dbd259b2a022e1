"""A topic's records of all sessions: what it holds up to its end, and what comes from then on."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from . import codec
from .errors import KafkaUnavailable, TopicNotFound
from .events import Record, Unreadable
from .kafka.reader import Bounds, KafkaReader, Message, place
from .kafka.stretch import Stretch
from .positions import Moment, Offset, Position
from .sources import Found

LOOK_EVERY_S = 1.0
LOOK_FOR_S = 0.5
MISSING_FOR_S = 15.0
"""A topic that a broker doesn't know while it starts is there again by then; one that was deleted isn't."""


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
        self._away_since: float | None = None
        self._looked = 0.0

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
        self._reader.start(self._topic, self._starts)
        self._looked = time.monotonic()
        while True:
            yield self._read(self._reader.next_batch())
            if time.monotonic() - self._looked > LOOK_EVERY_S:
                self._look()

    def _read(self, batch: Iterable[Message]) -> list[Message]:
        """The batch's records, without librdkafka's own messages."""
        records = []
        for message in batch:
            if message.error() is None:
                records.append(message)
            else:
                self._heed(message)
        self.records += len(records)
        return records

    def _heed(self, message: Message) -> None:
        try:
            self._reader.at_end(message)
        except TopicNotFound as error:
            self._miss(error)

    def _look(self) -> None:
        """See whether the cluster answers, and whether there are more partitions."""
        try:
            count = self._reader.partition_count(self._topic, LOOK_FOR_S)
        except (TopicNotFound, KafkaUnavailable) as error:
            self._miss(error)
        else:
            if self._away_since is not None:
                self._say(f"it answers again, after {time.monotonic() - self._away_since:.0f} s")
                self._away_since = None
            if count > self.partition_count:
                self._take_up(range(self.partition_count, count))
        self._looked = time.monotonic()

    def _miss(self, error: TopicNotFound | KafkaUnavailable) -> None:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            self._say(f"{error}\nwaiting for it; what is recorded meanwhile comes then")
        elif isinstance(error, TopicNotFound) and now - self._away_since > MISSING_FOR_S:
            raise error

    def _take_up(self, partitions: range) -> None:
        self._reader.add(self._topic, dict.fromkeys(partitions, 0))
        self.partition_count = partitions.stop
        self._say(f"{self.what} has {self.partition_count} partitions now; the new ones are read too")
