"""A topic with a catalogue, which says at which offsets a session is, so that nothing else is read."""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from agentlog.event.event import Place, Record, Unreadable
from agentlog.event.position import PositionRange
from agentlog.log.admin import TopicIdentityRequest
from agentlog.log.offset_range_reader import OffsetRangeReader
from agentlog.log.open_source import choose_cluster, open_source
from agentlog.log.reader import Bounds, KafkaReader
from agentlog.log.session_filter import SessionFilter
from agentlog.log.source import RecordOrUnreadable, Source
from agentlog.log.topic_source import TopicSource
from agentlog.session.coverage import SearchReport

from ..catalogue.files import locate_catalogue, locate_catalogue_folder
from .lookup import IndexEntry, find_session, find_unreadable
from .session_request import SessionRequest

_log = logging.getLogger("agentlog.catalogue")


@contextmanager
def open_session_source(request: SessionRequest) -> Iterator[Source]:
    """Open the source of a session.

    Raises:
        UsageError: a file and a cluster are both given.
    """
    is_file = request.source.file is not None
    with open_source(request.source) if is_file else open_topic(request) as source:
        yield source


@contextmanager
def open_topic(request: SessionRequest) -> Iterator[TopicSource]:
    """Open the topic of a session."""
    cluster, topic, partitioner = choose_cluster(request.source)
    all_partitions = request.source.all_partitions
    with KafkaReader(cluster) as reader:
        source_type = IndexedTopic if request.use_catalogue and not all_partitions else TopicSource
        yield source_type(reader, topic, partitioner, all_partitions)


class IndexedTopic(TopicSource):
    """A topic that looks up a session's offsets in the catalogue, if there is one."""

    def records(self, session_id: str, position_range: PositionRange) -> Iterator[RecordOrUnreadable]:
        """Yield the session's records; without a usable catalogue, or for a range, as `TopicSource` does."""
        indexed_records = self._read_indexed(session_id) if not any(position_range) else None
        yield from super().records(session_id, position_range) if indexed_records is None else indexed_records

    def _read_indexed(self, session_id: str) -> Iterator[RecordOrUnreadable] | None:
        entry = self._find_entry(session_id)
        if entry is None:
            return None
        self._filter = SessionFilter(session_id, self.searched, has_other_keys=entry.has_other_keys)
        count = self.searched.partition_count
        known_partitions = {*self._choose_partitions(session_id, count, PositionRange()), *entry.ranges}
        partitions = set(range(count)) if entry.has_other_keys else known_partitions & set(range(count))
        bounds = self._reader.fetch_bounds(self._topic, sorted(partitions))
        self.searched.unavailable = dict(self._reader.unavailable)
        if not _is_still_valid(entry, bounds):
            return None
        self.searched.catalogue = str(entry.path)
        self._note_searched(bounds)
        self._read_log_starts(entry, bounds)
        session_records = list(self._read_session_range(entry))
        if sum(isinstance(item, Record) for item in session_records) != entry.records:
            _log.info("the log differs from the catalogue %s, so it is read without it", entry.path)
            self.searched = SearchReport(self.searched.what)
            return None
        return chain(session_records, self._list_unreadable(entry, bounds), self._read_newer_records(entry, bounds))

    def _find_entry(self, session_id: str) -> IndexEntry | None:
        folder = locate_catalogue_folder()
        if folder is None or not os.path.isdir(folder):  # noqa: PTH112  Path.is_dir raises for a home that can't be read
            return None
        identification = TopicIdentityRequest(self._reader.cluster, self._topic, self._reader.timeout_s)
        self.searched.partition_count = self._reader.partition_count(self._topic)
        identity = identification.wait_for_identity()
        path = locate_catalogue(identity) if identity is not None else None
        return _find_indexed_session(path, session_id) if path is not None else None

    def _read_log_starts(self, entry: IndexEntry, bounds: Mapping[int, Bounds]) -> None:
        """Read the first record of each trimmed partition, which shows if the session's beginning may be deleted."""
        log_starts = {p: b.low for p, b in bounds.items() if b.low}
        self._awaiting_first_record = set(log_starts)
        starts = {p: low for p, low in log_starts.items() if p not in entry.ranges or entry.ranges[p][0] > low}
        ends = {p: low + 1 for p, low in starts.items()}
        for batch in OffsetRangeReader(self._reader, self._topic, starts, ends).read_to_end():
            self._note_log_begins(batch)

    def _read_session_range(self, entry: IndexEntry) -> Iterator[RecordOrUnreadable]:
        """Yield the session's records between its first and last offset."""
        starts = {p: first for p, (first, _) in entry.ranges.items()}
        yield from self._read_range(starts, {p: last + 1 for p, (_, last) in entry.ranges.items()}, PositionRange())
        self._unchecked_ranges.clear()  # the catalogue knows the keys of what it has read

    def _read_newer_records(self, entry: IndexEntry, bounds: Mapping[int, Bounds]) -> Iterator[RecordOrUnreadable]:
        """Yield the session's records that are newer than the catalogue."""
        yield from self._read_range(*_get_newer_ranges(entry, bounds), PositionRange())
        other_partitions = [p for p in range(self.searched.partition_count) if p not in bounds]
        if self._filter.has_other_keys and other_partitions:
            other_bounds = self._reader.fetch_bounds(self._topic, other_partitions)
            self._note_searched(other_bounds)
            yield from self._read_range(*_get_newer_ranges(entry, other_bounds), PositionRange())
        yield from self._read_passed_over(PositionRange())

    def _list_unreadable(self, entry: IndexEntry, bounds: Mapping[int, Bounds]) -> Iterator[Unreadable]:
        """Yield the unreadable records that the catalogue knows and that aren't read again."""
        try:
            unreadable = find_unreadable(entry, self._filter.session_id, self.searched.keys)
        except sqlite3.Error as error:
            _log.warning("the unreadable records in the catalogue %s can't be told: %s", entry.path, error)
            return
        for partition, offset, reason, _ in unreadable:
            first, last = entry.ranges.get(partition, (0, -1))
            if partition in bounds and offset >= bounds[partition].low and not first <= offset <= last:
                self.searched.unreadable += 1
                place = Place(self._topic, partition, offset)
                yield Unreadable(place.where, place, reason)


def _find_indexed_session(path: Path, session_id: str) -> IndexEntry | None:
    try:
        return find_session(path, session_id) if path.is_file() else None
    except sqlite3.Error as error:
        _log.info("the catalogue %s can't be used: %s", path, error)
        return None


def _get_newer_ranges(entry: IndexEntry, bounds: Mapping[int, Bounds]) -> tuple[dict[int, int], dict[int, int]]:
    """Return where what is newer than the catalogue begins and ends in each partition."""
    starts = {p: entry.progress[p].position if p in entry.progress else b.low for p, b in bounds.items()}
    return starts, {p: b.high for p, b in bounds.items()}


def _is_still_valid(entry: IndexEntry, bounds: Mapping[int, Bounds]) -> bool:
    """Return whether the log still holds the offsets that the catalogue has read."""
    ranges = entry.ranges.items()
    has_read_positions = all(mark.position <= bounds[p].high for p, mark in entry.progress.items() if p in bounds)
    return has_read_positions and all(
        p in bounds and bounds[p].low <= first <= last < bounds[p].high for p, (first, last) in ranges
    )
