"""`kshark replay`: read a session's records, put them in order, write them out."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentlog.errors import NothingToShow
from agentlog.event import capture
from agentlog.event.event import Record, Unreadable
from agentlog.log.source import Source
from agentlog.session.coverage import Coverage, coverage
from agentlog.session.timeline import Step, Timeline, timeline
from agentlog.terminal.output import complain, page, paint_for, plain, progress, width, write, write_bytes
from agentlog.terminal.unreadable_report import name_first
from agentlog.text.coverage_text import asked, not_found, progress_text
from agentlog.text.step_text import word

from ..render import Look, text
from ..source.indexed_source import opened
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

    def holds(self, step: Step) -> bool:
        """Whether a step is wanted. A type is an event type, or the word that the text shows for it."""
        by_type = not self.types or not {step.kind, step.event.event_type, word(step)}.isdisjoint(self.types)
        by_agent = not self.agents or step.event.agent_id in self.agents
        return by_type and by_agent and (not self.errors or step.error is not None)

    def look(self, began: int) -> Look:
        """How text is to be written for where it goes."""
        on_terminal = self.format in ("text", "tree")
        return Look(width(), paint_for(sys.stdout) if on_terminal else plain, began, self.full, self.max_chars)


def chosen_format(asked_for: str | None, into_pipe: str = "ndjson") -> str:
    """A terminal gets a picture, a pipe what a program reads, unless a format was asked for."""
    return asked_for or ("text" if sys.stdout.isatty() else into_pipe)


def replay(wanted: Wanted, choice: Choice) -> None:
    """Show a session.

    Raises:
        NothingToShow: no record of it could be read.
        AgentlogError: the source can't be read.
    """
    read = read_session(wanted)
    if choice.format == "ndjson" and any(wanted.span):
        complain(f"shown {asked(wanted.span)}")
    show(read.timeline, read.covered, read.unreadable, choice)


class Read(NamedTuple):
    """A session as it was read: how far it can be trusted, and what can't be read."""

    timeline: Timeline
    covered: Coverage
    unreadable: list[Unreadable]


def read_session(wanted: Wanted) -> Read:
    """Read a session whole.

    Raises:
        NothingToShow: no record of it could be read.
        AgentlogError: the source can't be read.
    """
    with opened(wanted) as source:
        records, unreadable = gathered(wanted, source)
    if not records:
        raise NothingToShow(not_found(wanted.session_id, source.searched, wanted.span))
    found = timeline(wanted.session_id, records)
    return Read(found, coverage(source.searched, found, wanted.span), unreadable)


def gathered(wanted: Wanted, source: Source) -> tuple[list[Record], list[Unreadable]]:
    """All of a session's records; those that can't be read are named on standard error, and come along."""
    with progress(lambda: progress_text(source.searched)):
        found = list(source.records(wanted.session_id, wanted.span))
    records = [item for item in found if isinstance(item, Record)]
    unreadable = sorted((item for item in found if isinstance(item, Unreadable)), key=lambda item: item.place[1:3])
    name_first(unreadable, len(unreadable))
    return records, unreadable


def show(found: Timeline, covered: Coverage, unreadable: Sequence[Unreadable], choice: Choice) -> None:
    """Write a timeline in the format chosen."""
    steps = [step for step in found.steps if choice.holds(step)]
    if choice.full and choice.format in ("text", "markdown"):
        from ..view.fetch_payloads import fetch_references  # noqa: PLC0415

        fetch_references(steps)
    look = choice.look(found.began)
    match choice.format:
        case "ndjson":
            write_bytes(ndjson(steps))
        case "json":
            from .json_document import document  # noqa: PLC0415

            write_bytes([document(found, steps, covered, unreadable), b"\n"])
        case "markdown":
            from .markdown import markdown  # noqa: PLC0415

            write(markdown(found, steps, covered, look))
        case "tree":
            from .tree import tree  # noqa: PLC0415

            page(tree(found, steps, covered, look), pager=choice.pager)
        case _:
            page(text(found, steps, covered, look), pager=choice.pager)


def ndjson(steps: Iterable[Step]) -> Iterator[bytes]:
    """The steps' events as stored, each with its ``_record``; an announcement ahead of its call."""
    for step in steps:
        yield from (capture.write_line(record.value, record.place) for record in step.announced)
        if not step.is_open:
            yield capture.write_line(step.record.value, step.record.place)
