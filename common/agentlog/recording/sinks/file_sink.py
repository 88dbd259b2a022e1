"""The capture file as a sink, for recording without Kafka."""

import os
from pathlib import Path
from typing import Any

from ...capture_format.capture import write_line
from ...errors import AgentlogError, UsageError
from ...event.event import Place
from .outbound import OutboundEvent
from .owned_file import DescriptorClosedError, OwnedFile
from .sink import FailureKind

OPEN_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT
READ_BLOCK_BYTES = 1024 * 1024
"""How many bytes are read at once to count lines."""


class FileSink:
    """A sink that appends to a capture file. A missing file is made.

    Raises:
        UsageError: the file can't be opened, or its name says that it is compressed.
    """

    def __init__(self, path: Path) -> None:
        self.where, self.is_closed, self.is_broken, self.is_warm = str(path), False, False, True
        self._path = path
        self._waiting: list[OutboundEvent] = []
        self._error: OSError | None = None
        if path.suffix in (".gz", ".zst"):
            raise UsageError(f"{path}: a tracer writes no {path.suffix}; drop it from the name, and compress later")
        try:
            self._open()
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}; name another capture file: file=") from error

    def _open(self) -> None:
        # Without a buffer, because a forked child would write its copy of the buffer a second time.
        self._file = OwnedFile(self._path, OPEN_FLAGS)
        self._line_count = self._end_offset = 0
        self._count_added_lines()
        last_byte = os.pread(self._file.descriptor, 1, self._end_offset - 1) if self._end_offset else b"\n"
        self._has_torn_line = last_byte != b"\n"

    def send(self, record: OutboundEvent) -> bool:
        """Take ``record``. ``poll`` writes it."""
        self._waiting.append(record)
        return True

    def poll(self, timeout_s: float) -> None:  # noqa: ARG002  writing a file has no timeout
        """Write the records that were taken, and report the results."""
        if not self._waiting:
            return
        records, self._waiting = self._waiting, []
        self._error, whole_count = None, 0
        try:
            try:
                whole_count = self._append(records)
            except OSError:
                if not self._file.is_lost:
                    raise
                whole_count = self._append(records)  # opens the file again
        except OSError as error:
            self._error = error
        for number, record in enumerate(records):
            record.on_delivery(None if number < whole_count else self._error, None)

    def _append(self, records: list[OutboundEvent]) -> int:
        """Append ``records``. Return how many are in the file: fewer than all if the disk is full."""
        self._update_line_count()
        was_torn = self._has_torn_line
        first = self._line_count + 1 + was_torn
        places = (Place(None, -1, first + n, r.at_ms, r.capture_headers) for n, r in enumerate(records))
        content = b"\n" * was_torn  # ends a line that a full disk or a killed run cut off
        content += b"".join(write_line(r.value, place) for r, place in zip(records, places, strict=True))
        begin, written_bytes = self._end_offset, 0
        try:
            while written_bytes < len(content):
                self._file.check()
                written_bytes += os.write(self._file.descriptor, content[written_bytes:])
            self._file.check()  # closed meanwhile, it may have been another file's when we wrote
        except OSError as error:
            if self._file.is_lost:
                raise
            self._error = error
        whole_bytes = content.rfind(b"\n", 0, written_bytes) + 1
        if written_bytes:
            self._has_torn_line = whole_bytes < written_bytes and not self._cut_back(
                begin + whole_bytes, begin + written_bytes
            )
        return max(0, content.count(b"\n", 0, whole_bytes) - was_torn)

    def _cut_back(self, size: int, expected_size: int) -> bool:
        """Cut off a torn line. Return False if another process has appended to the file meanwhile."""
        try:
            is_last = os.fstat(self._file.descriptor).st_size == expected_size
            if is_last:
                os.ftruncate(self._file.descriptor, size)
        except OSError:
            return False
        return is_last

    def _update_line_count(self) -> None:
        """Count the lines added since the last count. Other processes may write to the file, empty it or replace it."""
        try:
            status = self._file.check()
        except DescriptorClosedError:
            self._open()
            return
        if status.st_nlink == 0:  # deleted: events written to it would be lost
            self._open()
        elif status.st_size < self._end_offset:  # another process emptied it
            self._line_count = self._end_offset = 0
        self._count_added_lines()

    def _count_added_lines(self) -> None:
        while block := os.pread(self._file.descriptor, READ_BLOCK_BYTES, self._end_offset):
            self._line_count, self._end_offset = self._line_count + block.count(b"\n"), self._end_offset + len(block)

    def purge(self) -> None:
        """Do nothing, because no record is under way."""

    def recall_queued(self) -> None:
        """Do nothing, because no record is queued."""

    def classify_error(self, error: Any) -> FailureKind:  # noqa: ARG002  each error is the file's
        """Return that the sink failed, because the next record would fail too."""
        return FailureKind.SINK_FAILED

    def describe_error(self, error: Any) -> str:
        """Return an error in words."""
        return str(error)

    def reset_failures(self) -> None:
        """Do nothing, because the next write resets the error."""

    def refusal(self) -> AgentlogError | None:
        """Return the error of the last write, or None."""
        return None if self._error is None else self.last_error()

    def last_error(self) -> AgentlogError:
        """Return the error of the last write."""
        reason = self._error.strerror if self._error else "not written"
        return UsageError(f"{self._path}: {reason}; events can't be recorded to this capture file")

    def probe(self) -> bool:
        """Return True, because only a write shows whether the file can be written."""
        return True

    def is_disconnected(self) -> bool:
        """Return False, because a file has no connection."""
        return False

    def close(self) -> None:
        """Do nothing, because the file has no threads and can be written again."""

    def abandon(self) -> None:
        """Do nothing, because a forked child may close the file."""
