"""A capture file as a source, and copies of what can be read only once."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import BinaryIO

from ..event import capture
from ..event.event import Place, Unreadable
from ..event.position import Span
from ..session.coverage import Searched
from .source import Found, remember


class CaptureSource:
    """A capture file; ``-`` is standard input."""

    def __init__(self, path: str, stdin: BufferedReader) -> None:
        self.name = "standard input" if path == "-" else path
        self.searched = Searched(self.name)
        self._path, self._stdin = path, stdin

    def records(self, session_id: str, span: Span) -> Iterator[Found]:
        """The session's records in the order of the file's lines."""
        number = 0
        with capture.open_capture(self._path, self._stdin) as stream:
            try:
                for number, line in capture.lines(stream):
                    self.searched.records += 1
                    found = capture.read_line(line, session_id, self.name, number)
                    if isinstance(found, str):
                        remember(self.searched, [found.encode()])
                    elif isinstance(found, Unreadable) or span.holds(found):
                        self.searched.unreadable += isinstance(found, Unreadable)
                        yield found
            except OSError as error:
                self.searched.unreadable += 1
                yield _damaged(self.name, number + 1, error)


def every_record(path: str, name: str, stdin: BufferedReader) -> Iterator[Found]:
    """The records of all sessions in a capture file, and its lines that hold none; ``name`` is the file's for a person.

    Raises:
        UsageError: the file can't be opened.
    """
    number = 0
    with capture.open_capture(path, stdin) as stream:
        try:
            for number, line in capture.lines(stream):
                yield capture.read_record(line, name, number)
        except OSError as error:
            yield _damaged(name, number + 1, error)


def _damaged(name: str, line: int, error: OSError) -> Unreadable:
    return Unreadable(f"{name}:{line}", Place(None, -1, line), f"the file is damaged from here on: {error}")


@contextmanager
def copied(stream: BinaryIO) -> Iterator[str]:
    """Where what comes from ``stream``, which can be read only once, can be read again."""
    with tempfile.NamedTemporaryFile(prefix="agentlog-") as copy:
        shutil.copyfileobj(stream, copy)
        copy.flush()
        yield copy.name
