"""`kshark why`: the chain that led to a step, or where a session went wrong."""

import sys
from dataclasses import dataclass

from agentlog.terminal.output import page, paint_for, plain, width, write, write_bytes

from ..render import Look
from ..replay.command import Read, read_session
from ..view.step_reference import step_at
from ..wanted import Wanted
from .explanation import Answer, answer


@dataclass(frozen=True, slots=True)
class Choice:
    """How the answer is to be written."""

    format: str = "text"
    full: bool = False
    max_chars: int | None = None
    pager: bool = True

    def look(self, began: int) -> Look:
        """How text is to be written for where it goes."""
        paint = paint_for(sys.stdout) if self.format == "text" else plain
        return Look(width(), paint, began, self.full, self.max_chars)


def why(wanted: Wanted, event: str | None, choice: Choice) -> None:
    """Say why a step was taken; without one, where the session went wrong.

    Raises:
        NothingToShow: no record of the session could be read, or it has no such step.
        UsageError: several events begin with ``event``.
        AgentlogError: the source can't be read.
    """
    read = read_session(wanted)
    step = step_at(read.timeline, event) if event is not None else None
    _show(answer(read.timeline, step), read, choice)


def _show(found: Answer, read: Read, choice: Choice) -> None:
    if choice.full and choice.format != "json":
        from ..view.fetch_payloads import fetch_references  # noqa: PLC0415

        fetch_references(link.step for link in found.chain)
    look = choice.look(found.timeline.began)
    match choice.format:
        case "json":
            from .json_document import document  # noqa: PLC0415

            write_bytes([document(found, read.covered, read.unreadable), b"\n"])
        case "markdown":
            from .markdown import markdown  # noqa: PLC0415

            write(markdown(found, read.covered, look))
        case _:
            from .text import text  # noqa: PLC0415

            page(text(found, read.covered, look), pager=choice.pager)
