"""A capture file as a sink: events are recorded without Kafka."""

import os
from pathlib import Path
from typing import Any

from ...errors import AgentlogError, UsageError
from ...event.capture import write_line
from ...event.event import Place
from .outbound import OutboundEvent
from .sink import FailureKind

READ_BLOCK_BYTES = 1024 * 1024


class FileSink:
    """A capture file, made when it isn't there, else continued.

    Raises:
        UsageError: it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.where, self.is_closed, self.is_broken, self.is_warm = str(path), False, False, True
        self._path = path
        self._waiting: list[OutboundEvent] = []
        self._error: OSError | None = None
        if path.suffix in (".gz", ".zst"):
            raise UsageError(f"{path}: a capture file is written unpacked; pack it when it is done.")
        try:
            self._file = path.open("a+b", buffering=0)  # a forked child must find nothing here to write a second time
            self._line_count = self._end_offset = 0
            self._count_new_lines()
            self._has_torn_line = (
                self._end_offset > 0 and os.pread(self._file.fileno(), 1, self._end_offset - 1) != b"\n"
            )
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}. It is to be the capture file.") from error

    def send(self, record: OutboundEvent) -> bool:
        """Take ``record``."""
        self._waiting.append(record)
        return True

    def poll(self, timeout_s: float) -> None:  # noqa: ARG002  a file doesn't let us wait
        """Write what was taken."""
        if not self._waiting:
            return
        records, self._waiting = self._waiting, []
        try:
            self._count_new_lines()
            first = self._line_count + 1 + self._has_torn_line
            places = (Place(None, -1, first + n, r.at_ms, r.capture_headers) for n, r in enumerate(records))
            content = b"\n" * self._has_torn_line  # behind what a full disk, or the end of an earlier run, cut off
            content += b"".join(write_line(r.value, place) for r, place in zip(records, places, strict=True))
            while content:
                content = content[self._file.write(content) :]
            self._error = None
        except OSError as error:
            self._error = error
        self._has_torn_line = self._error is not None
        for record in records:
            record.on_delivery(self._error, None)

    def _count_new_lines(self) -> None:
        """Count the lines written since we looked: other processes may record to the same file, or begin it afresh."""
        if os.fstat(self._file.fileno()).st_nlink == 0:  # deleted, as a notebook's next run does: that would be lost
            new_file = self._path.open("a+b", buffering=0)
            self._file.close()
            self._file, self._line_count, self._end_offset, self._has_torn_line = new_file, 0, 0, False
        handle = self._file.fileno()
        if os.fstat(handle).st_size < self._end_offset:  # somebody emptied it
            self._line_count = self._end_offset = 0
        while block := os.pread(handle, READ_BLOCK_BYTES, self._end_offset):
            self._line_count, self._end_offset = self._line_count + block.count(b"\n"), self._end_offset + len(block)

    def purge(self) -> None:
        """Nothing to do: nothing is under way."""

    def classify_error(self, error: Any) -> FailureKind:  # noqa: ARG002  it is always the file's own
        """Not written, and the next one wouldn't be either."""
        return FailureKind.SINK_FAILED

    def reset_failures(self) -> None:
        """Nothing to forget."""

    def refusal(self) -> AgentlogError | None:
        """What went wrong when it was last written, or None."""
        return None if self._error is None else self.last_error()

    def last_error(self) -> AgentlogError:
        """What went wrong."""
        reason = self._error.strerror if self._error else "not written"
        return UsageError(f"{self._path}: {reason}. It is the capture file that events are recorded to.")

    def probe(self) -> bool:
        """Whether it is worth trying."""
        return True

    def is_disconnected(self) -> bool:
        """Never: there is only one way to a file."""
        return False

    def close(self) -> None:
        """Nothing to do: there are no threads, and it can be gone on with."""

    def abandon(self) -> None:
        """Nothing to do: a file can be closed in a forked child."""
