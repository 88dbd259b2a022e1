"""The capture file as a source of records, and copies of streams that can be read only once."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import BinaryIO

from ..capture_format import capture
from ..capture_format.entries import Entry, read_entries
from ..event.escape import escape_controls
from ..event.event import Place, Unreadable
from ..event.position import PositionRange
from ..session.coverage import SearchReport
from .source import RecordOrUnreadable, remember_session_ids


class CaptureSource:
    """A capture file as a source; the path ``-`` is standard input."""

    def __init__(self, path: str, stdin: BufferedReader) -> None:
        self.name = format_file_name(path)
        self.searched = SearchReport(self.name)
        self._path, self._stdin = path, stdin

    def records(self, session_id: str, position_range: PositionRange) -> Iterator[RecordOrUnreadable]:
        """Yield the session's records in the order of the file's lines."""
        number = 0
        with capture.open_capture(self._path, self._stdin) as stream:
            try:
                for entry in read_entries(stream, self.name):
                    self.searched.records += 1
                    number = number + 1 if isinstance(entry, Unreadable) else entry.number
                    item = select_record(entry, session_id, self.searched)
                    if isinstance(item, Unreadable) or (item is not None and position_range.contains(item)):
                        self.searched.unreadable += isinstance(item, Unreadable)
                        yield item
            except OSError as error:
                self.searched.unreadable += 1
                yield _make_damage_record(self.name, number + 1, error)


def select_record(entry: Entry | Unreadable, session_id: str, searched: SearchReport) -> RecordOrUnreadable | None:
    """Return the record of an entry, or what is unreadable; None if it belongs to another session, which is noted."""
    if isinstance(entry, Unreadable):
        return entry
    if entry.session_id is not None and entry.session_id != session_id:
        remember_session_ids(searched, [entry.session_id.encode()])
        return None
    return entry.decode(searched.what)


def format_file_name(path: str) -> str:
    """Return a file's name for messages and JSON: one line of valid text, whatever its bytes are."""
    return "standard input" if path == "-" else escape_controls(path)


def read_all_records(path: str, name: str, stdin: BufferedReader) -> Iterator[RecordOrUnreadable]:
    """Yield the records of all sessions in a capture file, and its unreadable lines. Messages call the file ``name``.

    Raises:
        UsageError: the file can't be opened.
    """
    number = 0
    with capture.open_capture(path, stdin) as stream:
        try:
            for entry in read_entries(stream, name):
                number = number + 1 if isinstance(entry, Unreadable) else entry.number
                yield entry if isinstance(entry, Unreadable) else entry.decode(name)
        except OSError as error:
            yield _make_damage_record(name, number + 1, error)


def _make_damage_record(name: str, line: int, error: OSError) -> Unreadable:
    return Unreadable(f"{name}:{line}", Place(None, -1, line), f"the file is damaged from here on: {error}")


@contextmanager
def copy_stream(stream: BinaryIO) -> Iterator[str]:
    """Copy ``stream`` into a temporary file, and return the file's path. The file is deleted after the block."""
    with tempfile.NamedTemporaryFile(prefix="agentlog-") as copy:
        shutil.copyfileobj(stream, copy)
        copy.flush()
        yield copy.name
