"""An index of a capture file's sessions, built by reading the whole file."""

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

from agentlog.capture_format import capture
from agentlog.capture_format.entries import Entry, explain_unreadable, read_entries
from agentlog.event import codec
from agentlog.event.event import Place, Record, Unreadable
from agentlog.event.partial_decode import decode_partial
from agentlog.log.capture_file import copy_stream
from agentlog.session.accumulator import SessionAccumulator
from agentlog.session.coverage import SearchReport

from .recompute import drop_unneeded_fields
from .store import Store, UnreadableEntry
from .write_batch import LocatedEvent, WriteBatch

BATCH_LINES = 2_000


class CaptureIndexer:
    """A reader of a capture file. A pipe is copied to a temporary file first, because it may be read twice."""

    def __init__(self, path: str, searched: SearchReport) -> None:
        self._path, self._searched = path, searched
        self._exit_stack = ExitStack()

    def __enter__(self) -> Self:
        if self._path == "-":
            self._path = self._exit_stack.enter_context(copy_stream(sys.stdin.buffer))
        elif Path(self._path).is_fifo():
            with Path(self._path).open("rb") as pipe:
                self._path = self._exit_stack.enter_context(copy_stream(pipe))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    def index_into(self, store: Store) -> None:
        """Add up all lines and write the sessions into ``store``."""
        located = self._locate_lines()
        write_batch = WriteBatch(store)
        while batch := list(islice(located, BATCH_LINES)):
            write_batch.add(_decode_events(batch, write_batch.unreadable))
            if write_batch.is_full:
                write_batch.commit()
                write_batch = WriteBatch(store)
        write_batch.commit()

    def read_records(self, group: Sequence[SessionAccumulator]) -> dict[str, list[Record]]:
        """Return the records of the sessions in ``group``, by session id."""
        session_ids = {sums.session_id for sums in group}
        records_by_session: dict[str, list[Record]] = defaultdict(list)
        for line in self._locate_lines():
            record = codec.decode(line.value, line.place, "") if isinstance(line, LocatedLine) else None
            if isinstance(record, Record) and record.event.session_id in session_ids:
                records_by_session[record.event.session_id].append(drop_unneeded_fields(record))
        return records_by_session

    def _locate_lines(self) -> Iterator["LocatedLine | UnreadableEntry"]:
        number = 0
        with capture.open_capture(self._path, sys.stdin.buffer) as stream:  # type: ignore[arg-type]
            try:
                for entry in read_entries(stream, ""):
                    self._searched.records += 1
                    located = _locate_entry(entry)
                    number = located.number if isinstance(located, LocatedLine) else located.offset
                    yield located
            except OSError as error:
                yield UnreadableEntry(-1, number + 1, f"the file is damaged from here on: {error}")


class LocatedLine(NamedTuple):
    """A line's number, the bytes of its event, and the place that its ``_record`` names."""

    number: int
    value: bytes
    place: Place


def _locate_entry(entry: Entry | Unreadable) -> LocatedLine | UnreadableEntry:
    if isinstance(entry, Unreadable):
        line = entry.where.rpartition(":")[2]
        return UnreadableEntry(-1, entry.place.offset if entry.place.partition < 0 else int(line), entry.reason)
    try:
        return LocatedLine(entry.place.offset, *entry.split())
    except capture.LINE_ERRORS as error:
        reason = capture.explain_unreadable_line(entry.line, entry.place, "", error).reason
        return UnreadableEntry(-1, entry.place.offset, reason)


def _decode_events(
    batch: Sequence[LocatedLine | UnreadableEntry], unreadable: list[UnreadableEntry]
) -> Iterator[LocatedEvent]:
    """Yield the events of a batch of lines; append lines that are no events to ``unreadable``."""
    unreadable.extend(line for line in batch if isinstance(line, UnreadableEntry))
    lines = [line for line in batch if isinstance(line, LocatedLine)]
    partial_events = decode_partial([line.value for line in lines], lambda number: lines[number].place)
    for line, each in zip(lines, partial_events, strict=True):
        if isinstance(each, Unreadable):
            unreadable.append(UnreadableEntry(-1, line.number, explain_unreadable(each, line.value).reason))
        else:
            yield each, line.place.partition, line.place.offset
