"""The SQLite file of a catalogue, which several processes may use at the same time."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import msgspec

from agentlog.event.event import PLAUSIBLE_MS
from agentlog.session.summary import Summary

from .text import has_words

if TYPE_CHECKING:
    from agentlog.session.accumulator import SessionAccumulator

SCHEMA_VERSION = 7
BUSY_TIMEOUT_S = 20.0
"""How long to wait for another process's transaction."""

STARTED = f"iif(started >= {PLAUSIBLE_MS[0]}000 AND started < {PLAUSIBLE_MS[1]}000, started, NULL)"
"""When a session started, or null if that can't be. An index has its order."""
_TABLES = f"""
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE partitions (partition INTEGER PRIMARY KEY, low INTEGER NOT NULL, position INTEGER NOT NULL);
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY, sure INTEGER NOT NULL,
    agents TEXT, started INTEGER, ended INTEGER, outcome TEXT, events INTEGER, tool_calls INTEGER, llm_calls INTEGER,
    errors INTEGER, input_tokens INTEGER, output_tokens INTEGER, cost_usd REAL, unpriced INTEGER, tools TEXT,
    records INTEGER, goal TEXT
);
CREATE INDEX sessions_by_start ON sessions ({STARTED} DESC, session_id);
CREATE INDEX sessions_to_recompute ON sessions (session_id) WHERE NOT sure;
CREATE TABLE kept (session_id TEXT PRIMARY KEY, sums BLOB NOT NULL);
CREATE TABLE lays (
    session_id TEXT, partition INTEGER, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (session_id, partition)
) WITHOUT ROWID;
CREATE TABLE unreadable (
    partition INTEGER, "offset" INTEGER, reason TEXT NOT NULL, "key" BLOB, PRIMARY KEY (partition, "offset")
) WITHOUT ROWID;
CREATE TABLE other_keys (partition INTEGER PRIMARY KEY);
"""
_COLUMNS = Summary.__struct_fields__
_to_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


@cache
def _make_decoder() -> "msgspec.msgpack.Decoder[SessionAccumulator]":
    """Make the decoder of sums. A catalogue without new records needs none, and loading it takes 20 ms."""
    from agentlog.session.accumulator import SessionAccumulator  # noqa: PLC0415

    return msgspec.msgpack.Decoder(SessionAccumulator)


def _unpack(sums: bytes) -> "SessionAccumulator":
    return _make_decoder().decode(sums)


class PartitionProgress(NamedTuple):
    """How far a partition has been read: its first offset at that time, and the next offset to read."""

    low: int
    position: int


class UnreadableEntry(NamedTuple):
    """A record that is no event: its position, the reason, and its key. Without a key it may belong to any session."""

    partition: int
    offset: int
    reason: str
    key: bytes | None = None


class Store:
    """The sessions of a topic. Without a path the store is private to this process and deleted at its end.

    Args:
        is_durable: whether the content must survive a crash of the machine.

    Raises:
        sqlite3.Error: the file can't be used; ``DatabaseError`` if it is damaged or has another schema.
    """

    def __init__(self, path: Path | None = None, *, is_durable: bool = True) -> None:
        self.path = path
        self._db = sqlite3.connect(path or "", timeout=BUSY_TIMEOUT_S, isolation_level=None)
        is_durable = is_durable and path is not None
        self._db.execute(f"PRAGMA synchronous = {'NORMAL' if is_durable else 'OFF'}")
        self._db.execute(f"PRAGMA journal_mode = {'WAL' if is_durable else 'MEMORY'}")
        self._db.create_function("has_words", 2, has_words, deterministic=True)
        with self.transaction():
            self._make_tables()

    def _make_tables(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"schema version {version}, and this program's is {SCHEMA_VERSION}")
        if version == 0:
            for statement in filter(str.strip, _TABLES.split(";")):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a transaction, during which no other process can write."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def transaction_with_other(self, path: Path) -> Iterator[None]:
        """Run a transaction in which the store at ``path`` is attached as the schema ``other``."""
        self._db.execute("ATTACH ? AS other", [str(path)])
        try:
            with self.transaction():
                yield
        finally:
            self._db.execute("DETACH other")

    def load_shared_sessions(self) -> "list[tuple[SessionAccumulator, SessionAccumulator]]":
        """Return our sums and those of ``other`` for each session that both know."""
        query = "SELECT ours.sums, theirs.sums FROM kept AS ours JOIN other.kept AS theirs USING (session_id)"
        return [(_unpack(ours), _unpack(theirs)) for ours, theirs in self._db.execute(query)]

    def copy_from_other(self) -> None:
        """Copy all rows of ``other``; they replace our rows of the same sessions."""
        for table in ("sessions", "kept", "lays", "unreadable", "other_keys"):
            self._db.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM other.{table}")  # noqa: S608  our own names

    def require_failure_rules(self, fingerprint: str) -> None:
        """Delete all sessions if they were added up by other rules for what means failed."""
        if self.read_about().get("failed", "") != fingerprint:
            with self.transaction():
                self.clear()
                self.write_about({"failed": fingerprint})

    def read_about(self) -> dict[str, str]:
        """Return the names and values that describe the file."""
        return query_about(self._db)

    def write_about(self, about: Mapping[str, str]) -> None:
        """Write names and values that describe the file."""
        self._db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about.items())

    def clear(self) -> None:
        """Delete all sessions, progress and unreadable records."""
        for table in ("partitions", "sessions", "kept", "lays", "unreadable", "other_keys"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608  our own names

    def read_progress(self) -> dict[int, PartitionProgress]:
        """Return how far each partition has been read."""
        return query_progress(self._db)

    def read_progress_of_other(self) -> dict[int, PartitionProgress]:
        """Return how far ``other`` has read each partition."""
        return query_progress(self._db, "other")

    def write_progress(self, progress: Mapping[int, PartitionProgress]) -> None:
        """Write how far each partition has been read."""
        rows = [(partition, *mark) for partition, mark in progress.items()]
        self._db.executemany("INSERT OR REPLACE INTO partitions VALUES (?, ?, ?)", rows)

    def load_accumulators(self, session_ids: Iterable[str]) -> "dict[str, SessionAccumulator]":
        """Return the sums of those of the sessions that are known, by session id."""
        ids_json = msgspec.json.encode(list(session_ids)).decode()
        query = "SELECT sums FROM json_each(?) JOIN kept ON session_id = value"
        accumulators = [_unpack(blob) for (blob,) in self._db.execute(query, [ids_json])]
        return {sums.session_id: sums for sums in accumulators}

    def put_sessions(self, sessions: "Iterable[tuple[SessionAccumulator, Summary | None]]") -> None:
        """Write sessions: their sums and their rows; without a row, the session is marked for recomputing."""
        sessions = sorted(
            sessions, key=lambda pair: pair[0].session_id
        )  # in the order of its keys, SQLite only appends
        encoded = [(sums.session_id, _pack(sums)) for sums, _ in sessions]
        self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", encoded)
        ranges = [(s.session_id, p, lay.first, lay.last) for s, _ in sessions for p, lay in s.lays.items()]
        self._db.executemany("INSERT OR REPLACE INTO lays VALUES (?, ?, ?, ?)", ranges)
        self._db.executemany(_INSERT_SESSION, [_encode_row(sums.session_id, row) for sums, row in sessions])

    def drop_sessions(self, session_ids: Iterable[str]) -> None:
        """Delete sessions."""
        rows = [(session_id,) for session_id in session_ids]
        for table in ("sessions", "kept", "lays"):
            self._db.executemany(f"DELETE FROM {table} WHERE session_id = ?", rows)  # noqa: S608  our own names

    def load_sessions_to_recompute(self) -> "list[SessionAccumulator]":
        """Return the sums of the sessions whose rows have to be recomputed."""
        query = "SELECT sums FROM kept JOIN sessions USING (session_id) WHERE NOT sure"
        return [_unpack(blob) for (blob,) in self._db.execute(query)]

    def replace_session(self, old: "SessionAccumulator", new: "SessionAccumulator | None", row: Summary | None) -> None:
        """Write a recomputed session, unless another process has changed it since; without ``new``, delete it."""
        # Compared as objects: the bytes of equal sets may differ, because a set has no order.
        if self.load_accumulators([old.session_id]).get(old.session_id) == old:
            self.drop_sessions([old.session_id])
            self.put_sessions([(new, row)] if new is not None else [])

    def find_sessions_before(self, partition: int, offset: int) -> list[str]:
        """Return the sessions that have records before an offset of a partition."""
        query = "SELECT session_id FROM lays WHERE partition = ? AND first < ?"
        return [session_id for (session_id,) in self._db.execute(query, [partition, offset])]

    def put_unreadable(self, entries: Iterable[UnreadableEntry]) -> None:
        """Write records that are no events."""
        self._db.executemany("INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?, ?)", entries)

    def put_other_keys(self, partitions: Iterable[int]) -> None:
        """Note partitions that hold an event whose key isn't its session's id."""
        self._db.executemany("INSERT OR IGNORE INTO other_keys VALUES (?)", [(each,) for each in partitions])

    def has_other_keys(self) -> bool:
        """Whether there is an event whose key isn't its session's id."""
        return query_other_keys(self._db)

    def drop_unreadable(self, partition: int, below_offset: int) -> None:
        """Delete the unreadable records below an offset of a partition."""
        self._db.execute('DELETE FROM unreadable WHERE partition = ? AND "offset" < ?', [partition, below_offset])

    def list_unreadable(self, limit: int | None = None) -> Iterator[UnreadableEntry]:
        """Yield the records that are no events, at most ``limit``."""
        query = 'SELECT * FROM unreadable ORDER BY partition, "offset" LIMIT ?'
        return map(UnreadableEntry._make, self._db.execute(query, [-1 if limit is None else limit]))

    def count_unreadable(self) -> int:
        """Count the records that are no events."""
        return int(self._db.execute("SELECT count(*) FROM unreadable").fetchone()[0])

    def count_unreadable_by_reason(self) -> Iterator[tuple[UnreadableEntry, int]]:
        """Yield the first record that is no event for each reason, and how many there are for it."""
        query = """
            SELECT partition, min("offset"), reason, "key", count(*) FROM unreadable
            GROUP BY partition, reason ORDER BY partition, min("offset")
        """
        return ((UnreadableEntry._make(row[:4]), row[4]) for row in self._db.execute(query))

    def count_records(self) -> int:
        """Count the records of all sessions, copies included."""
        return int(self._db.execute("SELECT ifnull(sum(records), 0) FROM sessions WHERE sure").fetchone()[0])

    def query_rows(
        self, condition: str, order: str, values: Mapping[str, object], limit: int | None = None
    ) -> Iterator[Summary]:
        """Yield the rows that meet an SQL condition, in an SQL order; at most ``limit``."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM sessions WHERE sure AND {condition} ORDER BY {order} LIMIT :limit"  # noqa: S608
        return map(_decode_row, self._db.execute(query, {**values, "limit": -1 if limit is None else limit}))

    def has_name(self, column: Literal["agents", "tools"], name: str) -> bool:
        """Return whether a session has an agent or a tool of this name."""
        query = (
            f"SELECT 1 FROM sessions, json_each(sessions.{column}) AS each "  # noqa: S608  our own names
            f"WHERE sure AND each.{_NAME_PLACES[column]} = ? LIMIT 1"
        )
        return self._db.execute(query, [name.encode(errors="backslashreplace").decode()]).fetchone() is not None

    def list_names(self, column: Literal["agents", "tools"]) -> list[str]:
        """Return the names of all agents or tools, those of the most sessions first."""
        place = f"each.{_NAME_PLACES[column]}"
        query = (
            f"SELECT {place} FROM sessions, json_each(sessions.{column}) AS each "  # noqa: S608  our own names
            f"WHERE sure GROUP BY {place} ORDER BY count(*) DESC, {place}"
        )
        return [str(name) for (name,) in self._db.execute(query)]

    def query_totals(self, expressions: str, condition: str, values: Mapping[str, object]) -> tuple[Any, ...]:
        """Return the values of SQL expressions over the rows that meet an SQL condition."""
        query = f"SELECT {expressions} FROM sessions WHERE sure AND {condition}"  # noqa: S608  written by query.py alone
        return tuple(self._db.execute(query, values).fetchone())


_NAME_PLACES = {"agents": "value", "tools": "key"}
"""Where json_each puts the names of a column."""


def query_about(db: sqlite3.Connection) -> dict[str, str]:
    """Return the names and values that describe a catalogue."""
    return dict(db.execute("SELECT name, value FROM about"))


def query_other_keys(db: sqlite3.Connection) -> bool:
    """Whether a catalogue knows an event whose key isn't its session's id."""
    return db.execute("SELECT 1 FROM other_keys LIMIT 1").fetchone() is not None


def query_progress(db: sqlite3.Connection, schema: str = "main") -> dict[int, PartitionProgress]:
    """Return how far each partition has been read, according to a catalogue."""
    query = f"SELECT * FROM {schema}.partitions"  # noqa: S608  our own names
    return {partition: PartitionProgress(low, position) for partition, low, position in db.execute(query)}


def _encode_row(session_id: str, row: Summary | None) -> tuple[object, ...]:
    if row is None:
        return session_id, False, *(None for _ in _COLUMNS[1:])
    return (
        session_id,
        True,
        _to_json(row.agents).decode(),
        row.started,
        row.ended,
        row.outcome,
        row.events,
        row.tool_calls,
        row.llm_calls,
        row.errors,
        row.input_tokens,
        row.output_tokens,
        row.cost_usd,
        row.unpriced,
        _to_json(row.tools).decode(),
        row.records,
        row.goal,
    )


def _decode_row(row: Sequence[object]) -> Summary:
    values = dict(zip(_COLUMNS, row, strict=True))
    agents, tools = (msgspec.json.decode(str(values[name])) for name in ("agents", "tools"))
    return Summary(**{**values, "agents": tuple(agents), "tools": tools})


_INSERT_SESSION = f"INSERT OR REPLACE INTO sessions VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"  # noqa: S608  marks
