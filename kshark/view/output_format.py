"""The default format of commands that return records, and a hint about it for people."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from agentlog.errors import Stopped
from agentlog.terminal.output import is_pipe, write_stderr

PAGER_START_S = 0.2
"""How long a pager may take to draw its first page."""

HINT = "A pipe gets NDJSON; add --format text to read it, or --format ndjson to lose this line."


def choose_format(requested: str | None) -> str:
    """Return the requested format, else ``text`` on a terminal and ``ndjson`` in a pipe or file."""
    return requested or ("text" if sys.stdout.isatty() else "ndjson")


@contextmanager
def explain_format(requested: str | None) -> Iterator[None]:
    """Print a hint on standard error if a person pipes records without --format; the reader may be a pager.

    The hint comes after the output, or after the reader has gone. Before, a pager's first page would hide it.
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
