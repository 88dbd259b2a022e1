"""The command `kshark why`: the chain that led to a step, or where a session went wrong."""

import sys
from dataclasses import dataclass

from agentlog.terminal.output import get_width, write_bytes, write_lines
from agentlog.terminal.pager import page_lines
from agentlog.terminal.style import choose_paint, paint_plain

from ..source.read_session import LoadedSession, read_session
from ..source.session_request import SessionRequest
from ..view.layout import Layout
from ..view.step_reference import resolve_step
from .diagnosis.window import find_window
from .explanation import Explanation, build_explanation


@dataclass(frozen=True, slots=True)
class WhyOptions:
    """Options for the output."""

    format: str = "text"
    full: bool = False
    max_chars: int | None = None
    pager: bool = True

    def make_layout(self, began: int) -> Layout:
        """Return the layout for standard output; ``began`` is in microseconds since the epoch."""
        paint = choose_paint(sys.stdout) if self.format == "text" else paint_plain
        return Layout(get_width(), paint, began, is_full=self.full, max_chars=self.max_chars)


def explain_session(request: SessionRequest, reference: str | None, options: WhyOptions) -> None:
    """Say why a step was taken; without one, where the session went wrong.

    Raises:
        NothingToShow: no record of the session could be read, or it has no such step.
        UsageError: several events begin with ``reference``.
        AgentlogError: the source can't be read.
    """
    session = read_session(request)
    step = resolve_step(session.timeline, reference) if reference is not None else None
    window = find_window(session.timeline, session.coverage)
    _show(build_explanation(session.timeline, step, window), session, options)


def _show(explanation: Explanation, session: LoadedSession, options: WhyOptions) -> None:
    if options.full and options.format != "json":
        from ..view.fetch_payloads import fetch_references  # noqa: PLC0415

        fetch_references(link.step for link in explanation.chain)
    layout = options.make_layout(explanation.timeline.began)
    match options.format:
        case "json":
            from .json_document import render_json  # noqa: PLC0415

            write_bytes([render_json(explanation, session.coverage, session.unreadable), b"\n"])
        case "markdown":
            from .markdown import render_markdown  # noqa: PLC0415

            write_lines(render_markdown(explanation, session.coverage, layout))
        case _:
            from .text import render_text  # noqa: PLC0415

            page_lines(render_text(explanation, session.coverage, layout), use_pager=options.pager)
