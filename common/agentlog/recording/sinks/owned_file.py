"""The owned file, which is known by its device and inode, because its descriptor may be closed under us."""

import errno
import fcntl
import os
from pathlib import Path

_COMPARED_FLAGS = os.O_ACCMODE | os.O_APPEND


class DescriptorClosedError(OSError):
    """The descriptor of a file was closed, and may be another file's by now."""


class OwnedFile:
    """An open file of ours.

    A daemon closes all descriptors of its process, then opens its own files under the same numbers. So ``check`` comes
    before each use of the descriptor, and a descriptor that isn't ours any more is never closed.

    Args:
        path: the file's path.
        flags: the flags of ``os.open``.

    Attributes:
        descriptor: its number. -1 once it is closed.
        identity: the file's device and inode.

    Raises:
        OSError: the file can't be opened.
    """

    def __init__(self, path: Path, flags: int) -> None:
        self.descriptor = -1
        self.path, self._flags = path, flags
        self.descriptor = os.open(path, flags, 0o666)
        self.identity = _get_identity(os.fstat(self.descriptor))

    def check(self) -> os.stat_result:
        """Return the file's status.

        Raises:
            DescriptorClosedError: the descriptor was closed, or is another file's.
        """
        try:
            status = os.fstat(self.descriptor)
            flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFL)
        except OSError as error:
            raise DescriptorClosedError(error.errno, error.strerror) from error
        # The program may have opened the same file for itself. Written there, our lines could overwrite others.
        if _get_identity(status) != self.identity or (flags ^ self._flags) & _COMPARED_FLAGS:
            raise DescriptorClosedError(errno.EBADF, "its descriptor was closed, and is another file's now")
        return status

    @property
    def is_lost(self) -> bool:
        """Whether the descriptor was closed, or is another file's."""
        try:
            self.check()
        except DescriptorClosedError:
            return True
        return False

    def has_path(self) -> bool:
        """Return whether ``path`` still leads to this file."""
        try:
            return _get_identity(self.path.stat()) == self.identity
        except OSError:
            return False

    def close(self) -> None:
        """Close the descriptor, if it is still ours."""
        if not self.is_lost:
            os.close(self.descriptor)
            self.descriptor = -1

    __del__ = close


def _get_identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
