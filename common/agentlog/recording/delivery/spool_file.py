"""The spool file, a capture file in which events wait while Kafka is away."""

import errno
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
from ..sinks.outbound import MILLISECOND, Author, OutboundEvent, read_loss
from ..sinks.owned_file import OwnedFile

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


class SpoolTakenError(OSError):
    """Our spool file lost its descriptor, and with it its lock. Now it is gone, or another process sends it."""


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
        self._file = _open_locked(path)
        self._size = os.fstat(self._file.descriptor).st_size
        self._written_count = self._sent_count = self._taken_count = 0
        self._sent_offset = self._read_offset = self._measure_blank()

    def _get_descriptor(self) -> int:
        """Return the descriptor. If the program closed it, open the file again by its path.

        Raises:
            SpoolTakenError: another process has locked the file, or it is gone.
            OSError: it can't be opened.
        """
        if not self._file.is_lost:
            return self._file.descriptor
        try:
            file = _open_locked(self.path, flags=os.O_RDWR)
        except (BlockingIOError, FileNotFoundError) as error:
            raise SpoolTakenError(error.errno, error.strerror) from error
        if file.identity != self._file.identity:
            raise SpoolTakenError(errno.ENOENT, "another file stands in its place")
        self._file = file
        return file.descriptor

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
        try:
            self._write_at_end(content)
        except OSError:
            if not self._file.is_lost:
                raise
            self._write_at_end(content)  # opens the file again
        self._size += len(content)
        self._written_count += len(records)

    def _write_at_end(self, content: bytes) -> None:
        offset = self._size
        try:
            while content:
                written_bytes = os.pwrite(self._get_descriptor(), content, offset)
                content, offset = content[written_bytes:], offset + written_bytes
            self._file.check()  # closed meanwhile, it may have been another file's when we wrote
        except OSError:
            if not self._file.is_lost:
                os.ftruncate(self._file.descriptor, self._size)
            raise

    @property
    def has_unread(self) -> bool:
        """Whether it holds events that weren't read yet."""
        return self._read_offset < self._size

    def read_chunk(self) -> list[OutboundEvent]:
        """Return the next events, at most ``CHUNK_EVENTS``. All events before them have arrived.

        Raises:
            SpoolTakenError: another process has locked the file, or it is gone.
            OSError: it can't be read.
        """
        with os.fdopen(os.dup(self._get_descriptor()), "rb") as file:
            file.seek(self._read_offset)
            lines = [line for line in (file.readline() for _ in range(CHUNK_EVENTS)) if line]
            read_offset = file.tell()
        self._file.check()  # closed meanwhile, it may have been another file that we read
        self._read_offset = read_offset
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
        record = OutboundEvent(author, value, at, list(place.headers))
        record.tells = read_loss(decoded.event, record.at_ms)
        return record

    def commit(self) -> int:
        """Note in the file that the events of the last chunk arrived, so that a later run skips them.

        Returns:
            how many lines the chunk had.
        """
        if self._taken_count:
            blank = b" " * (self._read_offset - self._sent_offset - 1) + b"\n"
            with suppress(OSError):  # without the note, a later run sends them a second time
                os.pwrite(self._get_descriptor(), blank, self._sent_offset)
        arrived_count, self._taken_count, self._sent_offset = self._taken_count, 0, self._read_offset
        self._sent_count += arrived_count
        return arrived_count

    def _measure_blank(self) -> int:
        """Return how many bytes at the beginning belong to events that have arrived. They are blank."""
        offset = 0
        while block := os.pread(self._file.descriptor, BLOCK_BYTES, offset):
            remaining = len(block.lstrip())
            offset += len(block) - remaining
            if remaining:
                break
        return offset

    def rewind(self) -> None:
        """Go back to the first event that may not have arrived."""
        self._taken_count, self._read_offset = 0, self._sent_offset

    @property
    def is_own(self) -> bool:
        """Whether this process wrote events to it."""
        return self._written_count > 0

    @property
    def unsent_count(self) -> int:
        """How many of the events that this process wrote haven't arrived, as far as is known."""
        return self._written_count - self._sent_count

    def remove(self) -> None:
        """Remove the file, because all its events arrived."""
        try:
            if self._file.has_path():
                self.path.unlink(missing_ok=True)
        except OSError as error:  # nothing is left in it to be sent
            _log.warning("%s holds no events any more, but can't be removed: %s", self.path, error)
        self._file.close()

    def release(self) -> None:
        """Leave the file to a later run, or to the parent process."""
        self._file.close()


def _open_locked(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> OwnedFile:
    # Without a buffer, because a forked child would write its copy of the buffer a second time.
    file = OwnedFile(path, flags)
    fcntl.flock(file.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if not os.fstat(file.descriptor).st_nlink:
        raise FileNotFoundError(errno.ENOENT, f"{path}: another process has just sent it")
    return file
