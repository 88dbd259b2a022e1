"""`kshark replay`: read a session's records, put them in order, write them out."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from agentlog.errors import NothingToShow, Stopped
from agentlog.event import capture
from agentlog.event.event import Record, Unreadable
from agentlog.log.source import Source
from agentlog.session.coverage import Coverage, measure_coverage
from agentlog.session.timeline import Step, Timeline, build_timeline
from agentlog.terminal.output import (
    choose_paint,
    get_width,
    is_pipe,
    page_lines,
    paint_plain,
    show_progress,
    write_bytes,
    write_lines,
    write_stderr,
)
from agentlog.terminal.unreadable_report import report_first
from agentlog.text.coverage_text import describe_not_found, describe_range, progress_text
from agentlog.text.step_text import get_step_word

from ..render import Look, text
from ..source.indexed_source import open_session_source
from ..wanted import Wanted


@dataclass(frozen=True)
class Choice:
    """Which steps are wanted, and how they are to be written."""

    types: Sequence[str] = ()
    agents: Sequence[str] = ()
    errors: bool = False
    format: str = "text"
    full: bool = False
    max_chars: int | None = None
    pager: bool = True

    def matches(self, step: Step) -> bool:
        """Whether a step is wanted. A type is an event type, or the word that the text shows for it."""
        by_type = not self.types or not {step.kind, step.event.event_type, get_step_word(step)}.isdisjoint(self.types)
        by_agent = not self.agents or step.event.agent_id in self.agents
        return by_type and by_agent and (not self.errors or step.error is not None)

    def make_layout(self, began: int, steps: int) -> Look:
        """How text of a session of so many steps is to be written for where it goes."""
        is_for_terminal = self.format in ("text", "tree")
        return Look(
            get_width(),
            choose_paint(sys.stdout) if is_for_terminal else paint_plain,
            began,
            steps,
            self.full,
            self.max_chars,
        )


FIRST_PAGE_S = 0.2
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
        time.sleep(FIRST_PAGE_S)
        write_stderr(HINT)


def replay_session(wanted: Wanted, choice: Choice) -> None:
    """Show a session.

    Raises:
        NothingToShow: no record of it could be read.
        AgentlogError: the source can't be read.
    """
    session = read_session(wanted)
    if choice.format == "ndjson" and any(wanted.span):
        write_stderr(f"shown {describe_range(wanted.span)}")
    show_timeline(session.timeline, session.coverage, session.unreadable, choice)


class LoadedSession(NamedTuple):
    """A session as it was read: how far it can be trusted, and what can't be read."""

    timeline: Timeline
    coverage: Coverage
    unreadable: list[Unreadable]


def read_session(wanted: Wanted) -> LoadedSession:
    """Read a session whole.

    Raises:
        NothingToShow: no record of it could be read.
        AgentlogError: the source can't be read.
    """
    with open_session_source(wanted) as source:
        records, unreadable = read_records(wanted, source)
    if not records:
        raise NothingToShow(describe_not_found(wanted.session_id, source.searched, wanted.span))
    session_timeline = build_timeline(wanted.session_id, records)
    return LoadedSession(session_timeline, measure_coverage(source.searched, session_timeline, wanted.span), unreadable)


def read_records(wanted: Wanted, source: Source) -> tuple[list[Record], list[Unreadable]]:
    """All of a session's records; those that can't be read are named on standard error, and come along."""
    with show_progress(lambda: progress_text(source.searched)):
        items = list(source.records(wanted.session_id, wanted.span))
    records = [item for item in items if isinstance(item, Record)]
    unreadable = sorted((item for item in items if isinstance(item, Unreadable)), key=lambda item: item.place[1:3])
    report_first(unreadable, len(unreadable))
    return records, unreadable


def show_timeline(
    session_timeline: Timeline, session_coverage: Coverage, unreadable: Sequence[Unreadable], choice: Choice
) -> None:
    """Write a timeline in the format chosen."""
    steps = [step for step in session_timeline.steps if choice.matches(step)]
    if choice.full and choice.format in ("text", "markdown"):
        from ..view.fetch_payloads import fetch_references  # noqa: PLC0415

        fetch_references(steps)
    layout = choice.make_layout(session_timeline.began, len(session_timeline.steps))
    match choice.format:
        case "ndjson":
            write_bytes(render_ndjson(steps))
        case "json":
            from .json_document import render_json  # noqa: PLC0415

            write_bytes([render_json(session_timeline, steps, session_coverage, unreadable), b"\n"])
        case "markdown":
            from .markdown import render_markdown  # noqa: PLC0415

            write_lines(render_markdown(session_timeline, steps, session_coverage, layout))
        case "tree":
            from .tree import render_tree  # noqa: PLC0415

            page_lines(render_tree(session_timeline, steps, session_coverage, layout), use_pager=choice.pager)
        case _:
            page_lines(text(session_timeline, steps, session_coverage, layout), use_pager=choice.pager)


def render_ndjson(steps: Iterable[Step]) -> Iterator[bytes]:
    """The steps' events as stored, each with its ``_record``; an announcement ahead of its call."""
    for step in steps:
        yield from (capture.write_line(record.value, record.place) for record in step.announced)
        if not step.is_open:
            yield capture.write_line(step.record.value, step.record.place)
