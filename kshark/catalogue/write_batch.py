"""A batch of records that are added up in memory before they are written to a catalogue."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agentlog.event.partial_decode import PartialEvent
from agentlog.session.accumulator import SessionAccumulator
from agentlog.session.summary import Summary

from .store import PartitionProgress, Store, UnreadableEntry

MAX_BATCH_RECORDS, MAX_BATCH_SESSIONS = 500_000, 120_000
"""A batch with so many records or sessions is written. They take about 70 bytes a record and 2 KB a session.

Where all sessions run at once, each batch reads and writes each session again, so batches are large.
"""

LocatedEvent = tuple[PartialEvent, int, int]
"""An event, its partition and its offset."""


class ConcurrentUpdate(Exception):
    """Another process has read further and written what it found."""


class WriteBatch:
    """The records since the store was last written, added up by session.

    Attributes:
        unreadable: the records that are no events.
        partitions_with_other_keys: the partitions that hold an event whose key isn't its session's id.
    """

    def __init__(self, store: Store) -> None:
        self.records = 0
        self.unreadable: list[UnreadableEntry] = []
        self.partitions_with_other_keys: set[int] = set()
        self._store = store
        self._sessions: dict[str, SessionAccumulator] = {}

    @property
    def is_full(self) -> bool:
        """Whether the batch has to be written, to bound its memory."""
        return self.records >= MAX_BATCH_RECORDS or len(self._sessions) >= MAX_BATCH_SESSIONS

    def add(self, events: Iterable[LocatedEvent]) -> None:
        """Add events to the sums of their sessions; earlier sums come from the store."""
        events = list(events)
        self.records += len(events)
        sessions = self._sessions
        if missing := {event.session_id for event, _, _ in events if event.session_id not in sessions}:
            sessions.update({session_id: SessionAccumulator(session_id) for session_id in missing})
            sessions.update(self._store.load_accumulators(missing))
        for event, partition, offset in events:
            sessions[event.session_id].add(event, partition, offset)

    def commit(self) -> None:
        """Write the batch into the store."""
        sessions = list(self._finalize_sessions())
        with self._store.transaction():
            self._store_sessions(sessions)

    def commit_if_unchanged(
        self, expected: Mapping[int, PartitionProgress], new: Mapping[int, PartitionProgress]
    ) -> None:
        """Write the batch and the ``new`` progress into the store, if its progress is still ``expected``.

        Raises:
            ConcurrentUpdate: another process has read further and written what it found.
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
        self._store.put_other_keys(self.partitions_with_other_keys)

    def _finalize_sessions(self) -> Iterator[tuple[SessionAccumulator, Summary | None]]:
        """Yield the sums of the batch's sessions, each with its row if the sums are certain."""
        for sums in self._sessions.values():
            sums.finalize()
            yield pair_with_summary(sums)


def merge_from(store: Store, path: Path, expected: dict[int, PartitionProgress]) -> dict[int, PartitionProgress]:
    """Copy what the store at ``path`` knows into ``store`` and return how far each partition has been read.

    Raises:
        ConcurrentUpdate: another process has read further and written what it found.
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
    """Return finalized sums as they are stored, and their row, or None if the sums are in doubt."""
    return (without_totals(accumulator) if accumulator.doubt else accumulator), accumulator.summarize()


def without_totals(accumulator: SessionAccumulator) -> SessionAccumulator:
    """Return sums in doubt as they are stored: the number of records and their ranges."""
    return SessionAccumulator(accumulator.session_id, doubt=True, records=accumulator.records, lays=accumulator.lays)
