"""What lies in the log and isn't in the catalogue yet is read and added up; what was deleted is forgotten."""

from collections.abc import Iterable, Mapping, Sequence

from agentlog.events import Unreadable
from agentlog.glances import Glance, glances
from agentlog.kafka.reader import Bounds, KafkaReader, Message, place
from agentlog.kafka.stretch import Stretch
from agentlog.sources import Searched
from agentlog.stream import under_other_key
from agentlog.sums import Sums

from .chunk import CHUNK, Chunk, Found, Outrun, doubted
from .store import Mark, Store, Unread


class Update:
    """Brings a catalogue up to the end of a topic as it is now."""

    def __init__(self, reader: KafkaReader, topic: str, store: Store, searched: Searched) -> None:
        self._reader, self._topic, self._store, self._searched = reader, topic, store, searched

    def run(self) -> None:
        """Read what is new and keep it; whoever does the same at the same time isn't waited for.

        Raises:
            KafkaError: the topic can't be read.
            sqlite3.Error: the catalogue can't be written.
        """
        bounds = self._reader.bounds(self._topic, range(self._reader.partition_count(self._topic)))
        while True:
            with self._store.changing():
                marks = self._trimmed(bounds)
            try:
                return self._read(marks, bounds)
            except Outrun:
                continue

    def _trimmed(self, bounds: dict[int, Bounds]) -> dict[int, Mark]:
        """Where to go on, once what the log doesn't hold any more is forgotten."""
        marks = self._store.marks()
        if any(p not in bounds or mark.position > bounds[p].high for p, mark in marks.items()):
            self._store.clear()
            marks = {}
        gone = {p: mark for p, mark in marks.items() if mark.low < bounds[p].low}
        for partition in gone:
            low = bounds[partition].low
            cut = self._store.load(self._store.lying_before(partition, low))
            self._store.drop(cut)
            self._store.put((sums, None) for sums in map(doubted, cut.values()) if _shortened(sums, partition, low))
            self._store.drop_unreadable(partition, low)
        found = {p: Mark(b.low, max(b.low, marks[p].position if p in marks else 0)) for p, b in bounds.items()}
        self._store.put_marks(found)
        return found

    def _read(self, marks: dict[int, Mark], bounds: dict[int, Bounds]) -> None:
        stretch = Stretch(
            self._reader,
            self._topic,
            {p: mark.position for p, mark in marks.items()},
            {p: b.high for p, b in bounds.items()},
        )
        chunk = Chunk(self._store)
        for batch in stretch.batches():
            chunk.add(_readable(batch, chunk.unreadable))
            self._searched.records += len(batch)
            if chunk.records >= CHUNK:
                marks = _kept(chunk, marks, stretch.next)
                chunk = Chunk(self._store)
        _kept(chunk, marks, stretch.next)


def _kept(chunk: Chunk, marks: dict[int, Mark], positions: Mapping[int, int]) -> dict[int, Mark]:
    """How far each partition has been read, once the chunk is kept."""
    reached = {p: Mark(mark.low, max(positions[p], mark.position)) for p, mark in marks.items()}
    if reached != marks:
        chunk.keep_between(marks, reached)
    return reached


def _shortened(sums: Sums, partition: int, low: int) -> bool:
    """Let a session begin at what is left of it; whether anything is."""
    lay = sums.lays[partition]
    if lay.last < low:
        del sums.lays[partition]
    else:
        lay.first = max(lay.first, low)
    return bool(sums.lays)


def _readable(batch: Sequence[Message], unreadable: list[Unread]) -> Iterable[Found]:
    """The events of a batch, and where they lie; what is none goes to ``unreadable``."""
    keys, values = list(map(Message.key, batch)), list(map(Message.value, batch))
    partitions, offsets = list(map(Message.partition, batch)), list(map(Message.offset, batch))
    found = glances(values, lambda number: place(batch[number]))
    if keys == [each.session_id.encode() if type(each) is Glance else b"" for each in found]:
        return zip(found, partitions, offsets, strict=True)  # type: ignore[arg-type]
    good = []
    for each, key, partition, offset in zip(found, keys, partitions, offsets, strict=True):
        reason = _refusal(each, key)
        if reason is None:
            good.append((each, partition, offset))
        else:
            unreadable.append(Unread(partition or 0, offset or 0, reason, key))
    return good  # type: ignore[return-value]


def _refusal(found: Glance | Unreadable, key: bytes | None) -> str | None:
    """Why a record is no event of a session. One without a key may be of any: its value tells."""
    if isinstance(found, Unreadable):
        return found.reason
    return None if key in (None, found.session_id.encode()) else under_other_key(key, found.session_id)
