"""Where the bytes of a session wait until they are looked at: a temporary file without a name."""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile, gettempdir
from typing import IO

from agentlog.errors import UsageError


class Shelf:
    """Bytes, and beside them the marks of the ids that they hold.

    Attributes:
        ids: the marks, one record's behind the other's.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.ids = array("q")
        self._file = file
        self._end = 0
        self._was_read = False

    def put(self, value: bytes) -> int:
        """Keep ``value``, and say where.

        Raises:
            UsageError: there is no room for it.
        """
        try:
            if self._was_read:
                self._file.seek(self._end)
                self._was_read = False
            self._file.write(value)
        except OSError as error:
            raise UsageError(f"{gettempdir()}: {error.strerror}. TMPDIR names another folder to work in.") from error
        at, self._end = self._end, self._end + len(value)
        return at

    def value(self, at: int, size: int) -> bytes:
        """The bytes that were put there."""
        self._was_read = True
        self._file.seek(at)
        return self._file.read(size)

    def marks(self, start: int, count: int) -> Sequence[int]:
        """So many marks of ids."""
        return self.ids[start : start + count]

    def flush(self) -> None:
        """Hand everything to the file, so that another process finds it there."""
        self._file.flush()


@contextmanager
def shelf() -> Iterator[Shelf]:
    """A shelf that is gone afterwards."""
    with TemporaryFile() as file:
        yield Shelf(file)
