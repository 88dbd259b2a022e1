"""A session that is wanted without its id: the newest, or the one that a person picks."""

import sys
from collections.abc import Sequence
from itertools import islice

import click

from agentlog.errors import NothingToShow, UsageError
from agentlog.session.summary import Summary
from agentlog.terminal.output import paint_for, width, write

from ..catalogue.load import gathered
from ..catalogue.query import Query
from ..wanted import Wanted
from .command import check_span
from .table import numbered

OFFERED = 15


def picked(wanted: Wanted, *, last: bool) -> Wanted:
    """What is wanted, with the id of the newest session, or of the one that is picked at the terminal.

    Raises:
        UsageError: nobody is there to pick one, or the source can be read but once.
        NothingToShow: there is no session.
        AgentlogError: the source can't be read.
    """
    check_span(wanted.span)
    if not last and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("which session? Name one, or the newest by --last; kshark sessions lists them")
    if wanted.where.flows:
        raise UsageError("a pipe can be read but once, so --file needs the session's id, or a file")
    query = Query(wanted.span)
    with gathered(wanted.where, wanted.catalogue) as found:
        rows = list(islice(query.rows(found.store), 1 if last else OFFERED))
    if not rows:
        raise NothingToShow(f"no session in {found.read.what}")
    return wanted._replace(session_id=rows[0].session_id if last else _asked(rows, query))


def _asked(rows: Sequence[Summary], query: Query) -> str:
    write(numbered(rows, query, width(), paint_for(sys.stdout)))
    try:
        number = click.prompt("Which one?", default=1, type=click.IntRange(1, len(rows)))
    except click.Abort:
        click.echo()  # the prompt stands on its line alone
        raise UsageError("no session was picked") from None
    return rows[number - 1].session_id
