"""The command `kshark sessions`: a row for each session, the totals, and the coverage."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from agentlog.errors import NothingToShow, UsageError
from agentlog.event.position import Moment, PositionRange
from agentlog.formatting import format_count
from agentlog.terminal.options import SourceOptions
from agentlog.terminal.output import get_width, write_bytes, write_stderr
from agentlog.terminal.pager import page_lines
from agentlog.terminal.style import choose_paint
from agentlog.terminal.unreadable_report import UnreadableReport

from ..catalogue.load import SessionList, load_sessions
from ..catalogue.query import Query
from ..catalogue.store import Store
from .json_document import render_json, render_json_line
from .table import render_table

MAX_UNREADABLE_LISTED = 10_000
"""The most unreadable records that a JSON document names."""

DEFAULT_LIMIT = 40
"""The most sessions that text shows without --limit."""


@dataclass(frozen=True)
class SessionsOptions:
    """Options for the output. A limit of 0 means no limit."""

    format: str = "text"
    limit: int | None = None
    pager: bool = True

    @property
    def row_limit(self) -> int | None:
        """The most sessions to write; None for all."""
        limit = DEFAULT_LIMIT if self.limit is None and self.format == "text" else self.limit
        return min(limit, sys.maxsize) if limit else None


def list_sessions(source_options: SourceOptions, query: Query, options: SessionsOptions, use_catalogue: bool) -> None:
    """Write a row for each session that the query selects.

    Raises:
        UsageError: a bound is an offset, not a time.
        NothingToShow: there are records, and none of them could be read.
        AgentlogError: the source can't be read.
    """
    check_span(query.span)
    with load_sessions(source_options, use_catalogue) as session_list:
        report_unreadable(session_list)
        for sentence in _find_unknown_choices(query, session_list.store, source_options):
            write_stderr(sentence)
        rows = query.select_rows(session_list.store, options.row_limit)
        if options.format == "json":
            totals = query.select_totals(session_list.store)
            unreadable = list(session_list.list_unreadable(MAX_UNREADABLE_LISTED))
            write_bytes([render_json(list(rows), totals, query, session_list.coverage, unreadable)])
        check_readable(session_list)
        if options.format == "ndjson":
            write_bytes(render_json_line(row, query) for row in rows)
        elif options.format == "text":
            totals = query.select_totals(session_list.store)
            lines = render_table(
                list(rows), totals, query, session_list.coverage, get_width(), choose_paint(sys.stdout)
            )
            page_lines(lines, use_pager=options.pager)


def report_unreadable(session_list: SessionList) -> None:
    """Write a line for each reason of the list's unreadable records."""
    report = UnreadableReport()
    for unreadable, count in session_list.count_unreadable():
        report.add(unreadable, count)
    report.write()


def check_readable(session_list: SessionList) -> None:
    """Raise NothingToShow if there are records, and none of them could be read."""
    coverage = session_list.coverage
    if coverage.unreadable and coverage.unreadable == coverage.records:
        unit = "record" if coverage.partition_count else "line"
        raise NothingToShow(f"no session in {coverage.source}: {format_count(coverage.records, unit)}, none readable")


def _find_unknown_choices(query: Query, store: Store, source_options: SourceOptions) -> Iterator[str]:
    """Yield a sentence for each agent and each tool of the query that no session has."""
    if not query.agents and not query.tools:
        return
    from ..view.unknown_choice import describe_unknown_choice  # noqa: PLC0415  it loads the words of all steps

    where = source_options.file or "this topic"
    for asked in dict.fromkeys(query.agents):
        if not store.has_name("agents", asked):
            yield describe_unknown_choice("--agent", asked, where, store.list_names("agents"))
    for asked in dict.fromkeys(query.tools):
        if not store.has_name("tools", asked):
            yield describe_unknown_choice("--tool", asked, where, store.list_names("tools"))


def check_span(span: PositionRange) -> None:
    """Check that the bounds are times.

    Raises:
        UsageError: a bound is an offset.
    """
    for bound in span:
        if bound is not None and not isinstance(bound, Moment):
            raise UsageError(f"--from and --to choose sessions by time, not by {bound.describe()}")
