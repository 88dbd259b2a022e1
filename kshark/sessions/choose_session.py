"""The choice of a session without its id: the newest one, or the one that a person picks."""

import sys
from collections.abc import Sequence

import typer

from agentlog.errors import NothingToShow, UsageError
from agentlog.event.escape import escape_controls
from agentlog.session.summary import Summary
from agentlog.terminal.output import get_width, write_lines
from agentlog.terminal.style import choose_paint

from ..catalogue.load import load_sessions
from ..catalogue.query import Query
from ..source.session_request import SessionRequest
from .command import check_readable, check_span, report_unreadable
from .table import render_numbered_rows

MAX_CHOICES = 15


def choose_session(request: SessionRequest, *, is_newest: bool) -> SessionRequest:
    """Return the request with the id of the newest session, or of the one that the user picks at the terminal.

    Raises:
        UsageError: there is no terminal to pick one, or the source can be read only once.
        NothingToShow: there is no session.
        AgentlogError: the source can't be read.
    """
    check_span(request.span)
    if not is_newest and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("name a SESSION, or take the newest with --last; kshark sessions lists them")
    if request.source.is_pipe:
        raise UsageError("a pipe can be read only once: name a SESSION, or give --file a file")
    query = Query(request.span)
    with load_sessions(request.source, request.use_catalogue) as session_list:
        rows = list(query.select_rows(session_list.store, 1 if is_newest else MAX_CHOICES))
        if not rows:
            report_unreadable(session_list)
            check_readable(session_list)
    if not rows:
        raise NothingToShow(f"no session in {session_list.coverage.source}")
    return request._replace(session_id=rows[0].session_id if is_newest else _ask_for_session(rows, query))


def _ask_for_session(rows: Sequence[Summary], query: Query) -> str:
    write_lines(render_numbered_rows(rows, query, get_width(), choose_paint(sys.stdout)))
    try:
        picked_id: str = typer.prompt(
            "Which one?", default="1", value_proc=lambda answer: _resolve_answer(answer, rows)
        )
    except typer.Abort:
        typer.echo()  # ends the line of the prompt
        raise UsageError("no session was picked") from None
    return picked_id


def _resolve_answer(answer: str, rows: Sequence[Summary]) -> str:
    """Return the id of the row that ``answer`` names by its number, its id, or the whole line as shown.

    Raises:
        typer.BadParameter: it names no row.
    """
    word = next(iter(answer.split()), "")
    if word.isdecimal() and 1 <= int(word) <= len(rows):
        return rows[int(word) - 1].session_id
    ids = [row.session_id for row in rows]
    if answer.strip() not in ids:
        raise typer.BadParameter(
            f"{escape_controls(answer)} is not in the list: type a number from 1 to {len(rows)}, or an id"
        )
    return answer.strip()
