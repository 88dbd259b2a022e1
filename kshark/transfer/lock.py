"""A capture file held while it is imported: no other process sends it meanwhile, and it can be read more than once."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from agentlog.errors import UsageError
from agentlog.log.capture_file import copy_stream


class LockedCapture(NamedTuple):
    """A capture file that can be read again and again.

    Attributes:
        path: where its bytes are.
        name: what it is called for a person.
    """

    path: str
    name: str


@contextmanager
def lock_capture(path: str) -> Iterator[LockedCapture]:
    """The file at ``path``, locked as an AgentTracer locks its spool; what can be read only once is copied.

    Raises:
        UsageError: it can't be read, or somebody is at it.
    """
    if path == "-":
        with copy_stream(sys.stdin.buffer) as copy:
            yield LockedCapture(copy, "standard input")
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}. A capture file is what is imported.") from error
    with file:
        if Path(path).is_file():
            _lock_file(file, path)
            yield LockedCapture(path, path)
        else:
            with copy_stream(file) as copy:
                yield LockedCapture(copy, path)


def _lock_file(file: BinaryIO, path: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"{path} is in use: by an AgentTracer, which sends it by itself once Kafka is back, or by another import"
        ) from None
    except OSError:  # a file system without locks: nobody else could lock it either
        return
