"""Where the bytes of a session wait until they are looked at: a temporary file without a name."""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile, gettempdir
from typing import IO

from agentlog.errors import UsageError


class SpillFile:
    """Bytes, and beside them the marks of the ids that they hold.

    Attributes:
        id_hashes: the marks, one record's behind the other's.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.id_hashes = array("q")
        self._file = file
        self._end = 0
        self._is_read_last = False

    def append(self, value: bytes) -> int:
        """Keep ``value``, and say where.

        Raises:
            UsageError: there is no room for it.
        """
        try:
            if self._is_read_last:
                self._file.seek(self._end)
                self._is_read_last = False
            self._file.write(value)
        except OSError as error:
            raise UsageError(f"{gettempdir()}: {error.strerror}. TMPDIR names another folder to work in.") from error
        offset, self._end = self._end, self._end + len(value)
        return offset

    def read_value(self, offset: int, size: int) -> bytes:
        """The bytes that were put there."""
        self._is_read_last = True
        self._file.seek(offset)
        return self._file.read(size)

    def get_id_hashes(self, start: int, count: int) -> Sequence[int]:
        """So many marks of ids."""
        return self.id_hashes[start : start + count]

    def flush(self) -> None:
        """Hand everything to the file, so that another process finds it there."""
        self._file.flush()


@contextmanager
def open_spill() -> Iterator[SpillFile]:
    """A shelf that is gone afterwards."""
    with TemporaryFile() as file:
        yield SpillFile(file)
