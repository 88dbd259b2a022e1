"""The command `kshark report`: a session, written as one HTML page."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from agentlog.atomic_file import open_replacement
from agentlog.errors import UsageError
from agentlog.event.escape import escape_controls
from agentlog.formatting import format_count
from agentlog.terminal.output import write_bytes, write_stderr

from ..source.read_session import read_session
from ..source.session_request import SessionRequest
from .page import render_page

MAX_NAME_LENGTH = 100


def write_report(request: SessionRequest, output: str | None, full: bool) -> None:
    """Write a session's page.

    Raises:
        NothingToShow: no record of it could be read.
        UsageError: the page can't be written, or it would overwrite a file that --output doesn't name.
        AgentlogError: the source can't be read.
    """
    path = _choose_path(request.session_id, output)
    session = read_session(request)
    timeline = session.timeline
    if full:
        from ..view.fetch_payloads import fetch_references  # noqa: PLC0415

        fetch_references(timeline.steps)
    pieces = render_page(timeline, session.coverage, session.unreadable)
    if path is None:
        return write_bytes(pieces)
    _write_page(path, pieces)
    write_stderr(
        f"wrote {escape_controls(str(path))}: {format_count(timeline.totals.events, 'event')}, "
        f"{path.stat().st_size / 1e6:,.1f} MB"
    )
    return None


def _choose_path(session_id: str, output: str | None) -> Path | None:
    """Return the file to write, or None for standard output."""
    if output is not None:
        return None if output == "-" else Path(output)
    if not sys.stdout.isatty():
        return None
    path = Path(make_file_name(session_id))
    if path.exists():
        raise UsageError(f"{path} exists already; to overwrite it: -o {path}")
    return path


def make_file_name(session_id: str) -> str:
    """Return a file name for a session that is safe for file systems, shells and links."""
    return re.sub(r"[^\w.-]|^[.-]", "_", session_id[:MAX_NAME_LENGTH], flags=re.ASCII) + ".html"


def _write_page(path: Path, pieces: Iterable[bytes]) -> None:
    """Write the whole file or nothing: an existing page stays until the new one is complete."""
    try:
        with open_replacement(path) as file:
            file.writelines(pieces)
    except OSError as error:
        raise UsageError(f"{escape_controls(str(path))} can't be written: {error.strerror}") from error
