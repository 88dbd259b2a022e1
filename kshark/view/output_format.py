"""The format of commands that give records back, and a hint for who reads them by eye."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from agentlog.errors import Stopped
from agentlog.terminal.output import is_pipe, write_stderr

PAGER_START_S = 0.2
"""So long a pager may take to draw its first page."""


HINT = "A pipe gets NDJSON; add --format text to read it, or --format ndjson to lose this line."


def choose_format(requested: str | None) -> str:
    """A terminal gets a picture, a pipe the records, unless a format was asked for."""
    return requested or ("text" if sys.stdout.isatty() else "ndjson")


@contextmanager
def explain_format(requested: str | None) -> Iterator[None]:
    """Say on standard error what a pipe gets, to a person who chose no format: the reader may be a pager.

    It is said once all is written, or the reader has gone. Before that a pager's first page would hide it.
    """
    is_person = requested is None and is_pipe(sys.stdout) and sys.stderr.isatty()
    try:
        yield
    except Stopped as stopped:
        if is_person and stopped.exit_code == 0:
            write_stderr(HINT)
        raise
    if is_person:
        time.sleep(PAGER_START_S)
        write_stderr(HINT)
