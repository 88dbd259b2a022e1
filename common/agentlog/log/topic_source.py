"""A topic in Kafka as a source: only the partitions where the session can be, only its records decoded."""

from collections.abc import Callable, Iterator, Mapping

from ..errors import PositionError
from ..event.event import Record, Unreadable
from ..event.partitioner import candidates
from ..event.position import Span
from ..session.coverage import Searched
from .connection_monitor import Watch
from .offset_range_reader import Stretch
from .reader import Bounds, KafkaReader, Message
from .source import Found, remember
from .topic_stream import beginnings, found_in


class TopicSource:
    """A topic of a cluster.

    Args:
        partitioner: that of the clients which write the topic, when it is known: one partition holds the session.
        everywhere: read all partitions, not just those where a client's partitioner would put the session.
    """

    def __init__(self, reader: KafkaReader, topic: str, partitioner: str | None, everywhere: bool) -> None:
        self.searched = Searched(f"topic {topic} of {reader.cluster.name}")
        self._reader, self._topic = reader, topic
        self._partitioner, self._everywhere = partitioner, everywhere
        self._next: dict[int, int] = {}
        self._first: set[int] = set()

    def records(self, session_id: str, span: Span) -> Iterator[Found]:
        """The session's records: from the partitions where it should be, or from all when it isn't there."""
        count = self.searched.partition_count = self._reader.partition_count(self._topic)
        likely = self._likely(session_id, count, span)
        found = False
        for item in self._read(session_id, likely, span):
            found = found or isinstance(item, Record)
            yield item
        others = [p for p in range(count) if p not in likely]
        if not found and span.partition is None and others:
            yield from self._read(session_id, others, span)

    def _likely(self, session_id: str, count: int, span: Span) -> list[int]:
        named = span.partition
        if named is not None and named >= count:
            raise PositionError(f"topic {self._topic} has no partition {named}; it has {count}, the first being 0")
        if named is not None:
            return [named]
        return list(range(count)) if self._everywhere else candidates(session_id.encode(), count, self._partitioner)

    def _read(self, session_id: str, partitions: list[int], span: Span) -> Iterator[Found]:
        bounds = self._reader.bounds(self._topic, partitions)
        starts = beginnings(self._reader, self._topic, bounds, span.start)
        self._searching(bounds)
        self._first = {p for p in partitions if bounds[p].low and starts[p] == bounds[p].low}
        yield from self._between(session_id, starts, {p: b.high for p, b in bounds.items()}, span)

    def _searching(self, bounds: Mapping[int, Bounds]) -> None:
        self.searched.partitions += bounds
        self.searched.log_begins.update({p: None for p, b in bounds.items() if b.low})

    def _between(
        self, session_id: str, starts: Mapping[int, int], ends: Mapping[int, int], span: Span
    ) -> Iterator[Found]:
        """The session's records from one offset of each partition to another."""
        self._next.update(starts)
        self.searched.expected += sum(ends[p] - start for p, start in starts.items())
        stretch = Stretch(self._reader, self._topic, starts, ends)
        for batch in stretch.within():
            self._note(batch)
            self._deleted(stretch.skipped)
            yield from self._matching(session_id, batch, span)
            self._next.update({p: min(position, ends[p]) for p, position in stretch.next.items()})

    def _note(self, batch: list[Message]) -> None:
        """Keep what tells later where the log begins."""
        for message in batch if self._first else ():
            partition = message.partition() or 0
            if partition in self._first:
                self.searched.log_begins[partition] = message.timestamp()[1]
                self._first.remove(partition)

    def _deleted(self, partitions: set[int]) -> None:
        """The first records of these were just deleted."""
        while partitions:
            partition = partitions.pop()
            self.searched.log_begins[partition] = None
            self._first.add(partition)

    def _matching(self, session_id: str, batch: list[Message], span: Span) -> Iterator[Found]:
        """The batch's records of the session. Those without a key may be of any session: their value tells."""
        self.searched.records += len(batch)  # ahead of the first one, whoever asks for no more has them counted
        for message in self._candidates(session_id.encode(), batch):
            found = self._decoded(message, session_id)
            if isinstance(found, Unreadable):
                self.searched.unreadable += 1
                yield found
            elif found is not None and span.holds(found):
                yield found

    def _candidates(self, wanted: bytes, batch: list[Message]) -> list[Message]:
        """The messages with the wanted key, and those without one; this runs for every record that is read."""
        keys = list(map(Message.key, batch))
        distinct = set(keys)
        remember(self.searched, distinct)
        if distinct.isdisjoint((wanted, None)):
            return []
        return [message for message, key in zip(batch, keys, strict=True) if key is None or key == wanted]

    def _decoded(self, message: Message, session_id: str) -> Found | None:
        found = found_in(message)
        return found if isinstance(found, Unreadable) or found.event.session_id == session_id else None

    def follow(self, session_id: str, say: Callable[[str], None]) -> Iterator[Found | None]:
        """What is written to the partitions that were read, from there on; None where for 50 ms nothing came.

        Args:
            say: is told when the cluster goes away, which is waited for, and comes back.

        Raises:
            KafkaError: the topic was deleted, or we are refused.
        """
        watch = Watch(self._reader, self._topic, say)
        stretch = Stretch(self._reader, self._topic, self._next, {})
        for batch in stretch.onwards():
            self._deleted(stretch.skipped)
            yield from self._matching(session_id, batch, Span())
            if not batch:
                yield None
            watch.look()
