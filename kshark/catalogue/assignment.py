"""Some of a topic's partitions, read from where a catalogue stands to where they ended, and added up."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from agentlog.event.event import Unreadable
from agentlog.event.partial_decode import Glance, glances
from agentlog.log.offset_range_reader import Stretch
from agentlog.log.reader import KafkaReader, Message, place
from agentlog.log.topic_stream import under_other_key

from .store import Mark, Store, Unread
from .write_batch import CHUNK, Chunk, Found


class Share(msgspec.Struct):
    """Partitions, from where and to where each is read."""

    topic: str
    starts: dict[int, int]
    ends: dict[int, int]

    @property
    def left(self) -> int:
        """How many offsets there are to read."""
        return sum(max(end - self.starts[p], 0) for p, end in self.ends.items())

    def read(
        self, reader: KafkaReader, store: Store, marks: dict[int, Mark], heard: Callable[[int], None]
    ) -> dict[int, Mark]:
        """Keep what comes of it; how far all partitions of ``marks`` have been read then.

        Raises:
            Outrun: somebody else has read on meanwhile, and kept what was found.
            KafkaError: the topic can't be read.
            sqlite3.Error: the store can't be written.
        """
        stretch = Stretch(reader, self.topic, self.starts, self.ends)
        chunk = Chunk(store)
        for batch in stretch.batches():
            chunk.add(_readable(batch, chunk.unreadable))
            heard(len(batch))
            if chunk.records >= CHUNK:
                marks = _kept(chunk, marks, stretch.next)
                chunk = Chunk(store)
        return _kept(chunk, marks, stretch.next)


def shares(topic: str, starts: Mapping[int, int], ends: Mapping[int, int], count: int) -> list[Share]:
    """The partitions that have something to read in ``count`` shares of about as many records, at least one."""
    found = [Share(topic, {}, {}) for _ in range(count)]
    left = {p: end - starts[p] for p, end in ends.items() if starts[p] < end}
    for partition in sorted(left, key=lambda p: left[p], reverse=True):
        least = min(found, key=lambda share: share.left)
        least.starts[partition], least.ends[partition] = starts[partition], ends[partition]
    return [share for share in found if share.ends] or found[:1]


def _kept(chunk: Chunk, marks: dict[int, Mark], positions: Mapping[int, int]) -> dict[int, Mark]:
    """How far each partition has been read, once the chunk is kept."""
    reached = {p: Mark(mark.low, max(positions.get(p, 0), mark.position)) for p, mark in marks.items()}
    if reached != marks:
        chunk.keep_between(marks, reached)
    return reached


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
