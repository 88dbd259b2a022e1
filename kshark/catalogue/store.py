"""The catalogue's file: SQLite, one for each topic of a cluster, shared by whoever asks at the same time."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from agentlog.session.accumulator import Sums
from agentlog.session.summary import Summary

SCHEMA = 2
PATIENCE_S = 20.0
"""How long somebody else's transaction is waited for."""

_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE partitions (partition INTEGER PRIMARY KEY, low INTEGER NOT NULL, position INTEGER NOT NULL);
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY, sure INTEGER NOT NULL,
    agents TEXT, started INTEGER, ended INTEGER, outcome TEXT, events INTEGER, tool_calls INTEGER, llm_calls INTEGER,
    errors INTEGER, input_tokens INTEGER, output_tokens INTEGER, cost_usd REAL, unpriced INTEGER, tools TEXT,
    records INTEGER
);
CREATE TABLE kept (session_id TEXT PRIMARY KEY, sums BLOB NOT NULL);
CREATE TABLE lays (
    session_id TEXT, partition INTEGER, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (session_id, partition)
) WITHOUT ROWID;
CREATE TABLE unreadable (
    partition INTEGER, "offset" INTEGER, reason TEXT NOT NULL, "key" BLOB, PRIMARY KEY (partition, "offset")
) WITHOUT ROWID;
"""
_COLUMNS = Summary.__struct_fields__
_pack, _unpack = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Sums).decode


class Mark(NamedTuple):
    """How far a partition has been read: its first offset then, and the next to read."""

    low: int
    position: int


class Unread(NamedTuple):
    """A record that is no event: where it lies, why, and which session's it would be; without a key any one's."""

    partition: int
    offset: int
    reason: str
    key: bytes | None = None


class Store:
    """What is known of a topic's sessions. Without a path it is for this process alone, and gone with it.

    Args:
        lasting: what it holds is meant to outlive a crash of the machine.

    Raises:
        sqlite3.Error: the file can't be used; what is damaged, or of another schema, is told as ``DatabaseError``.
    """

    def __init__(self, path: Path | None = None, *, lasting: bool = True) -> None:
        self.path = path
        self._db = sqlite3.connect(path or "", timeout=PATIENCE_S, isolation_level=None)
        lasting = lasting and path is not None
        self._db.execute(f"PRAGMA synchronous = {'NORMAL' if lasting else 'OFF'}")
        self._db.execute(f"PRAGMA journal_mode = {'WAL' if lasting else 'MEMORY'}")
        with self.changing():
            self._make_tables()

    def _make_tables(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA):
            raise sqlite3.DatabaseError(f"schema version {version}, and this program's is {SCHEMA}")
        if version == 0:
            for statement in filter(str.strip, _TABLES.split(";")):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """A transaction; nobody else changes anything meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def changing_with(self, path: Path) -> Iterator[None]:
        """A transaction in which the tables of the store at ``path`` are at hand as those of ``other``."""
        self._db.execute("ATTACH ? AS other", [str(path)])
        try:
            with self.changing():
                yield
        finally:
            self._db.execute("DETACH other")

    def known_to_both(self) -> list[tuple[Sums, Sums]]:
        """The sums of the sessions that ``other`` knows too, and its own of them."""
        query = "SELECT ours.sums, theirs.sums FROM kept AS ours JOIN other.kept AS theirs USING (session_id)"
        return [(_unpack(ours), _unpack(theirs)) for ours, theirs in self._db.execute(query)]

    def copy_other(self) -> None:
        """Take in what ``other`` holds, in place of what is known of the same sessions."""
        for table in ("sessions", "kept", "lays", "unreadable"):
            self._db.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM other.{table}")  # noqa: S608  our own names

    def about(self) -> dict[str, str]:
        """What the file says of itself."""
        return about_in(self._db)

    def tell(self, about: Mapping[str, str]) -> None:
        """Let the file say something of itself."""
        self._db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about.items())

    def clear(self) -> None:
        """Forget all sessions."""
        for table in ("partitions", "sessions", "kept", "lays", "unreadable"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608  our own names

    def marks(self) -> dict[int, Mark]:
        """How far each partition has been read."""
        return marks_in(self._db)

    def marks_of_other(self) -> dict[int, Mark]:
        """How far ``other`` has read each partition."""
        return marks_in(self._db, "other")

    def put_marks(self, marks: Mapping[int, Mark]) -> None:
        """Say how far each partition has been read."""
        rows = [(partition, *mark) for partition, mark in marks.items()]
        self._db.executemany("INSERT OR REPLACE INTO partitions VALUES (?, ?, ?)", rows)

    def load(self, session_ids: Iterable[str]) -> dict[str, Sums]:
        """The sums of those sessions that are known."""
        wanted = msgspec.json.encode(list(session_ids)).decode()
        query = "SELECT sums FROM json_each(?) JOIN kept ON session_id = value"
        found = [_unpack(blob) for (blob,) in self._db.execute(query, [wanted])]
        return {sums.session_id: sums for sums in found}

    def put(self, sessions: Iterable[tuple[Sums, Summary | None]]) -> None:
        """Keep sessions: their sums, and their rows, or that their rows have to be found."""
        sessions = list(sessions)
        kept = [(sums.session_id, _pack(sums)) for sums, _ in sessions]
        self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", kept)
        lays = [(s.session_id, p, lay.first, lay.last) for s, _ in sessions for p, lay in s.lays.items()]
        self._db.executemany("INSERT OR REPLACE INTO lays VALUES (?, ?, ?, ?)", lays)
        self._db.executemany(_INSERT, [_row(sums.session_id, row) for sums, row in sessions])

    def drop(self, session_ids: Iterable[str]) -> None:
        """Forget sessions."""
        rows = [(session_id,) for session_id in session_ids]
        for table in ("sessions", "kept", "lays"):
            self._db.executemany(f"DELETE FROM {table} WHERE session_id = ?", rows)  # noqa: S608  our own names

    def unsure(self) -> list[Sums]:
        """The sessions whose rows have to be found, by where they begin."""
        query = "SELECT sums FROM kept JOIN sessions USING (session_id) WHERE NOT sure"
        return [_unpack(blob) for (blob,) in self._db.execute(query)]

    def replace(self, old: Sums, new: Sums | None, row: Summary | None) -> None:
        """Keep what was found of a session, unless somebody has added to it meanwhile; without ``new``, forget it."""
        if self.load([old.session_id]).get(old.session_id) == old:  # as bytes they differ: a set has no order
            self.drop([old.session_id])
            self.put([(new, row)] if new is not None else [])

    def lying_before(self, partition: int, offset: int) -> list[str]:
        """The sessions that have records before an offset."""
        query = "SELECT session_id FROM lays WHERE partition = ? AND first < ?"
        return [session_id for (session_id,) in self._db.execute(query, [partition, offset])]

    def put_unreadable(self, found: Iterable[Unread]) -> None:
        """Keep records that are no events."""
        self._db.executemany("INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?, ?)", found)

    def drop_unreadable(self, partition: int, before: int) -> None:
        """Forget what was deleted from the log."""
        self._db.execute('DELETE FROM unreadable WHERE partition = ? AND "offset" < ?', [partition, before])

    def unreadable(self, most: int | None = None) -> Iterator[Unread]:
        """The records that are no events, or the first of them."""
        query = 'SELECT * FROM unreadable ORDER BY partition, "offset" LIMIT ?'
        return map(Unread._make, self._db.execute(query, [-1 if most is None else most]))

    def count_unreadable(self) -> int:
        """How many records are no events."""
        return int(self._db.execute("SELECT count(*) FROM unreadable").fetchone()[0])

    def records(self) -> int:
        """How many records the known sessions have, copies included."""
        return int(self._db.execute("SELECT ifnull(sum(records), 0) FROM sessions WHERE sure").fetchone()[0])

    def rows(self, condition: str, order: str, values: Mapping[str, object]) -> Iterator[Summary]:
        """The rows for which a condition of SQL holds, in an order of SQL."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM sessions WHERE sure AND {condition} ORDER BY {order}"  # noqa: S608
        return map(_summary, self._db.execute(query, values))

    def total(self, sums: str, condition: str, values: Mapping[str, object]) -> tuple[Any, ...]:
        """Sums over the rows for which a condition of SQL holds."""
        query = f"SELECT {sums} FROM sessions WHERE sure AND {condition}"  # noqa: S608  written by query.py alone
        return tuple(self._db.execute(query, values).fetchone())


def about_in(db: sqlite3.Connection) -> dict[str, str]:
    """What a catalogue says of itself."""
    return dict(db.execute("SELECT name, value FROM about"))


def marks_in(db: sqlite3.Connection, schema: str = "main") -> dict[int, Mark]:
    """How far each partition has been read, as a catalogue says."""
    query = f"SELECT * FROM {schema}.partitions"  # noqa: S608  our own names
    return {partition: Mark(low, position) for partition, low, position in db.execute(query)}


def _row(session_id: str, row: Summary | None) -> tuple[object, ...]:
    if row is None:
        return session_id, False, *(None for _ in _COLUMNS[1:])
    agents, tools = (msgspec.json.encode(value).decode() for value in (row.agents, row.tools))
    told = {**msgspec.structs.asdict(row), "agents": agents, "tools": tools}
    return session_id, True, *(told[name] for name in _COLUMNS[1:])


def _summary(row: Sequence[object]) -> Summary:
    told = dict(zip(_COLUMNS, row, strict=True))
    agents, tools = (msgspec.json.decode(str(told[name])) for name in ("agents", "tools"))
    return Summary(**{**told, "agents": tuple(agents), "tools": tools})


_INSERT = f"INSERT OR REPLACE INTO sessions VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"  # noqa: S608  marks
