"""A capture file that events wait in while Kafka is away."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from ...event.capture import event_of, write_line
from ...event.codec import decode
from ...event.event import EPOCH, Place, Unreadable
from ..sinks.outbound import MILLISECOND, Author, Outbound

CHUNK = 1_000
BLOCK = 1024 * 1024

_log = logging.getLogger("agentlog.recording")


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # another process has just sent it
        return 0


class Spool:
    """A capture file of events that wait; locked by the process that has it, so that no other one sends them.

    Attributes:
        unreadable: how many lines of the last chunk hold no event.

    Raises:
        OSError: it can't be opened, or another process has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unreadable = 0
        # Never by a file's buffer, of which a forked child would find a copy to write a second time.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(self._file)
            if not found.st_nlink:
                raise FileNotFoundError(f"{path}: another process has just sent it")
        except OSError:
            os.close(self._file)
            raise
        self._size = found.st_size
        self._written = self._taken = 0
        self._sent = self._read = self._blank()

    @classmethod
    def left_behind(cls, folder: Path, name: str) -> Iterator[Self]:
        """The files in ``folder`` that earlier runs left under ``name``, the oldest first."""
        found = folder.glob(f"{name}.*.ndjson")
        for path in sorted(found, key=_changed_at):
            try:
                spool = cls(path)
            except (BlockingIOError, FileNotFoundError):
                continue  # another process is at it, or has just sent it
            except OSError as error:
                _log.warning("the events in %s can't be sent: %s", path, error)
                continue
            if spool.unread:
                yield spool
            else:
                spool.finish()

    def append(self, records: list[Outbound], topic: str) -> None:
        """Add ``records`` behind all others; the operating system has them then, so that a kill doesn't take them.

        Raises:
            OSError: the disk is full, for instance; none of them is here then.
        """
        places = (Place(topic, -1, self._written + n, r.at_ms, r.place_headers) for n, r in enumerate(records))
        content = b"".join(write_line(r.value, place) for r, place in zip(records, places, strict=True))
        at = self._size
        try:
            while content:
                written = os.pwrite(self._file, content, at)
                content, at = content[written:], at + written
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size = at
        self._written += len(records)

    @property
    def unread(self) -> bool:
        """Whether it holds events that weren't taken out to be sent."""
        return self._read < self._size

    def chunk(self) -> list[Outbound]:
        """The next events to be sent, a thousand at most; all before them have arrived."""
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(self._read)
            lines = [line for line in (file.readline() for _ in range(CHUNK)) if line]
            self._read = file.tell()
        records = [record for record in map(self._record, lines) if record is not None]
        self._taken, self.unreadable = len(lines), len(lines) - len(records)
        return records

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
        at = EPOCH + (place.timestamp or 0) * MILLISECOND
        return Outbound(author, value, at, list(place.headers))

    def commit(self) -> int:
        """Note that the events taken out arrived, in the file too, for a later run; how many lines they were."""
        if self._taken:
            blank = b" " * (self._read - self._sent - 1) + b"\n"
            with suppress(OSError):  # then they may arrive twice
                os.pwrite(self._file, blank, self._sent)
        arrived, self._taken, self._sent = self._taken, 0, self._read
        return arrived

    def _blank(self) -> int:
        """How many bytes at the beginning are those of events that arrived already."""
        at = 0
        while block := os.pread(self._file, BLOCK, at):
            left = len(block.lstrip())
            at += len(block) - left
            if left:
                break
        return at

    def rewind(self) -> None:
        """Go back to the first event that may not have arrived."""
        self._taken, self._read = 0, self._sent

    def finish(self) -> None:
        """Remove the file: all that it held arrived."""
        self.path.unlink(missing_ok=True)
        os.close(self._file)

    def leave(self) -> None:
        """Leave the file to a later run, or to the process that we were forked from."""
        os.close(self._file)
