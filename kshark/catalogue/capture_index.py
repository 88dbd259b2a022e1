"""A capture file's sessions added up, and those in doubt read again."""

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

from agentlog.event import capture, codec
from agentlog.event.event import Place, Record, Unreadable
from agentlog.event.partial_decode import glances
from agentlog.log.capture_file import copied
from agentlog.session.accumulator import Sums
from agentlog.session.coverage import Searched

from .recompute import light
from .store import Store, Unread
from .write_batch import CHUNK, Chunk, Found

BATCH = 2_000


class Lines:
    """A capture file; what comes from a pipe is kept in a temporary file, as it may have to be read twice."""

    def __init__(self, path: str, searched: Searched) -> None:
        self._path, self._searched = path, searched
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._path == "-":
            self._path = self._open.enter_context(copied(sys.stdin.buffer))
        elif Path(self._path).is_fifo():
            with Path(self._path).open("rb") as pipe:
                self._path = self._open.enter_context(copied(pipe))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add_to(self, store: Store) -> None:
        """Add up all lines, and keep what comes of them."""
        located = self._located()
        chunk = Chunk(store)
        while batch := list(islice(located, BATCH)):
            chunk.add(_events(batch, chunk.unreadable))
            if chunk.records >= CHUNK:
                chunk.keep()
                chunk = Chunk(store)
        chunk.keep()

    def records_of(self, group: Sequence[Sums]) -> dict[str, list[Record]]:
        """The records of some sessions."""
        wanted = {sums.session_id for sums in group}
        found: dict[str, list[Record]] = defaultdict(list)
        for line in self._located():
            record = codec.decode(line.value, line.place, "") if isinstance(line, Located) else None
            if isinstance(record, Record) and record.event.session_id in wanted:
                found[record.event.session_id].append(light(record))
        return found

    def _located(self) -> Iterator["Located | Unread"]:
        number = 0
        with capture.open_capture(self._path, sys.stdin.buffer) as stream:  # type: ignore[arg-type]
            try:
                for number, line in capture.lines(stream):
                    self._searched.records += 1
                    yield _located(line, number)
            except OSError as error:
                yield Unread(-1, number + 1, f"the file is damaged from here on: {error}")


class Located(NamedTuple):
    """A line's number, its event's bytes, and where that lay."""

    number: int
    value: bytes
    place: Place


def _located(line: bytes, number: int) -> Located | Unread:
    place = Place(None, -1, number)
    if len(line) > capture.MAX_LINE_BYTES:
        return Unread(-1, number, capture.TOO_LONG)
    try:
        return Located(number, *capture.event_of(line, place))
    except capture.NO_LINE as error:
        return Unread(-1, number, capture.no_line(line, place, "", error).reason)


def _events(batch: Sequence[Located | Unread], unreadable: list[Unread]) -> Iterator[Found]:
    """The events of a batch of lines; what is none goes to ``unreadable``."""
    unreadable.extend(line for line in batch if isinstance(line, Unread))
    lines = [line for line in batch if isinstance(line, Located)]
    found = glances([line.value for line in lines], lambda number: lines[number].place)
    for line, each in zip(lines, found, strict=True):
        if isinstance(each, Unreadable):
            unreadable.append(Unread(-1, line.number, each.reason))
        else:
            yield each, line.place.partition, line.place.offset
