"""A catalogue that is only asked: neither made nor changed, and nobody who writes it is waited for."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from ..catalogue.store import SCHEMA_VERSION, PartitionProgress, UnreadableEntry, query_about, query_progress


class IndexEntry(NamedTuple):
    """Where a session lies, and how far the log is known.

    Attributes:
        path: of the catalogue that says so.
        records: how many it has, copies included.
        ranges: the offsets of its first and its last record, of each partition that has any.
        progress: how far each partition of the topic was read.
        unreadable: records that are no events and may be this session's.
    """

    path: Path
    records: int
    ranges: Mapping[int, tuple[int, int]]
    progress: Mapping[int, PartitionProgress]
    unreadable: Sequence[UnreadableEntry]


@contextmanager
def _open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """One state of the catalogue at ``path``, whatever is written meanwhile."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as db:
        db.execute("BEGIN")
        if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            raise sqlite3.DatabaseError("it is of another schema")
        yield db


def find_session(path: Path, session_id: str) -> IndexEntry | None:
    """What the catalogue at ``path`` says of a session; None where it doesn't know it, or not for sure.

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
    """What the catalogue at ``path`` says of itself.

    Raises:
        sqlite3.Error: it can't be used.
    """
    with _open_read_only(path) as db:
        return query_about(db)


def list_recent_sessions(path: Path, prefix: str, limit: int) -> list[str]:
    """The sessions that the catalogue at ``path`` knows and whose ids begin with ``prefix``, the newest first.

    Raises:
        sqlite3.Error: it can't be used.
    """
    query = "SELECT session_id FROM sessions WHERE sure AND substr(session_id, 1, ?) = ? ORDER BY started DESC LIMIT ?"
    with _open_read_only(path) as db:
        return [session_id for (session_id,) in db.execute(query, [len(prefix), prefix, limit])]
