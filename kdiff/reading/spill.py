"""A spill file: a temporary file without a name that holds payloads until they are needed."""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile, gettempdir
from typing import IO

from agentlog.errors import UsageError


class SpillFile:
    """The bytes of records in a file, and the hashes of their ids in memory.

    Attributes:
        id_hashes: the hashes of all records, one record after the other.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.id_hashes = array("q")
        self._file = file
        self._end = 0
        self._is_read_last = False

    def append(self, value: bytes) -> int:
        """Append ``value``, and return its offset.

        Raises:
            UsageError: the disk is full, or the file can't be written.
        """
        try:
            if self._is_read_last:
                self._file.seek(self._end)
                self._is_read_last = False
            self._file.write(value)
        except OSError as error:
            raise UsageError(f"{gettempdir()}: {error.strerror}. Set TMPDIR to another folder.") from error
        offset, self._end = self._end, self._end + len(value)
        return offset

    def read_value(self, offset: int, size: int) -> bytes:
        """Read the bytes at an offset."""
        self._is_read_last = True
        self._file.seek(offset)
        return self._file.read(size)

    def get_id_hashes(self, start: int, count: int) -> Sequence[int]:
        """Return ``count`` hashes of ids from the index ``start``."""
        return self.id_hashes[start : start + count]

    def flush(self) -> None:
        """Write everything to the file, so that another process can read it."""
        self._file.flush()


@contextmanager
def open_spill() -> Iterator[SpillFile]:
    """Open a spill file that is deleted afterwards."""
    with TemporaryFile() as file:
        yield SpillFile(file)
