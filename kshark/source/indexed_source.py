"""A topic as a source that reads of a session only what lies between its ends, where a catalogue knows them."""

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from agentlog.cli import chosen_cluster
from agentlog.cli import opened as opened_source
from agentlog.event.event import Place, Record, Unreadable
from agentlog.event.position import Span
from agentlog.log.admin import Identification
from agentlog.log.offset_range_reader import Stretch
from agentlog.log.reader import Bounds, KafkaReader
from agentlog.log.source import Found, Source
from agentlog.log.topic_source import TopicSource
from agentlog.session.coverage import Searched

from ..catalogue.files import folder, path_of
from ..wanted import Wanted
from .lookup import Known, known

_log = logging.getLogger("agentlog.catalogue")


@contextmanager
def opened(wanted: Wanted) -> Iterator[Source]:
    """The source of a session.

    Raises:
        UsageError: both a file and a cluster.
    """
    of_file = wanted.where.file is not None
    with opened_source(wanted.where) if of_file else opened_topic(wanted) as source:
        yield source


@contextmanager
def opened_topic(wanted: Wanted) -> Iterator[TopicSource]:
    """The topic that a session is in."""
    cluster, topic, partitioner = chosen_cluster(wanted.where)
    everywhere = wanted.where.all_partitions
    with KafkaReader(cluster) as reader:
        of_topic = KnownTopic if wanted.catalogue and not everywhere else TopicSource
        yield of_topic(reader, topic, partitioner, everywhere)


class KnownTopic(TopicSource):
    """A topic of whose sessions a catalogue may know where they lie."""

    def records(self, session_id: str, span: Span) -> Iterator[Found]:
        """The session's records; a part of it, or one that the catalogue doesn't know well, is read as without it."""
        found = self._by_catalogue(session_id) if not any(span) else None
        yield from super().records(session_id, span) if found is None else found

    def _by_catalogue(self, session_id: str) -> Iterator[Found] | None:
        told = self._told(session_id)
        if told is None:
            return None
        count = self.searched.partition_count
        partitions = {*self._likely(session_id, count, Span()), *told.lays}
        bounds = self._reader.bounds(self._topic, sorted(partitions & set(range(count))))
        if not _fits(told, bounds):
            return None
        self.searched.catalogue = str(told.path)
        self._searching(bounds)
        self._see_beginnings(told, bounds)
        lying = list(self._lying(session_id, told))
        if sum(isinstance(found, Record) for found in lying) != told.records:
            _log.info("the log isn't as the catalogue %s says, so it is read without it", told.path)
            self.searched = Searched(self.searched.what)
            return None
        return chain(lying, self._unreadable(told, bounds), self._since(session_id, told, bounds))

    def _told(self, session_id: str) -> Known | None:
        if not folder().is_dir():
            return None
        asked = Identification(self._reader.cluster, self._topic, self._reader.timeout_s)
        self.searched.partition_count = self._reader.partition_count(self._topic)
        identity = asked.answer()
        return _known(path_of(identity), session_id) if identity is not None else None

    def _see_beginnings(self, told: Known, bounds: Mapping[int, Bounds]) -> None:
        """Where the log begins in partitions whose first records are deleted: it tells whether the session's are."""
        lows = {p: b.low for p, b in bounds.items() if b.low}
        self._first = set(lows)
        elsewhere = {p: low for p, low in lows.items() if p not in told.lays or told.lays[p][0] > low}
        ends = {p: low + 1 for p, low in elsewhere.items()}
        for batch in Stretch(self._reader, self._topic, elsewhere, ends).within():
            self._note(batch)

    def _lying(self, session_id: str, told: Known) -> Iterator[Found]:
        """What lies between the session's first and last record."""
        starts = {p: first for p, (first, _) in told.lays.items()}
        return self._between(session_id, starts, {p: last + 1 for p, (_, last) in told.lays.items()}, Span())

    def _since(self, session_id: str, told: Known, bounds: Mapping[int, Bounds]) -> Iterator[Found]:
        """What came since the catalogue was written."""
        starts = {p: told.marks[p].position if p in told.marks else b.low for p, b in bounds.items()}
        return self._between(session_id, starts, {p: b.high for p, b in bounds.items()}, Span())

    def _unreadable(self, told: Known, bounds: Mapping[int, Bounds]) -> Iterator[Unreadable]:
        """What the catalogue knows to be unreadable, and isn't read again."""
        for partition, offset, reason, _ in told.unreadable:
            first, last = told.lays.get(partition, (0, -1))
            if partition in bounds and offset >= bounds[partition].low and not first <= offset <= last:
                self.searched.unreadable += 1
                place = Place(self._topic, partition, offset)
                yield Unreadable(place.where, place, reason)


def _known(path: Path, session_id: str) -> Known | None:
    try:
        return known(path, session_id) if path.is_file() else None
    except sqlite3.Error as error:
        _log.info("the catalogue %s can't be used: %s", path, error)
        return None


def _fits(told: Known, bounds: Mapping[int, Bounds]) -> bool:
    """Whether the log still holds what the catalogue read of it."""
    lays = told.lays.items()
    read = all(mark.position <= bounds[p].high for p, mark in told.marks.items() if p in bounds)
    return read and all(p in bounds and bounds[p].low <= first <= last < bounds[p].high for p, (first, last) in lays)
