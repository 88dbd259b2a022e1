"""A source's sessions, all of them known: the catalogue brought up to date, or a capture file added up."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentlog.cli import Where, chosen_cluster, file_alone
from agentlog.event.event import Place, Unreadable
from agentlog.log.admin import Identification
from agentlog.log.reader import KafkaReader
from agentlog.session.coverage import Searched
from agentlog.settings.clusters import BOOTSTRAP
from agentlog.terminal.output import progress
from agentlog.text.coverage_text import progress_text

from .capture_index import Lines
from .coverage import Read
from .files import discard, opened, path_of
from .recompute import groups, reread, settle
from .store import Store
from .update import Update

_log = logging.getLogger("agentlog.catalogue")


@dataclass(frozen=True)
class Gathered:
    """All sessions of a source, to be asked."""

    store: Store
    read: Read
    _where: str

    def unreadable(self, most: int | None = None) -> Iterator[Unreadable]:
        """The records that are no events."""
        for partition, offset, reason, _ in self.store.unreadable(most):
            yield Unreadable(self._where.format(partition, offset), Place(None, partition, offset), reason)


@contextmanager
def gathered(where: Where, catalogue: bool) -> Iterator[Gathered]:
    """The sessions of the source that the user named.

    Raises:
        AgentlogError: the source can't be read.
    """
    if where.file is not None:
        file_alone(where)
        with Store() as store:
            yield _from_file(where.file, store)
        return
    cluster, topic, _ = chosen_cluster(where)
    with KafkaReader(cluster) as reader:
        asked = Identification(cluster, topic, reader.timeout_s) if catalogue else None
        reader.partition_count(topic)
        known = asked.answer() if asked is not None else None
        with _kept(reader, topic, path_of(known) if known else None) as found:
            yield found


@contextmanager
def _kept(reader: KafkaReader, topic: str, path: Path | None) -> Iterator[Gathered]:
    """A topic's sessions by the catalogue at ``path``, or by the log alone where that is of no use."""
    with opened(path) as store:
        found = _known(reader, topic, store)
        if found is not None:
            yield found
            return
    with opened(None) as store:
        yield _from_topic(reader, topic, store)


def _known(reader: KafkaReader, topic: str, store: Store) -> Gathered | None:
    """What a catalogue knows, once brought up to date; None where it can't be. A damaged one is made anew next time."""
    try:
        return _from_topic(reader, topic, store)
    except sqlite3.OperationalError as error:  # locked, or no room: nothing is wrong with what it holds
        if store.path is None:
            raise
        _log.warning("the catalogue %s can't be used, so the log is read without it: %s", store.path, error)
    except sqlite3.DatabaseError as error:
        if store.path is None:
            raise
        _log.warning("the catalogue %s is damaged, so the log is read without it: %s", store.path, error)
        discard(store.path)
    return None


def _from_topic(reader: KafkaReader, topic: str, store: Store) -> Gathered:
    searched = Searched(f"topic {topic} of {reader.cluster.name}")
    with progress(lambda: progress_text(searched)):
        Update(reader, topic, store, searched).run()
        while unsure := store.unsure():
            for group in groups(unsure):
                settle(store, group, reread(reader, topic, group))
    with store.changing():
        store.tell({"bootstrap.servers": reader.cluster.properties[BOOTSTRAP], "topic": topic})
    marks, unreadable = store.marks(), store.count_unreadable()
    records = store.records() + unreadable
    read = Read(
        what=searched.what,
        partition_count=len(marks),
        records=records,
        new=searched.records,
        unreadable=unreadable,
        missing_offsets=sum(mark.position - mark.low for mark in marks.values()) - records,
        trimmed=tuple(p for p, mark in marks.items() if mark.low),
        catalogue=str(store.path) if store.path else None,
    )
    return Gathered(store, read, topic + "[{}]@{}")


def _from_file(path: str, store: Store) -> Gathered:
    searched = Searched("standard input" if path == "-" else path)
    with progress(lambda: progress_text(searched)), Lines(path, searched) as lines:
        lines.add_to(store)
        while unsure := store.unsure():
            for group in groups(unsure):
                settle(store, group, lines.records_of(group))
    unreadable = store.count_unreadable()
    read = Read(searched.what, 0, store.records() + unreadable, searched.records, unreadable, 0, (), None)
    return Gathered(store, read, searched.what.replace("{", "{{").replace("}", "}}") + ":{1}")
