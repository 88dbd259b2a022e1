"""Read-only lookups in a catalogue, which never create or change it and never wait for a writer."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from ..catalogue.store import SCHEMA_VERSION, PartitionProgress, UnreadableEntry, query_about, query_progress


class IndexEntry(NamedTuple):
    """A session's offsets, and how far the catalogue has read the log.

    Attributes:
        path: the catalogue's file.
        records: the number of the session's records, copies included.
        ranges: the offsets of the session's first and last record, by partition.
        progress: how far each partition of the topic was read.
        unreadable: records that are no events and may belong to this session.
    """

    path: Path
    records: int
    ranges: Mapping[int, tuple[int, int]]
    progress: Mapping[int, PartitionProgress]
    unreadable: Sequence[UnreadableEntry]


@contextmanager
def _open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a snapshot of the catalogue at ``path``, which writers don't change."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as db:
        db.execute("BEGIN")
        if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            raise sqlite3.DatabaseError("it has another schema")
        yield db


def find_session(path: Path, session_id: str) -> IndexEntry | None:
    """Return what the catalogue at ``path`` knows of a session; None if it doesn't know the session, or not for sure.

    Raises:
        sqlite3.Error: the catalogue can't be used.
    """
    with _open_read_only(path) as db:
        row = db.execute("SELECT records FROM sessions WHERE sure AND session_id = ?", [session_id]).fetchone()
        if row is None:
            return None
        ranges = db.execute("SELECT partition, first, last FROM lays WHERE session_id = ?", [session_id])
        unreadable = db.execute('SELECT * FROM unreadable WHERE "key" IS NULL OR "key" = ?', [session_id.encode()])
        return IndexEntry(
            path,
            row[0],
            {partition: (first, last) for partition, first, last in ranges},
            query_progress(db),
            list(map(UnreadableEntry._make, unreadable)),
        )


def read_about(path: Path) -> dict[str, str]:
    """Return the names and values that describe the catalogue at ``path``.

    Raises:
        sqlite3.Error: it can't be used.
    """
    with _open_read_only(path) as db:
        return query_about(db)


def list_recent_sessions(path: Path, prefix: str, limit: int) -> list[str]:
    """List the ids in the catalogue at ``path`` that begin with ``prefix``, the newest session first.

    Raises:
        sqlite3.Error: it can't be used.
    """
    query = "SELECT session_id FROM sessions WHERE sure AND substr(session_id, 1, ?) = ? ORDER BY started DESC LIMIT ?"
    with _open_read_only(path) as db:
        return [session_id for (session_id,) in db.execute(query, [len(prefix), prefix, limit])]
