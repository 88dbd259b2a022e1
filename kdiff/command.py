"""`kdiff compare`: read two sessions, compare them, write the verdict."""

import sys
from dataclasses import dataclass

from agentlog.cli import Where
from agentlog.event.position import Span
from agentlog.terminal.output import page, paint_for, width, write, write_bytes

from .align.payload_compare import Payloads
from .align.step_groups import moves
from .judge.compare import compare
from .judge.verdict import Answer, verdict
from .reading.normalize import Rules
from .reading.read_sessions import Wanted, read_both
from .reading.side_effects import Declared
from .reading.signature import Sketcher
from .reading.spill import shelf
from .show.phrases import Words
from .show.result import Result
from .show.text import Look, Text


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be shown, and how."""

    format: str = "text"
    show_divergence: bool = False
    only_decisive: bool = False
    context: int = 3
    pager: bool = True


def chosen_format(asked_for: str | None) -> str:
    """A terminal gets text, a pipe JSON on one line, unless one was asked for."""
    return asked_for or ("text" if sys.stdout.isatty() else "json")


def compare_sessions(
    sessions: tuple[str, str], places: tuple[Where, Where], span: Span, how: tuple[Rules, Declared], choice: Choice
) -> int:
    """Compare two sessions and write what came of it; 0 when they are the same, 1 when they differ.

    Raises:
        NothingToShow: no record of one of them could be read.
        AgentlogError: a source can't be read.
    """
    with shelf() as one, shelf() as other:
        a, b = read_both(
            Wanted(sessions[0], places[0], span, Sketcher(one, *how)),
            Wanted(sessions[1], places[1], span, Sketcher(other, *how)),
        )
        own_a, own_b = moves(a.timeline, a.shelf), moves(b.timeline, b.shelf)
        payloads = Payloads(how[0], own_a, own_b)
        compared = compare(own_a, own_b, payloads)
        found = Result(verdict(compared, payloads), compared, a, b, Words(payloads))
        _show(found, choice)
    return 0 if found.verdict.answer is Answer.SAME else 1


def _show(found: Result, choice: Choice) -> None:
    excerpt = found.excerpt(choice.context, only_decisive=choice.only_decisive)
    match choice.format:
        case "json":
            from .show.json_document import document  # noqa: PLC0415

            write_bytes(document(found))
        case "markdown":
            from .show.markdown import markdown  # noqa: PLC0415

            write(markdown(found, excerpt))
        case "html":
            from .show.html import html  # noqa: PLC0415

            write(html(found, excerpt))
        case _:
            look = Look(width(), paint_for(sys.stdout), excerpt if choice.show_divergence else None)
            page(Text(found, look).lines(), pager=choice.pager)
