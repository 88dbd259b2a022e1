"""The lock on a capture file during its import, so that no other process sends the same events."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from agentlog.errors import UsageError
from agentlog.log.capture_file import copy_stream, format_file_name


class LockedCapture(NamedTuple):
    """A capture file that can be read several times.

    Attributes:
        path: the file, or a temporary copy of a pipe.
        name: the name for messages.
    """

    path: str
    name: str


@contextmanager
def lock_capture(path: str) -> Iterator[LockedCapture]:
    """Open the file at ``path`` with the lock that an AgentTracer takes on its spool. Copy a pipe to a temporary file.

    Raises:
        UsageError: the file can't be read, or another process has locked it.
    """
    if path == "-":
        with copy_stream(sys.stdin.buffer) as copy:
            yield LockedCapture(copy, format_file_name(path))
        return
    name = format_file_name(path)
    try:
        file = Path(path).open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror or error}. Name a capture file, or - for standard input.") from error
    with file:
        if Path(path).is_file():
            _lock_file(file, name)
            yield LockedCapture(path, name)
        else:
            with copy_stream(file) as copy:
                yield LockedCapture(copy, name)


def _lock_file(file: BinaryIO, name: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"{name} is in use by an AgentTracer, which sends it itself when Kafka is back, or by another import"
        ) from None
    except OSError:  # a file system without locks: nobody else could lock it either
        return
