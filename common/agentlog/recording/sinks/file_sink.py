"""A capture file as a sink: events are recorded without Kafka."""

import os
from pathlib import Path
from typing import Any

from ...errors import AgentlogError, UsageError
from ...event.capture import write_line
from ...event.event import Place
from .outbound import Outbound
from .sink import Verdict

COUNTED_BYTES = 1024 * 1024


class FileWriter:
    """A capture file, made when it isn't there, else continued.

    Raises:
        UsageError: it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.where, self.closed, self.broken, self.warm = str(path), False, False, True
        self._path = path
        self._waiting: list[Outbound] = []
        self._wrong: OSError | None = None
        if path.suffix in (".gz", ".zst"):
            raise UsageError(f"{path}: a capture file is written unpacked; pack it when it is done.")
        try:
            self._file = path.open("a+b", buffering=0)  # a forked child must find nothing here to write a second time
            self._lines = self._end = 0
            self._catch_up()
            self._torn = self._end > 0 and os.pread(self._file.fileno(), 1, self._end - 1) != b"\n"
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}. It is to be the capture file.") from error

    def send(self, record: Outbound) -> bool:
        """Take ``record``."""
        self._waiting.append(record)
        return True

    def poll(self, timeout_s: float) -> None:  # noqa: ARG002  a file doesn't let us wait
        """Write what was taken."""
        if not self._waiting:
            return
        records, self._waiting = self._waiting, []
        try:
            self._catch_up()
            first = self._lines + 1 + self._torn
            places = (Place(None, -1, first + n, r.at_ms, r.place_headers) for n, r in enumerate(records))
            content = b"\n" * self._torn  # behind what a full disk, or the end of an earlier run, cut off
            content += b"".join(write_line(r.value, place) for r, place in zip(records, places, strict=True))
            while content:
                content = content[self._file.write(content) :]
            self._wrong = None
        except OSError as error:
            self._wrong = error
        self._torn = self._wrong is not None
        for record in records:
            record.answered(self._wrong, None)

    def _catch_up(self) -> None:
        """Count the lines written since we looked: other processes may record to the same file, or begin it afresh."""
        if os.fstat(self._file.fileno()).st_nlink == 0:  # deleted, as a notebook's next run does: that would be lost
            anew = self._path.open("a+b", buffering=0)
            self._file.close()
            self._file, self._lines, self._end, self._torn = anew, 0, 0, False
        handle = self._file.fileno()
        if os.fstat(handle).st_size < self._end:  # somebody emptied it
            self._lines = self._end = 0
        while part := os.pread(handle, COUNTED_BYTES, self._end):
            self._lines, self._end = self._lines + part.count(b"\n"), self._end + len(part)

    def take_back(self) -> None:
        """Nothing to do: nothing is under way."""

    def verdict(self, error: Any) -> Verdict:  # noqa: ARG002  it is always the file's own
        """Not written, and the next one wouldn't be either."""
        return Verdict.FAILED

    def is_well(self) -> None:
        """Nothing to forget."""

    def refusal(self) -> AgentlogError | None:
        """What went wrong when it was last written, or None."""
        return None if self._wrong is None else self.trouble()

    def trouble(self) -> AgentlogError:
        """What went wrong."""
        told = self._wrong.strerror if self._wrong else "not written"
        return UsageError(f"{self._path}: {told}. It is the capture file that events are recorded to.")

    def answers(self) -> bool:
        """Whether it is worth trying."""
        return True

    def is_lost(self) -> bool:
        """Never: there is only one way to a file."""
        return False

    def close(self) -> None:
        """Nothing to do: there are no threads, and it can be gone on with."""

    def abandon(self) -> None:
        """Nothing to do: a file can be closed in a forked child."""
