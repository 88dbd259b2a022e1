"""What all tools share in writing: terminals, colours, the pager, progress, and text that can't be trusted."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO

from ..errors import Stopped, UsageError
from ..event.escape import escape_controls

DEFAULT_WIDTH = 100
"""How wide text is where there is no terminal, unless COLUMNS says it."""

MIN_WIDTH = 40


def get_width(stream: IO[str] | None = None) -> int:
    """How many columns a stream has, else standard output: COLUMNS, else its terminal's, else 100."""
    return max(_read_columns_variable() or _ask_terminal(stream or sys.stdout) or DEFAULT_WIDTH, MIN_WIDTH)


def _read_columns_variable() -> int:
    try:
        return max(int(os.environ.get("COLUMNS", "")), 0)
    except ValueError:
        return 0


def _ask_terminal(stream: IO[str]) -> int:
    """A terminal's columns; 0 where it doesn't know them, or where there is no terminal."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


def is_pipe(stream: IO[str]) -> bool:
    """Whether another program reads what is written to a stream."""
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def write_lines(lines: Iterable[str]) -> None:
    """Write lines to standard output, each with a newline.

    Raises:
        Stopped: whoever read them has gone; that's no failure.
        UsageError: they can't be written: the disk is full.
    """
    with _handle_write_errors():
        sys.stdout.writelines(f"{line}\n" for line in lines)


def write_bytes(chunks: Iterable[bytes]) -> None:
    """Write chunks to standard output as they are; see ``write_lines``."""
    with _handle_write_errors():
        sys.stdout.buffer.writelines(chunks)


@contextmanager
def _handle_write_errors() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
        raise Stopped(0) from None
    except OSError as error:
        _discard(sys.stdout)
        raise UsageError(f"standard output can't be written: {error.strerror}") from error


def _discard(stream: IO[str]) -> None:
    """What is still buffered goes nowhere, so that the interpreter's last flush doesn't fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_stderr(text: str) -> None:
    """A line, or several, for standard error; controls in it are escaped, but for line ends."""
    try:
        sys.stderr.write("\n".join(escape_controls(line) for line in text.split("\n")) + "\n")
    except OSError:  # nobody can be told
        _discard(sys.stderr)
