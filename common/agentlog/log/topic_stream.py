"""The stream of a topic: the records of all sessions, existing and new."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from ..errors import KafkaUnavailable
from ..event import codec
from ..event.event import Record
from ..event.position import Moment, Offset, Position
from ..text.coverage_text import describe_unavailable
from .live_reader import LiveReader
from .offset_range_reader import OffsetRangeReader
from .reader import Bounds, KafkaReader, Message, message_place
from .source import RecordOrUnreadable

CHECKED_RECORDS = 20
"""This many of a partition's last records are read where its broker knows none since a time."""


def decode_message(message: Message) -> RecordOrUnreadable:
    """Decode the record in a message, or say why it is unreadable. Its value tells its session, whatever its key is."""
    place, key = message_place(message), message.key()
    decoded = codec.decode(message.value(), place, place.where)
    if isinstance(decoded, Record) and key is not None and key != decoded.event.session_id.encode():
        return Record(decoded.event, decoded.place._replace(key=key), decoded.value)
    return decoded


def find_start_offsets(
    reader: KafkaReader, topic: str, bounds: Mapping[int, Bounds], since: Position | None
) -> dict[int, int]:
    """Return the first offset of each partition that isn't before ``since``; its end if there is none."""
    begins: Mapping[int, int | None]
    match since:
        case Moment():
            told = reader.find_offsets_at(topic, bounds, since.timestamp_ms)
            begins = told | _find_missed_starts(reader, topic, bounds, told, since)
        case Offset():
            begins = dict.fromkeys(bounds, since.offset)
        case None:
            begins = dict.fromkeys(bounds, 0)
    return {p: min(max(b.high if (begin := begins[p]) is None else begin, b.low), b.high) for p, b in bounds.items()}


def _find_missed_starts(
    reader: KafkaReader, topic: str, bounds: Mapping[int, Bounds], begins: Mapping[int, int | None], since: Moment
) -> dict[int, int | None]:
    """Return the first offset left of each partition whose broker knows no record since then, though it holds one.

    Right after a deletion, a broker's index of times may lack records that are there. The last records tell.
    """
    asked = {p: b for p, b in bounds.items() if begins[p] is None and b.low < b.high}
    starts = {p: max(b.low, b.high - CHECKED_RECORDS) for p, b in asked.items()}
    newest: dict[int, int] = {}
    for batch in OffsetRangeReader(reader, topic, starts, {p: b.high for p, b in asked.items()}).read_to_end():
        for message in batch:
            partition = message.partition() or 0
            newest[partition] = max(message.timestamp()[1], newest.get(partition, 0))
    return {p: asked[p].low for p, newest_ms in newest.items() if newest_ms >= since.timestamp_ms}


class TopicStream:
    """A stream of all partitions of a topic. Call ``begin`` before any other method.

    Args:
        notify: receives a message when the cluster goes away, when it comes back, and when partitions were added.

    Attributes:
        records: the number of records that were read.
        ends: the end of each partition at the beginning of the reading: the offset that its next record would get.
    """

    def __init__(self, reader: KafkaReader, topic: str, notify: Callable[[str], None]) -> None:
        self.what = f"topic {topic} of {reader.cluster.name}"
        self.records = 0
        self.partition_count = 0
        self.ends: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        self._since: Moment | None = None
        self._unavailable: set[int] = set()
        self._reader, self._topic, self._notify = reader, topic, notify

    def begin(self, since: Moment | None, *, at_end: bool = False) -> None:
        """Choose where to begin: at ``since``, at the first record left if that is None, or at the end.

        Raises:
            KafkaError: the topic can't be read.
        """
        self.partition_count = self._reader.partition_count(self._topic)
        bounds = self._reader.fetch_bounds(self._topic, range(self.partition_count))
        if self._reader.unavailable:
            if not bounds:
                raise self._reader.explain_unavailable(self._topic)
            self._notify(describe_unavailable(self._reader.unavailable))
        self._since = Moment(datetime.now(UTC)) if at_end else since
        self._unavailable = set(self._reader.unavailable)
        self.ends = {p: b.high for p, b in bounds.items()}
        self._starts = self.ends if at_end else find_start_offsets(self._reader, self._topic, bounds, since)

    @property
    def expected(self) -> int:
        """The number of offsets between the beginning and the end."""
        return sum(end - self._starts[p] for p, end in self.ends.items())

    @property
    def lag(self) -> int:
        """The number of offsets that are known to lie ahead."""
        return self._reader.measure_lag()

    def read_existing(self) -> Iterator[list[Message]]:
        """Yield batches of the messages between the beginning and the end.

        Raises:
            KafkaError: the cluster stays silent.
        """
        for batch in OffsetRangeReader(self._reader, self._topic, self._starts, self.ends).read_to_end():
            self.records += len(batch)
            yield batch

    def read_live(self) -> Iterator[list[Message]]:
        """Yield batches of messages from the beginning on, for ever. A batch is empty if nothing arrived for 50 ms.

        It waits while the cluster is away. If the topic is deleted and created again, it goes on with the new one.

        Raises:
            KafkaError: the topic was deleted, or the cluster refuses us.
        """
        live, generation = LiveReader(self._reader, self._topic, self._starts, self._notify), 0
        for batch in live.read():
            if live.generation > generation:
                generation, self.ends, self._starts = live.generation, {}, {}
                self._unavailable.clear()
                self.partition_count = live.partition_count or 0
            self.records += len(batch)
            yield batch
            if (live.partition_count or 0) > self.partition_count:
                self._add_partitions(range(self.partition_count, live.partition_count or 0))
            if live.has_new_answer and not self._unavailable <= self._reader.leaderless:
                self._add_recovered()

    def _add_recovered(self) -> None:
        """Read the partitions that have a leader again, each from where the stream began."""
        with suppress(KafkaUnavailable):  # its broker has just started; the next look tries again
            bounds = self._reader.fetch_bounds(self._topic, self._unavailable - self._reader.leaderless)
            starts = dict.fromkeys(bounds, 0)
            if self._since is not None:
                told = self._reader.find_offsets_at(self._topic, bounds, self._since.timestamp_ms)
                starts = {p: bounds[p].high if offset is None else offset for p, offset in told.items()}
            self._reader.add_partitions(self._topic, {p: max(start, bounds[p].low) for p, start in starts.items()})
            self._unavailable -= starts.keys()

    def _add_partitions(self, partitions: range) -> None:
        self._reader.add_partitions(self._topic, dict.fromkeys(partitions, 0))
        self.partition_count = partitions.stop
        self._notify(f"{self.what} has {self.partition_count} partitions now; the new ones are read too")
