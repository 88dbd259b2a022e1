"""`kshark report`: read a session's records, and write them as one page."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from agentlog.atomic_file import replacing
from agentlog.errors import UsageError
from agentlog.formatting import counted
from agentlog.terminal.output import complain, write_bytes

from ..replay.command import read_session
from ..wanted import Wanted
from .page import page

LONGEST_NAME = 100


def report(wanted: Wanted, output: str | None, full: bool) -> None:
    """Write a session's page.

    Raises:
        NothingToShow: no record of it could be read.
        UsageError: the page can't be written, or nobody named the file that is there already.
        AgentlogError: the source can't be read.
    """
    path = _path(wanted.session_id, output)
    read = read_session(wanted)
    found = read.timeline
    if full:
        from ..view.fetch_payloads import fetch_references  # noqa: PLC0415

        fetch_references(found.steps)
    pieces = page(found, read.covered, read.unreadable)
    if path is None:
        return write_bytes(pieces)
    _write(path, pieces)
    complain(f"wrote {path}: {counted(found.totals.events, 'event')}, {path.stat().st_size / 1e6:,.1f} MB")
    return None


def _path(session_id: str, output: str | None) -> Path | None:
    """The file to write; None is standard output."""
    if output is not None:
        return None if output == "-" else Path(output)
    if not sys.stdout.isatty():
        return None
    path = Path(file_name(session_id))
    if path.exists():
        raise UsageError(f"{path} is there already; to overwrite it: -o {path}")
    return path


def file_name(session_id: str) -> str:
    """A name that any file system takes and no shell or page stumbles over."""
    return re.sub(r"[^\w.-]|^[.-]", "_", session_id[:LONGEST_NAME], flags=re.ASCII) + ".html"


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    """Write the file, whole or not at all: a page that is there stays until the new one is."""
    try:
        with replacing(path) as file:
            file.writelines(pieces)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}") from error
