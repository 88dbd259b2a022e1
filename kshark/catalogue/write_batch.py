"""Records that were read and aren't kept yet, added up to what is known of their sessions."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agentlog.event.partial_decode import PartialEvent
from agentlog.session.accumulator import SessionAccumulator
from agentlog.session.summary import Summary

from .store import PartitionProgress, Store, UnreadableEntry

MAX_BATCH_RECORDS = 50_000
"""So many records are added up in memory before they are kept."""

LocatedEvent = tuple[PartialEvent, int, int]
"""An event, its partition and its offset."""


class ConcurrentUpdate(Exception):
    """Somebody else has read on meanwhile, and kept what was found."""


class WriteBatch:
    """What was read since the store was last written."""

    def __init__(self, store: Store) -> None:
        self.records = 0
        self.unreadable: list[UnreadableEntry] = []
        self._store = store
        self._sessions: dict[str, SessionAccumulator] = {}

    def add(self, events: Iterable[LocatedEvent]) -> None:
        """Add up events; a session's earlier ones are taken from the store."""
        events = list(events)
        self.records += len(events)
        sessions = self._sessions
        if missing := {glance.session_id for glance, _, _ in events} - sessions.keys():
            sessions.update({session_id: SessionAccumulator(session_id) for session_id in missing})
            sessions.update(self._store.load_accumulators(missing))
        for glance, partition, offset in events:
            sessions[glance.session_id].add(glance, partition, offset)

    def commit(self) -> None:
        """Write all of it into the store."""
        sessions = list(self._finalize_sessions())
        with self._store.transaction():
            self._store_sessions(sessions)

    def commit_if_unchanged(
        self, expected: Mapping[int, PartitionProgress], new: Mapping[int, PartitionProgress]
    ) -> None:
        """Write all of it into the store, for which partitions were read from ``expected`` to ``new``.

        Raises:
            Outrun: somebody else has read on meanwhile, and kept what was found.
        """
        sessions = list(self._finalize_sessions())
        with self._store.transaction():
            if self._store.read_progress() != expected:
                raise ConcurrentUpdate
            self._store_sessions(sessions)
            self._store.write_progress(new)

    def _store_sessions(self, sessions: Iterable[tuple[SessionAccumulator, Summary | None]]) -> None:
        self._store.put_sessions(sessions)
        self._store.put_unreadable(self.unreadable)

    def _finalize_sessions(self) -> Iterator[tuple[SessionAccumulator, Summary | None]]:
        """The sessions that were added to, each with its row where that is sure."""
        for sums in self._sessions.values():
            sums.finalize()
            yield pair_with_summary(sums)


def merge_from(store: Store, path: Path, expected: dict[int, PartitionProgress]) -> dict[int, PartitionProgress]:
    """How far each partition has been read, once all that the store at ``path`` knows is kept in ``store`` too.

    Raises:
        Outrun: somebody else has read on meanwhile, and kept what was found.
    """
    with store.transaction_with_other(path):
        if store.read_progress() != expected:
            raise ConcurrentUpdate
        other_progress = {
            p: PartitionProgress(expected[p].low, mark.position) for p, mark in store.read_progress_of_other().items()
        }
        merged = [ours.merge(theirs) for ours, theirs in store.load_shared_sessions()]
        store.copy_from_other()
        store.put_sessions(map(pair_with_summary, merged))
        store.write_progress(other_progress)
    return {**expected, **other_progress}


def pair_with_summary(accumulator: SessionAccumulator) -> tuple[SessionAccumulator, Summary | None]:
    """What has to be kept of settled sums, and their row where it is sure."""
    return (without_totals(accumulator) if accumulator.doubt else accumulator), accumulator.summarize()


def without_totals(accumulator: SessionAccumulator) -> SessionAccumulator:
    """What has to be kept of sums that are in doubt."""
    return SessionAccumulator(accumulator.session_id, doubt=True, records=accumulator.records, lays=accumulator.lays)
