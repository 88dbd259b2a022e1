"""The whole of a session: its timeline, its coverage and its unreadable records."""

from typing import NamedTuple

from agentlog.errors import NothingToShow
from agentlog.event.event import Record, Unreadable
from agentlog.log.source import Source
from agentlog.session.coverage import Coverage, measure_coverage
from agentlog.session.timeline import Timeline, build_timeline
from agentlog.terminal.output import write_stderr
from agentlog.terminal.progress import show_progress
from agentlog.terminal.unreadable_report import report_unreadable
from agentlog.text.coverage_text import describe_key_search, describe_not_found, progress_text

from .indexed_source import open_session_source
from .session_request import SessionRequest


class LoadedSession(NamedTuple):
    """A session's timeline, its coverage, and the records that couldn't be read."""

    timeline: Timeline
    coverage: Coverage
    unreadable: list[Unreadable]


def read_session(request: SessionRequest) -> LoadedSession:
    """Read the whole of a session.

    Raises:
        NothingToShow: no record of it could be read.
        AgentlogError: the source can't be read.
    """
    with open_session_source(request) as source:
        records, unreadable = read_records(request, source)
    if not records:
        raise NothingToShow(describe_not_found(request.session_id, source.searched, request.span))
    timeline = build_timeline(request.session_id, records)
    return LoadedSession(timeline, measure_coverage(source.searched, timeline, request.span), unreadable)


def read_records(request: SessionRequest, source: Source) -> tuple[list[Record], list[Unreadable]]:
    """Return a session's records and its unreadable ones; report the unreadable ones and keys on standard error."""
    with show_progress(lambda: progress_text(source.searched)):
        items = list(source.records(request.session_id, request.span))
    records = [item for item in items if isinstance(item, Record)]
    unreadable = sorted((item for item in items if isinstance(item, Unreadable)), key=lambda item: item.place[1:3])
    report_unreadable(unreadable)
    if records and (note := describe_key_search(request.session_id, source.searched)) is not None:
        write_stderr(note)
    return records, unreadable
