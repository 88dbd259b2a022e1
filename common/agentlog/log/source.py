"""Where a session's records come from: the contract of all sources, and the capture file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from typing import NamedTuple, Protocol

from ..event import capture
from ..event.event import Place, Record, Unreadable, microseconds
from ..event.position import Moment, Offset, Position

KEPT_KEYS = 200_000

Found = Record | Unreadable


class Span(NamedTuple):
    """The part of a session that is asked for, both ends included; None where it is open."""

    start: Position | None = None
    end: Position | None = None

    @property
    def partition(self) -> int | None:
        """The one partition that a place at either end names, or None."""
        named = [at.partition for at in self if isinstance(at, Offset) and at.partition is not None]
        return named[0] if named else None

    def holds(self, record: Record) -> bool:
        """Whether a record lies in it: by the time that its event was recorded, or by its offset."""
        if self.partition not in (None, record.place.partition):
            return False
        behind_start = self.start is None or _distance(self.start, record) >= 0
        return behind_start and (self.end is None or _distance(self.end, record) <= 0)


def _distance(position: Position, record: Record) -> int:
    """How far a record lies behind ``position``; negative before it."""
    if isinstance(position, Moment):
        return microseconds(record.event.timestamp) - position.microseconds
    return record.place.offset - position.offset


@dataclass(slots=True)
class Searched:
    """What a source has looked at so far.

    Attributes:
        what: the topic and cluster, or the file, for a person.
        partitions: those that were read; of a file none.
        partition_count: how many the topic has.
        records: how many were read, of whatever session.
        expected: how many offsets there are to read.
        others: ids of other sessions that were seen, some of them.
        log_begins: of each partition whose earlier records are deleted, the timestamp in milliseconds of the first
            that is left, or None where it wasn't read.
        catalogue: the file that told where the session lies, so that the rest of the partitions wasn't read; or None.
    """

    what: str
    partitions: list[int] = field(default_factory=list)
    partition_count: int = 0
    records: int = 0
    expected: int = 0
    unreadable: int = 0
    others: set[bytes] = field(default_factory=set)
    log_begins: dict[int, int | None] = field(default_factory=dict)
    catalogue: str | None = None


class Source(Protocol):
    """Anything that yields the records of a session."""

    searched: Searched

    def records(self, session_id: str, span: Span) -> Iterator[Found]:
        """The session's records that lie in ``span``, and what might be one and can't be read.

        They come as they lie: each partition in its order, the partitions interleaved, copies included. Memory is
        bounded by a batch of records.
        """
        ...


class CaptureSource:
    """A capture file; ``-`` is standard input."""

    def __init__(self, path: str, stdin: BufferedReader) -> None:
        self.name = "standard input" if path == "-" else path
        self.searched = Searched(self.name)
        self._path, self._stdin = path, stdin

    def records(self, session_id: str, span: Span) -> Iterator[Found]:
        """The session's records in the order of the file's lines."""
        number = 0
        with capture.open_capture(self._path, self._stdin) as stream:
            try:
                for number, line in capture.lines(stream):
                    self.searched.records += 1
                    found = capture.read_line(line, session_id, self.name, number)
                    if isinstance(found, str):
                        remember(self.searched, [found.encode()])
                    elif isinstance(found, Unreadable) or span.holds(found):
                        self.searched.unreadable += isinstance(found, Unreadable)
                        yield found
            except OSError as error:
                self.searched.unreadable += 1
                yield _damaged(self.name, number + 1, error)


def every_record(path: str, name: str, stdin: BufferedReader) -> Iterator[Found]:
    """The records of all sessions in a capture file, and its lines that hold none; ``name`` is the file's for a person.

    Raises:
        UsageError: the file can't be opened.
    """
    number = 0
    with capture.open_capture(path, stdin) as stream:
        try:
            for number, line in capture.lines(stream):
                yield capture.read_record(line, name, number)
        except OSError as error:
            yield _damaged(name, number + 1, error)


def _damaged(name: str, line: int, error: OSError) -> Unreadable:
    return Unreadable(f"{name}:{line}", Place(None, -1, line), f"the file is damaged from here on: {error}")


def remember(searched: Searched, ids: Iterable[bytes | None]) -> None:
    """Keep the ids of other sessions, up to a bound: the nearest of them are named when a session isn't found."""
    if len(searched.others) < KEPT_KEYS:
        searched.others.update(key for key in ids if key)
