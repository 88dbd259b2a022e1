"""Output to standard output and standard error: its width, its lines, and its errors."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO

from ..errors import Stopped, UsageError
from ..event.escape import escape_controls

DEFAULT_WIDTH = 100
"""The width of text without a terminal, unless COLUMNS is set."""

MIN_WIDTH = 40
MAX_WIDTH = 100_000


def get_width(stream: IO[str] | None = None) -> int:
    """Return the width of ``stream``, by default standard output: COLUMNS, else its terminal's, else 100."""
    columns = _read_columns_variable() or _ask_terminal(stream or sys.stdout) or DEFAULT_WIDTH
    return min(max(columns, MIN_WIDTH), MAX_WIDTH)


def _read_columns_variable() -> int:
    try:
        return max(int(os.environ.get("COLUMNS", "")), 0)
    except ValueError:
        return 0


def _ask_terminal(stream: IO[str]) -> int:
    """Return the columns of a stream's terminal; 0 without one, or if it doesn't know them."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


def is_pipe(stream: IO[str]) -> bool:
    """Return whether a stream is a pipe, which another program reads."""
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def write_lines(lines: Iterable[str]) -> None:
    """Write lines to standard output, each with a newline.

    Raises:
        Stopped: the reader of the pipe has gone, which is no failure.
        UsageError: standard output can't be written, for example because the disk is full.
    """
    with _handle_write_errors():
        sys.stdout.writelines(f"{line}\n" for line in lines)


def write_bytes(chunks: Iterable[bytes]) -> None:
    """Write chunks to standard output unchanged; see ``write_lines``."""
    with _handle_write_errors():
        sys.stdout.buffer.writelines(chunks)


@contextmanager
def _handle_write_errors() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        discard_buffer(sys.stdout)
        raise Stopped(0) from None
    except OSError as error:
        discard_buffer(sys.stdout)
        raise UsageError(f"standard output can't be written: {error.strerror}") from error


def discard_buffer(stream: IO[str]) -> None:
    """Discard what is still buffered, so that the interpreter's last flush doesn't fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_stderr(text: str) -> None:
    """Write a text to standard error. Control characters other than line ends are escaped."""
    try:
        sys.stderr.write("\n".join(escape_controls(line) for line in text.split("\n")) + "\n")
    except OSError:  # standard error is closed: there is no other place to report it
        discard_buffer(sys.stderr)
