"""The capture file as a source of records, and copies of streams that can be read only once."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import BinaryIO

from ..event import capture
from ..event.event import Place, Unreadable
from ..event.position import PositionRange
from ..session.coverage import SearchReport
from .source import RecordOrUnreadable, remember_session_ids


class CaptureSource:
    """A capture file as a source; the path ``-`` is standard input."""

    def __init__(self, path: str, stdin: BufferedReader) -> None:
        self.name = "standard input" if path == "-" else path
        self.searched = SearchReport(self.name)
        self._path, self._stdin = path, stdin

    def records(self, session_id: str, position_range: PositionRange) -> Iterator[RecordOrUnreadable]:
        """Yield the session's records in the order of the file's lines."""
        number = 0
        with capture.open_capture(self._path, self._stdin) as stream:
            try:
                for number, line in capture.iter_lines(stream):
                    self.searched.records += 1
                    decoded = capture.decode_session_line(line, session_id, self.name, number)
                    if isinstance(decoded, str):
                        remember_session_ids(self.searched, [decoded.encode()])
                    elif isinstance(decoded, Unreadable) or position_range.contains(decoded):
                        self.searched.unreadable += isinstance(decoded, Unreadable)
                        yield decoded
            except OSError as error:
                self.searched.unreadable += 1
                yield _make_damage_record(self.name, number + 1, error)


def read_all_records(path: str, name: str, stdin: BufferedReader) -> Iterator[RecordOrUnreadable]:
    """Yield the records of all sessions in a capture file, and its unreadable lines. Messages call the file ``name``.

    Raises:
        UsageError: the file can't be opened.
    """
    number = 0
    with capture.open_capture(path, stdin) as stream:
        try:
            for number, line in capture.iter_lines(stream):
                yield capture.decode_line(line, name, number)
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
