"""The spool file, a capture file in which events wait while Kafka is away."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from ...capture_format.capture import split_line, write_line
from ...event.codec import decode
from ...event.event import EPOCH, Place, Unreadable
from ..sinks.outbound import MILLISECOND, Author, OutboundEvent

CHUNK_EVENTS = 1_000
"""How many events are read at once."""
BLOCK_BYTES = 1024 * 1024
"""How many bytes are searched at once for the first event that hasn't arrived."""

_log = logging.getLogger("agentlog.recording")


def _get_modified_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # another process has just sent and removed it
        return 0


class SpoolFile:
    """A spool file. The process that opens it locks it, so that no other process sends its events.

    Attributes:
        path: the file's path.
        unreadable_count: how many lines of the last chunk hold no event.

    Raises:
        OSError: it can't be opened, or another process has locked or just removed it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unreadable_count = 0
        # Without a buffer, because a forked child would write its copy of the buffer a second time.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(self._file)
            if not status.st_nlink:
                raise FileNotFoundError(f"{path}: another process has just sent it")
        except OSError:
            os.close(self._file)
            raise
        self._size = status.st_size
        self._written_count = self._taken_count = 0
        self._sent_offset = self._read_offset = self._measure_blank()

    @classmethod
    def open_earlier(cls, folder: Path, name: str) -> Iterator[Self]:
        """Yield the files in ``folder`` that earlier runs left under ``name``, the oldest first."""
        paths = folder.glob(f"{name}.*.ndjson")
        for path in sorted(paths, key=_get_modified_at):
            try:
                spool = cls(path)
            except (BlockingIOError, FileNotFoundError):
                continue  # another process is sending it, or has just sent it
            except OSError as error:
                _log.warning("the events in %s can't be sent: %s", path, error)
                continue
            if spool.has_unread:
                yield spool
            else:
                spool.remove()

    def append(self, records: list[OutboundEvent], topic: str) -> None:
        """Write ``records`` to the end of the file. They survive a kill of the process.

        Raises:
            OSError: they can't be written, for example because the disk is full. Then none of them is written.
        """
        places = (Place(topic, -1, self._written_count + n, r.at_ms, r.capture_headers) for n, r in enumerate(records))
        content = b"".join(write_line(r.value, place) for r, place in zip(records, places, strict=True))
        offset = self._size
        try:
            while content:
                written_bytes = os.pwrite(self._file, content, offset)
                content, offset = content[written_bytes:], offset + written_bytes
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size = offset
        self._written_count += len(records)

    @property
    def has_unread(self) -> bool:
        """Whether it holds events that weren't read yet."""
        return self._read_offset < self._size

    def read_chunk(self) -> list[OutboundEvent]:
        """Return the next events, at most ``CHUNK_EVENTS``. All events before them have arrived."""
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(self._read_offset)
            lines = [line for line in (file.readline() for _ in range(CHUNK_EVENTS)) if line]
            self._read_offset = file.tell()
        records = [record for record in map(self._decode_line, lines) if record is not None]
        self._taken_count, self.unreadable_count = len(lines), len(lines) - len(records)
        return records

    def _decode_line(self, line: bytes) -> OutboundEvent | None:
        nowhere = Place(None, -1, 0)
        try:
            value, place = split_line(line, nowhere)
            decoded = decode(value, place, str(self.path))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            decoded = Unreadable(str(self.path), nowhere, str(error))
        if isinstance(decoded, Unreadable):
            _log.error("%s: a line isn't sent, because it holds no event: %s", self.path, decoded.reason)
            return None
        author = Author(decoded.event.session_id, decoded.event.agent_id)
        at = EPOCH + (place.timestamp or 0) * MILLISECOND
        return OutboundEvent(author, value, at, list(place.headers))

    def commit(self) -> int:
        """Note in the file that the events of the last chunk arrived, so that a later run skips them.

        Returns:
            how many lines the chunk had.
        """
        if self._taken_count:
            blank = b" " * (self._read_offset - self._sent_offset - 1) + b"\n"
            with suppress(OSError):  # without the note, a later run sends them a second time
                os.pwrite(self._file, blank, self._sent_offset)
        arrived_count, self._taken_count, self._sent_offset = self._taken_count, 0, self._read_offset
        return arrived_count

    def _measure_blank(self) -> int:
        """Return how many bytes at the beginning belong to events that have arrived. They are blank."""
        offset = 0
        while block := os.pread(self._file, BLOCK_BYTES, offset):
            remaining = len(block.lstrip())
            offset += len(block) - remaining
            if remaining:
                break
        return offset

    def rewind(self) -> None:
        """Go back to the first event that may not have arrived."""
        self._taken_count, self._read_offset = 0, self._sent_offset

    def remove(self) -> None:
        """Remove the file, because all its events arrived."""
        self.path.unlink(missing_ok=True)
        os.close(self._file)

    def release(self) -> None:
        """Leave the file to a later run, or to the parent process."""
        os.close(self._file)
