"""The topic as a source of records: it reads the session's likely partitions and decodes only its records."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from ..errors import KafkaUnavailable, PositionError, SessionUnavailable
from ..event.event import Record, Unreadable, is_plausible_ms
from ..event.partitioner import list_candidate_partitions
from ..event.position import PositionRange
from ..session.coverage import SearchReport
from ..text.coverage_text import describe_unavailable
from .live_reader import LiveReader
from .offset_range_reader import OffsetRangeReader
from .reader import Bounds, KafkaReader, Message
from .session_filter import SessionFilter
from .source import RecordOrUnreadable
from .topic_stream import decode_message, find_start_offsets


class TopicSource:
    """A topic of a cluster as a source.

    Args:
        partitioner: the partitioner of the clients that write the topic, if it is known. Then one partition holds the
            session.
        all_partitions: read all partitions, not only those where a client's partitioner would put the session.
    """

    def __init__(self, reader: KafkaReader, topic: str, partitioner: str | None, all_partitions: bool) -> None:
        self.searched = SearchReport(f"topic {topic} of {reader.cluster.name}")
        self._reader, self._topic = reader, topic
        self._partitioner, self._all_partitions = partitioner, all_partitions
        self._next_offsets: dict[int, int] = {}
        self._awaiting_first_record: set[int] = set()
        self._filter = SessionFilter("", self.searched)
        self._unchecked_ranges: dict[int, tuple[int, int]] = {}

    def records(self, session_id: str, position_range: PositionRange) -> Iterator[RecordOrUnreadable]:
        """Yield the session's records from its likely partitions.

        The other partitions are read too if there are none, or if records have other keys than their sessions' ids.

        Raises:
            SessionUnavailable: there are none, but partitions that can't be read may hold them.
        """
        count = self.searched.partition_count = self._reader.partition_count(self._topic)
        self._filter = SessionFilter(session_id, self.searched)
        likely_partitions = self._choose_partitions(session_id, count, position_range)
        is_found = False
        for item in self._read_partitions(likely_partitions, position_range):
            is_found = is_found or isinstance(item, Record)
            yield item
        other_partitions = [p for p in range(count) if p not in likely_partitions]
        should_read_others = position_range.partition is None and (not is_found or self._filter.has_other_keys)
        if other_partitions and should_read_others:
            for item in self._read_partitions(other_partitions, position_range):
                is_found = is_found or isinstance(item, Record)
                yield item
            self.searched.has_read_more = self._filter.has_other_keys
        for item in self._read_passed_over(position_range):
            is_found = is_found or isinstance(item, Record)
            yield item
        possible_partitions = range(count) if self._filter.has_other_keys else likely_partitions
        if not is_found and not self.searched.unavailable.keys().isdisjoint(possible_partitions):
            raise self._explain_unavailable(session_id)

    def _explain_unavailable(self, session_id: str) -> SessionUnavailable:
        return SessionUnavailable(
            f"no record of session {session_id} in {self.searched.what}, but it may lie where nothing can be read: "
            f"{describe_unavailable(self.searched.unavailable)}"
        )

    def _choose_partitions(self, session_id: str, partition_count: int, position_range: PositionRange) -> list[int]:
        named_partition = position_range.partition
        if named_partition is not None and named_partition >= partition_count:
            raise PositionError(
                f"topic {self._topic} has no partition {named_partition}; it has {partition_count}, the first being 0"
            )
        if named_partition is not None:
            return [named_partition]
        return (
            list(range(partition_count))
            if self._all_partitions
            else list_candidate_partitions(session_id.encode(), partition_count, self._partitioner)
        )

    def _read_partitions(self, partitions: list[int], position_range: PositionRange) -> Iterator[RecordOrUnreadable]:
        bounds = self._reader.fetch_bounds(self._topic, partitions)
        self.searched.unavailable |= self._reader.unavailable
        starts = find_start_offsets(self._reader, self._topic, bounds, position_range.start)
        self._note_searched(bounds)
        self._awaiting_first_record = {p for p, b in bounds.items() if b.low and starts[p] == b.low}
        yield from self._read_range(starts, {p: b.high for p, b in bounds.items()}, position_range)

    def _note_searched(self, bounds: Mapping[int, Bounds]) -> None:
        self.searched.partitions += bounds
        self.searched.log_begins.update({p: None for p, b in bounds.items() if b.low})

    def _read_range(
        self, starts: Mapping[int, int], ends: Mapping[int, int], position_range: PositionRange
    ) -> Iterator[RecordOrUnreadable]:
        """Yield the session's records from ``starts`` to ``ends``."""
        self._next_offsets.update(starts)
        self.searched.expected += sum(ends[p] - start for p, start in starts.items())
        range_reader = OffsetRangeReader(self._reader, self._topic, starts, ends)
        for batch in range_reader.read_to_end():
            self._note_log_begins(batch)
            self._note_deleted(range_reader.skipped_partitions)
            yield from self._decode_matching(batch, position_range)
            self._next_offsets.update({p: min(position, ends[p]) for p, position in range_reader.next_offsets.items()})
            if self._filter.has_trusted_keys:
                read_until = range_reader.next_offsets.items()
                self._unchecked_ranges.update({p: (starts[p], min(position, ends[p])) for p, position in read_until})

    def _read_passed_over(self, position_range: PositionRange) -> Iterator[RecordOrUnreadable]:
        """Yield what was passed over while the keys seemed to tell the sessions, if they don't."""
        if self._filter.has_mixed_keys:
            starts = {p: start for p, (start, _) in self._unchecked_ranges.items()}
            ends = {p: end for p, (_, end) in self._unchecked_ranges.items()}
            for batch in OffsetRangeReader(self._reader, self._topic, starts, ends).read_to_end():
                items = (self._decode(message, position_range) for message in self._filter.select_unchecked(batch))
                yield from (item for item in items if item is not None)
        self._unchecked_ranges.clear()
        for unreadable in self._filter.take_unreadable():
            self.searched.unreadable += 1
            yield unreadable

    def _note_log_begins(self, batch: list[Message]) -> None:
        """Note the timestamp of a partition's first record: the log begins there."""
        for message in batch if self._awaiting_first_record else ():
            partition = message.partition() or 0
            if partition in self._awaiting_first_record:
                timestamp_ms = message.timestamp()[1]
                self.searched.log_begins[partition] = timestamp_ms if is_plausible_ms(timestamp_ms) else None
                self._awaiting_first_record.remove(partition)

    def _note_deleted(self, partitions: set[int]) -> None:
        """Note that the first records of these partitions were just deleted."""
        while partitions:
            partition = partitions.pop()
            self.searched.log_begins[partition] = None
            self._awaiting_first_record.add(partition)

    def _decode_matching(self, batch: list[Message], position_range: PositionRange) -> Iterator[RecordOrUnreadable]:
        """Yield the batch's records of the session, and what is unreadable and may be the session's."""
        self.searched.records += len(batch)  # counted before the first yield, because the caller may stop there
        for message in self._filter.select(batch):
            decoded = self._decode(message, position_range)
            if decoded is not None:
                yield decoded

    def _decode(self, message: Message, position_range: PositionRange) -> RecordOrUnreadable | None:
        decoded, key = decode_message(message), message.key()
        if isinstance(decoded, Unreadable):
            if not self._filter.is_known_key(key):
                self._filter.keep_unreadable(key, decoded)
                return None
            self.searched.unreadable += 1
            return decoded
        is_other_key = key is None or decoded.place.key is not None
        if is_other_key:
            self._filter.note_other_key(key, decoded.event.session_id)
        if decoded.event.session_id != self._filter.session_id or not position_range.contains(decoded):
            return None
        if is_other_key:
            self.searched.note_key(key)
        return decoded

    def follow(self, session_id: str, notify: Callable[[str], None]) -> Iterator[RecordOrUnreadable | None]:
        """Yield new records in the partitions that were read, for ever; None if nothing arrived for 50 ms.

        If the topic is deleted and created again, all partitions of the new one are read, from their beginning.

        Args:
            notify: receives a message when the cluster goes away and when it comes back.

        Raises:
            KafkaError: the topic was deleted, or the cluster refuses us.
        """
        if session_id != self._filter.session_id:
            self._filter = SessionFilter(session_id, self.searched)
        live, generation = LiveReader(self._reader, self._topic, self._next_offsets, notify), 0
        for batch in live.read():
            if live.generation > generation:
                generation = live.generation
                self._note_another_topic(live.partition_count or 0)
            self._note_deleted(live.skipped_partitions)
            yield from self._decode_matching(batch, PositionRange())
            if not batch:
                yield None
            if live.has_new_answer and not self.searched.unavailable.keys() <= self._reader.leaderless:
                self._add_recovered()

    def _add_recovered(self) -> None:
        """Read the partitions that have a leader again, each from its beginning."""
        recovered = self.searched.unavailable.keys() - self._reader.leaderless
        with suppress(KafkaUnavailable):  # its broker has just started; the next look tries again
            bounds = self._reader.fetch_bounds(self._topic, recovered)
            self._reader.add_partitions(self._topic, {p: b.low for p, b in bounds.items()})
            self._note_searched(bounds)
            for partition in bounds:
                del self.searched.unavailable[partition]

    def _note_another_topic(self, partition_count: int) -> None:
        """Note that the topic was deleted and created again, and that all partitions of the new one are read."""
        self.searched.what = f"topic {self._topic} of {self._reader.cluster.name}, deleted and created again meanwhile"
        self.searched.partition_count = partition_count
        self.searched.partitions = list(range(partition_count))
        self.searched.log_begins.clear()
        self.searched.unavailable.clear()
        self._awaiting_first_record.clear()
