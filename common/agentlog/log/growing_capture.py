"""A capture file that is still being written, as a source: its events so far, and new ones as they come."""

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..capture_format import capture
from ..capture_format.entries import Entry, is_event_line, read_entries
from ..errors import UsageError
from ..event.event import Unreadable
from ..event.position import PositionRange
from ..session.coverage import SearchReport
from .capture_file import format_file_name, select_record
from .source import RecordOrUnreadable

POLL_INTERVAL_S = 0.1
TAIL_BYTES = 64 * 1024


class GrowingCapture:
    """A capture file that may grow, as a source. Of a pipe, all events count as new."""

    def __init__(self, stream: "_GrowingFile | io.BufferedIOBase", name: str) -> None:
        self.searched = SearchReport(name)
        self._stream, self._entries = stream, read_entries(stream, name)

    def records(self, session_id: str, position_range: PositionRange) -> Iterator[RecordOrUnreadable]:
        """Yield the session's records that are in the file by now."""
        if isinstance(self._stream, _GrowingFile):
            end = self._stream.find_end()
            while self._stream.position < end and (entry := next(self._entries, None)) is not None:
                yield from self._decode(entry, session_id, position_range)

    def follow(self, session_id: str, notify: Callable[[str], None]) -> Iterator[RecordOrUnreadable]:
        """Yield new records as they are written; of a file for ever, of a pipe until its writer closes it.

        Args:
            notify: receives a message when the file was cut.
        """
        if isinstance(self._stream, _GrowingFile):
            self._stream.notify = lambda: notify(f"{self.searched.what} was cut: it is read from its beginning again")
        for entry in self._entries:
            yield from self._decode(entry, session_id, PositionRange())

    def _decode(
        self, entry: Entry | Unreadable, session_id: str, position_range: PositionRange
    ) -> Iterator[RecordOrUnreadable]:
        self.searched.records += 1
        record = select_record(entry, session_id, self.searched)
        if isinstance(record, Unreadable) or (record is not None and position_range.contains(record)):
            self.searched.unreadable += isinstance(record, Unreadable)
            yield record


@contextmanager
def open_growing(path: str, stdin: io.BufferedReader) -> Iterator[GrowingCapture]:
    """Open a capture file, or ``stdin`` for ``-``, that may still be written.

    Raises:
        UsageError: it can't be opened, or it is compressed or not in UTF-8, so that it can't be read as it grows.
    """
    name = format_file_name(path)
    if path == "-" or Path(path).is_fifo():
        with capture.open_capture(path, stdin) as stream:
            yield GrowingCapture(stream, name)
        return
    with capture.open_capture(path, stdin) as stream:
        if not isinstance(getattr(stream, "raw", None), io.FileIO):
            raise UsageError(f"{name} is compressed or not in UTF-8, so it can't be followed; leave out --follow")
        yield GrowingCapture(_GrowingFile(stream), name)


class _GrowingFile(io.BufferedIOBase):
    """A file whose lines are waited for. A line comes when its end is written, or when it is a whole event.

    Attributes:
        position: the number of bytes of the lines that were read.
        notify: is called when the file was cut.
    """

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self.position = 0
        self.notify: Callable[[], None] = lambda: None
        self._stream, self._pending, self._has_early_line = stream, b"", False

    def find_end(self) -> int:
        """Return where the last line ends that is there by now, without blank lines behind it."""
        size = os.fstat(self._stream.fileno()).st_size
        length = 0
        while length < size:
            length = min(max(2 * length, TAIL_BYTES), size)
            tail = os.pread(self._stream.fileno(), length, size - length)
            last_line = tail[tail.rfind(b"\n") + 1 :]
            lines = (tail if is_event_line(last_line) else tail[: len(tail) - len(last_line)]).rstrip(b" \t\r\n\x00],")
            if lines:
                return size - length + len(lines)
        return 0

    def readline(self, limit: int | None = -1, /) -> bytes:
        """Return the next line, and wait for it."""
        most = capture.MAX_LINE_BYTES + 1 if limit is None or limit < 0 else limit
        while True:
            self._pending += self._stream.readline(most - len(self._pending))
            if self._has_early_line and self._pending in (b"\n", b"\r\n"):  # the end of a line that was returned early
                self._take()
            elif self._pending.endswith(b"\n") or len(self._pending) >= most:
                return self._take()
            elif is_event_line(self._pending):
                line = self._take()
                self._has_early_line = True
                return line
            else:
                self._wait()

    def _take(self) -> bytes:
        line, self._pending, self._has_early_line = self._pending, b"", False
        self.position += len(line)
        return line

    def _wait(self) -> None:
        time.sleep(POLL_INTERVAL_S)
        if os.fstat(self._stream.fileno()).st_size < self.position + len(self._pending):
            self.notify()
            self._stream.seek(0)
            self.position, self._pending = 0, b""
