"""`kshark why`: the chain that led to a step, or where a session went wrong."""

import sys
from dataclasses import dataclass

from agentlog.terminal.output import get_width, write_bytes, write_lines
from agentlog.terminal.pager import page_lines
from agentlog.terminal.style import choose_paint, paint_plain

from ..source.read_session import LoadedSession, read_session
from ..source.session_request import Wanted
from ..view.layout import Look
from ..view.step_reference import resolve_step
from .explanation import Explanation, build_explanation


@dataclass(frozen=True, slots=True)
class Choice:
    """How the answer is to be written."""

    format: str = "text"
    full: bool = False
    max_chars: int | None = None
    pager: bool = True

    def make_layout(self, began: int) -> Look:
        """How text is to be written for where it goes."""
        paint = choose_paint(sys.stdout) if self.format == "text" else paint_plain
        return Look(get_width(), paint, began, full=self.full, max_chars=self.max_chars)


def explain_session(wanted: Wanted, reference: str | None, choice: Choice) -> None:
    """Say why a step was taken; without one, where the session went wrong.

    Raises:
        NothingToShow: no record of the session could be read, or it has no such step.
        UsageError: several events begin with ``reference``.
        AgentlogError: the source can't be read.
    """
    session = read_session(wanted)
    step = resolve_step(session.timeline, reference) if reference is not None else None
    _show(build_explanation(session.timeline, step), session, choice)


def _show(explanation: Explanation, session: LoadedSession, choice: Choice) -> None:
    if choice.full and choice.format != "json":
        from ..view.fetch_payloads import fetch_references  # noqa: PLC0415

        fetch_references(link.step for link in explanation.chain)
    layout = choice.make_layout(explanation.timeline.began)
    match choice.format:
        case "json":
            from .json_document import render_json  # noqa: PLC0415

            write_bytes([render_json(explanation, session.coverage, session.unreadable), b"\n"])
        case "markdown":
            from .markdown import render_markdown  # noqa: PLC0415

            write_lines(render_markdown(explanation, session.coverage, layout))
        case _:
            from .text import render_text  # noqa: PLC0415

            page_lines(render_text(explanation, session.coverage, layout), use_pager=choice.pager)
