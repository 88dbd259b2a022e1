"""Read-only lookups in a catalogue, which never create or change it and never wait for a writer."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from agentlog.event.record_key import ENCODINGS

from ..catalogue.store import (
    SCHEMA_VERSION,
    PartitionProgress,
    UnreadableEntry,
    query_about,
    query_other_keys,
    query_progress,
)


class IndexEntry(NamedTuple):
    """A session's offsets, and how far the catalogue has read the log.

    Attributes:
        path: the catalogue's file.
        records: the number of the session's records, copies included.
        ranges: the offsets of the session's first and last record, by partition.
        progress: how far each partition of the topic was read.
        has_other_keys: whether the topic holds events whose keys aren't their sessions' ids.
    """

    path: Path
    records: int
    ranges: Mapping[int, tuple[int, int]]
    progress: Mapping[int, PartitionProgress]
    has_other_keys: bool


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
        return IndexEntry(
            path,
            row[0],
            {partition: (first, last) for partition, first, last in ranges},
            query_progress(db),
            query_other_keys(db),
        )


def find_unreadable(entry: IndexEntry, session_id: str, keys: Iterable[bytes | None]) -> list[UnreadableEntry]:
    """Return the records up to the entry's progress that are no events and may belong to a session.

    These are the ones without a key, with the session's id in their key, or with one of ``keys``.

    Raises:
        sqlite3.Error: the catalogue can't be used.
    """
    ids = [session_id.encode(encoding, errors="replace") for encoding in ("utf-8", *ENCODINGS)]
    keys_json = msgspec.json.encode([key.hex().upper() for key in keys if key is not None]).decode()
    holds_id = " OR ".join('instr("key", ?)' for _ in ids)
    query = f"""
        SELECT * FROM unreadable
        WHERE "key" IS NULL OR {holds_id} OR hex("key") IN (SELECT value FROM json_each(?))
        ORDER BY partition, "offset"
    """  # noqa: S608  our own names
    with _open_read_only(entry.path) as db:
        found = list(map(UnreadableEntry._make, db.execute(query, [*ids, keys_json])))
    return [
        each
        for each in found
        if each.partition in entry.progress and each.offset < entry.progress[each.partition].position
    ]


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
