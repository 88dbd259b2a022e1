"""A capture file that events wait in while Kafka is away."""

import fcntl
import logging
import os
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Self

import msgspec

from ..capture import event_of, write_line
from ..codec import decode
from ..events import Place, Unreadable
from .records import Author, Outbound

CHUNK = 1_000

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
        self._file = path.open("ab", buffering=0)  # a forked child must find nothing here to write a second time
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise
        self._written = self._taken = self._sent = self._read = 0
        self._size = os.fstat(self._file.fileno()).st_size

    @classmethod
    def left_behind(cls, folder: Path, name: str) -> Iterator[Self]:
        """The files in ``folder`` that earlier runs left under ``name``, the oldest first."""
        found = folder.glob(f"{escape(name)}.*.ndjson")
        for path in sorted(found, key=_changed_at):
            if path.name.count(".") != name.count(".") + 2:
                continue  # of a topic whose name begins like ours
            try:
                spool = cls(path)
            except OSError:
                continue  # another process is at it, or has just sent it
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
        size = self._size + len(content)
        try:
            while content:
                content = content[self._file.write(content) :]
        except OSError:
            os.ftruncate(self._file.fileno(), self._size)
            raise
        self._size = size
        self._written += len(records)

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
        return Outbound(author, value, place.timestamp or 0, list(place.headers))

    def commit(self) -> int:
        """Note that the events taken out arrived; how many lines they were."""
        arrived, self._taken, self._sent = self._taken, 0, self._read
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
