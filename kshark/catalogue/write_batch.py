"""Records that were read and aren't kept yet, added up to what is known of their sessions."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agentlog.event.partial_decode import Glance
from agentlog.session.accumulator import Sums
from agentlog.session.summary import Summary

from .store import Mark, Store, Unread

CHUNK = 50_000
"""So many records are added up in memory before they are kept."""

Found = tuple[Glance, int, int]
"""An event, its partition and its offset."""


class Outrun(Exception):
    """Somebody else has read on meanwhile, and kept what was found."""


class Chunk:
    """What was read since the store was last written."""

    def __init__(self, store: Store) -> None:
        self.records = 0
        self.unreadable: list[Unread] = []
        self._store = store
        self._sessions: dict[str, Sums] = {}

    def add(self, batch: Iterable[Found]) -> None:
        """Add up events; a session's earlier ones are taken from the store."""
        batch = list(batch)
        self.records += len(batch)
        sessions = self._sessions
        if missing := {glance.session_id for glance, _, _ in batch} - sessions.keys():
            sessions.update({session_id: Sums(session_id) for session_id in missing})
            sessions.update(self._store.load(missing))
        for glance, partition, offset in batch:
            sessions[glance.session_id].add(glance, partition, offset)

    def keep(self) -> None:
        """Write all of it into the store."""
        sessions = list(self._settled())
        with self._store.changing():
            self._put(sessions)

    def keep_between(self, before: Mapping[int, Mark], after: Mapping[int, Mark]) -> None:
        """Write all of it into the store, for which partitions were read from ``before`` to ``after``.

        Raises:
            Outrun: somebody else has read on meanwhile, and kept what was found.
        """
        sessions = list(self._settled())
        with self._store.changing():
            if self._store.marks() != before:
                raise Outrun
            self._put(sessions)
            self._store.put_marks(after)

    def _put(self, sessions: Iterable[tuple[Sums, Summary | None]]) -> None:
        self._store.put(sessions)
        self._store.put_unreadable(self.unreadable)

    def _settled(self) -> Iterator[tuple[Sums, Summary | None]]:
        """The sessions that were added to, each with its row where that is sure."""
        for sums in self._sessions.values():
            sums.settle()
            yield with_row(sums)


def taken_over(store: Store, path: Path, before: dict[int, Mark]) -> dict[int, Mark]:
    """How far each partition has been read, once all that the store at ``path`` knows is kept in ``store`` too.

    Raises:
        Outrun: somebody else has read on meanwhile, and kept what was found.
    """
    with store.changing_with(path):
        if store.marks() != before:
            raise Outrun
        read = {p: Mark(before[p].low, mark.position) for p, mark in store.marks_of_other().items()}
        joined = [ours.joined(theirs) for ours, theirs in store.known_to_both()]
        store.copy_other()
        store.put(map(with_row, joined))
        store.put_marks(read)
    return {**before, **read}


def with_row(sums: Sums) -> tuple[Sums, Summary | None]:
    """What has to be kept of settled sums, and their row where it is sure."""
    return (doubted(sums) if sums.doubt else sums), sums.summary()


def doubted(sums: Sums) -> Sums:
    """What has to be kept of sums that are in doubt."""
    return Sums(sums.session_id, doubt=True, records=sums.records, lays=sums.lays)
