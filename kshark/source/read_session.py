"""A session read whole, with what can be said of its coverage and what is unreadable."""

from typing import NamedTuple

from agentlog.errors import NothingToShow
from agentlog.event.event import Record, Unreadable
from agentlog.log.source import Source
from agentlog.session.coverage import Coverage, measure_coverage
from agentlog.session.timeline import Timeline, build_timeline
from agentlog.terminal.progress import show_progress
from agentlog.terminal.unreadable_report import report_first
from agentlog.text.coverage_text import describe_not_found, progress_text

from .indexed_source import open_session_source
from .session_request import SessionRequest


class LoadedSession(NamedTuple):
    """A session as it was read: how far it can be trusted, and what can't be read."""

    timeline: Timeline
    coverage: Coverage
    unreadable: list[Unreadable]


def read_session(request: SessionRequest) -> LoadedSession:
    """Read a session whole.

    Raises:
        NothingToShow: no record of it could be read.
        AgentlogError: the source can't be read.
    """
    with open_session_source(request) as source:
        records, unreadable = read_records(request, source)
    if not records:
        raise NothingToShow(describe_not_found(request.session_id, source.searched, request.span))
    session_timeline = build_timeline(request.session_id, records)
    return LoadedSession(
        session_timeline, measure_coverage(source.searched, session_timeline, request.span), unreadable
    )


def read_records(request: SessionRequest, source: Source) -> tuple[list[Record], list[Unreadable]]:
    """All of a session's records; those that can't be read are named on standard error, and come along."""
    with show_progress(lambda: progress_text(source.searched)):
        items = list(source.records(request.session_id, request.span))
    records = [item for item in items if isinstance(item, Record)]
    unreadable = sorted((item for item in items if isinstance(item, Unreadable)), key=lambda item: item.place[1:3])
    report_first(unreadable, len(unreadable))
    return records, unreadable
