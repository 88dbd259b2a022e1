"""Events kept in a capture file while Kafka is away, and sent in order when it is back: by this run, or a later one."""

import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from ..capture import event_of, write_line
from ..codec import decode
from ..events import Place, Unreadable
from .records import Author, Outbound

CHUNK = 1_000

_log = logging.getLogger("agentlog.recording")


class Spool:
    """A capture file of events that wait; locked by the process that has it, so that no other one sends them.

    Attributes:
        waiting: how many events in it aren't known to have arrived.

    Raises:
        OSError: it can't be opened, or another process has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.waiting = 0
        self._file = path.open("ab", buffering=0)  # a forked child must find nothing here to write a second time
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise
        self._lines: list[bytes] = []
        self._taken = self._sent = self._read = 0
        self._size = os.fstat(self._file.fileno()).st_size

    @classmethod
    def left_behind(cls, folder: Path, topic: str) -> Iterator[Self]:
        """The files that earlier runs left in ``folder`` for ``topic``, the oldest first."""
        paths = [path for path in folder.glob(f"{topic}.*.ndjson") if path.is_file()]
        for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
            try:
                spool = cls(path)
            except OSError:
                continue  # another process is at it, or has just sent it
            if spool._size:
                with path.open("rb") as lines:
                    spool.waiting = sum(1 for _ in lines)
                yield spool
            else:
                spool.finish()

    def append(self, record: Outbound, topic: str) -> None:
        """Add ``record`` behind all others; ``flush`` writes it."""
        place = Place(topic, -1, self.waiting, record.at_ms, record.place_headers)
        self._lines.append(write_line(record.value, place))
        self.waiting += 1

    def flush(self) -> None:
        """Let the operating system have what was appended: a kill doesn't take it.

        Raises:
            OSError: the disk is full, for instance; what was appended is still here.
        """
        if self._lines:
            content = b"".join(self._lines)
            while content:
                written = self._file.write(content)
                self._size += written
                content = content[written:]
                self._lines = [content]
            self._lines = []

    @property
    def unread(self) -> bool:
        """Whether it holds events that weren't taken out to be sent."""
        return self._read < self._size

    def chunk(self) -> list[Outbound]:
        """The next events to be sent, a thousand at most; all before them have arrived."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            lines = [line for line in (file.readline() for _ in range(CHUNK)) if line]
            self._read = file.tell()
        self._taken = len(lines)
        return [record for record in map(self._record, lines) if record is not None]

    def _record(self, line: bytes) -> Outbound | None:
        nowhere = Place(None, -1, 0)
        try:
            value, place = event_of(line, nowhere)
            found = decode(value, place, str(self.path))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            found = Unreadable(str(self.path), nowhere, str(error))
        if isinstance(found, Unreadable):
            _log.error("%s holds a line that is no event, which isn't sent: %s", self.path, found.reason)
            return None
        author = Author(found.event.session_id, found.event.agent_id)
        return Outbound(author, value, place.timestamp or 0, list(place.headers))

    def commit(self) -> int:
        """Note that the events taken out arrived; how many they were."""
        arrived, self._taken, self._sent = self._taken, 0, self._read
        self.waiting -= arrived
        return arrived

    def rewind(self) -> None:
        """Go back to the first event that may not have arrived."""
        self._taken, self._read = 0, self._sent

    def finish(self) -> None:
        """Remove the file: all that it held arrived."""
        self.path.unlink(missing_ok=True)
        self._file.close()

    def leave(self) -> None:
        """Leave the file to a later run, or to the process that we were forked from."""
        self._file.close()
