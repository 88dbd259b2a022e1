"""`kshark sessions`: which sessions there were, what they did and cost, and how far that can be trusted."""

import sys
from dataclasses import dataclass
from itertools import islice

from agentlog.cli import Where
from agentlog.errors import UsageError
from agentlog.event.position import Moment, Span
from agentlog.terminal.output import page, paint_for, width, write_bytes
from agentlog.terminal.unreadable_report import NAMED, name_first

from ..catalogue.load import gathered
from ..catalogue.query import Query
from .json_document import document, line
from .table import table

LISTED = 10_000
"""How many unreadable records a JSON document names."""

SHOWN = 40
"""How many sessions a text shows unless a limit is given."""


@dataclass(frozen=True)
class Choice:
    """How the answer is to be written; a limit of 0 is none."""

    format: str = "text"
    limit: int | None = None
    pager: bool = True

    @property
    def most(self) -> int | None:
        """How many sessions are written; None for all."""
        limit = SHOWN if self.limit is None and self.format == "text" else self.limit
        return limit or None


def sessions(where: Where, query: Query, choice: Choice, catalogue: bool) -> None:
    """Write a row for each session that was asked for.

    Raises:
        UsageError: a bound is a place, not a time.
        AgentlogError: the source can't be read.
    """
    check_span(query.span)
    with gathered(where, catalogue) as found:
        name_first(found.unreadable(NAMED), found.read.unreadable)
        rows = islice(query.rows(found.store), choice.most)
        if choice.format == "ndjson":
            write_bytes(line(row, query) for row in rows)
            return
        totals = query.totals(found.store)
        if choice.format == "json":
            write_bytes([document(list(rows), totals, query, found.read, list(found.unreadable(LISTED)))])
            return
        lines = table(list(rows), totals, query, found.read, width(), paint_for(sys.stdout))
        page(lines, pager=choice.pager)


def check_span(span: Span) -> None:
    """Raise UsageError unless the bounds are times."""
    for bound in span:
        if bound is not None and not isinstance(bound, Moment):
            raise UsageError(f"sessions are chosen by time, not by {bound.describe()}")
