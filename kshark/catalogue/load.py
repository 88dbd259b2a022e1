"""The sessions of a source: a topic's catalogue, brought up to date, or the index of a capture file."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentlog.event.event import Place, Unreadable
from agentlog.log.admin import TopicIdentityRequest
from agentlog.log.open_source import check_file_alone, choose_cluster, load_user_settings
from agentlog.log.reader import KafkaReader
from agentlog.session.coverage import SearchReport
from agentlog.settings.clusters import BOOTSTRAP
from agentlog.terminal.options import SourceOptions
from agentlog.terminal.progress import show_progress
from agentlog.text.coverage_text import progress_text

from .coverage import CatalogueCoverage
from .files import delete_catalogue, locate_catalogue, open_catalogue
from .partition_bounds import fetch_all_bounds
from .store import PartitionProgress, Store

_log = logging.getLogger("agentlog.catalogue")


@dataclass(frozen=True)
class SessionList:
    """All sessions of a source, in a store that a query can select from."""

    store: Store
    coverage: CatalogueCoverage
    _place_format: str

    def list_unreadable(self, limit: int | None = None) -> Iterator[Unreadable]:
        """Yield the records that are no events, at most ``limit``."""
        for partition, offset, reason, _ in self.store.list_unreadable(limit):
            yield Unreadable(self._place_format.format(partition, offset), Place(None, partition, offset), reason)

    def count_unreadable(self) -> Iterator[tuple[Unreadable, int]]:
        """Yield the first record that is no event for each reason, and how many there are for it."""
        for (partition, offset, reason, _), count in self.store.count_unreadable_by_reason():
            place = Place(None, partition, offset)
            yield Unreadable(self._place_format.format(partition, offset), place, reason), count


@contextmanager
def load_sessions(source_options: SourceOptions, use_catalogue: bool) -> Iterator[SessionList]:
    """Load the sessions of the source that the user named.

    Raises:
        AgentlogError: the source can't be read.
    """
    if source_options.file is not None:
        check_file_alone(source_options)
        load_user_settings()
        with Store() as store:
            yield _load_from_file(source_options.file, store)
        return
    cluster, topic, _ = choose_cluster(source_options)
    with KafkaReader(cluster) as reader:
        identification = TopicIdentityRequest(cluster, topic, reader.timeout_s) if use_catalogue else None
        reader.partition_count(topic)
        identity = identification.wait_for_identity() if identification is not None else None
        with _load_by_catalogue(reader, topic, locate_catalogue(identity) if identity else None) as session_list:
            yield session_list


@contextmanager
def _load_by_catalogue(reader: KafkaReader, topic: str, path: Path | None) -> Iterator[SessionList]:
    """Load a topic's sessions with the catalogue at ``path``, or from the log alone if the catalogue can't be used."""
    with open_catalogue(path) as store:
        session_list = _try_load(reader, topic, store)
        if session_list is not None:
            yield session_list
            return
    with open_catalogue(None) as store:
        yield _load_from_topic(reader, topic, store)


def _try_load(reader: KafkaReader, topic: str, store: Store) -> SessionList | None:
    """Bring a catalogue up to date; return None if that fails. A damaged one is deleted, so the next run creates it."""
    try:
        return _load_from_topic(reader, topic, store)
    except sqlite3.OperationalError as error:  # locked, or the disk is full: its content is still good
        if store.path is None:
            raise
        _log.warning("the catalogue %s can't be used, so the log is read without it: %s", store.path, error)
    except sqlite3.DatabaseError as error:
        if store.path is None:
            raise
        _log.warning("the catalogue %s is damaged, so the log is read without it: %s", store.path, error)
        delete_catalogue(store.path)
    return None


def _load_from_topic(reader: KafkaReader, topic: str, store: Store) -> SessionList:
    searched = SearchReport(f"topic {topic} of {reader.cluster.name}")
    if not _is_current(reader, topic, store):
        _update(reader, topic, store, searched)
    about = {"bootstrap.servers": reader.cluster.properties[BOOTSTRAP], "topic": topic}
    if not about.items() <= store.read_about().items():
        with store.transaction():
            store.write_about(about)
    unavailable = dict(reader.unavailable)
    partition_progress, unreadable = store.read_progress(), store.count_unreadable()
    records = store.count_records() + unreadable
    coverage = CatalogueCoverage(
        source=searched.what,
        partition_count=len(partition_progress),
        records=records,
        new_records=searched.records,
        unreadable=unreadable,
        missing_offsets=sum(mark.position - mark.low for mark in partition_progress.values()) - records,
        trimmed=tuple(p for p, mark in partition_progress.items() if mark.low),
        catalogue=str(store.path) if store.path else None,
        unavailable=unavailable,
    )
    return SessionList(store, coverage, topic + "[{}]@{}")


def _is_current(reader: KafkaReader, topic: str, store: Store) -> bool:
    """Whether the store knows all that the log holds, and nothing else."""
    known = store.read_progress()
    bounds = fetch_all_bounds(reader, topic, known)
    progress = {partition: PartitionProgress(*each) for partition, each in bounds.items()}
    return known == progress and not store.load_sessions_to_recompute()


def _update(reader: KafkaReader, topic: str, store: Store, searched: SearchReport) -> None:
    """Bring a catalogue up to date. What that needs is loaded only here, because loading it takes 50 ms."""
    from .recompute import group_sessions, reread_sessions, store_recomputed  # noqa: PLC0415
    from .update import CatalogueUpdate  # noqa: PLC0415

    with show_progress(lambda: progress_text(searched)):
        CatalogueUpdate(reader, topic, store, searched).run()
        while to_recompute := store.load_sessions_to_recompute():
            for group in group_sessions(to_recompute):
                records = reread_sessions(reader, topic, group, has_other_keys=store.has_other_keys())
                store_recomputed(store, group, records)


def _load_from_file(path: str, store: Store) -> SessionList:
    from agentlog.log.capture_file import format_file_name  # noqa: PLC0415  as above

    from .capture_index import CaptureIndexer  # noqa: PLC0415
    from .recompute import group_sessions, store_recomputed  # noqa: PLC0415

    searched = SearchReport(format_file_name(path))
    with show_progress(lambda: progress_text(searched)), CaptureIndexer(path, searched) as indexer:
        indexer.index_into(store)
        while to_recompute := store.load_sessions_to_recompute():
            for group in group_sessions(to_recompute):
                store_recomputed(store, group, indexer.read_records(group))
    unreadable = store.count_unreadable()
    coverage = CatalogueCoverage(
        searched.what, 0, store.count_records() + unreadable, searched.records, unreadable, 0, (), None
    )
    return SessionList(store, coverage, searched.what.replace("{", "{{").replace("}", "}}") + ":{1}")
