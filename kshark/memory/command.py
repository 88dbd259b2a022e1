"""The command `kshark memory`: what an agent knew at a point of its session."""

import json
import sys
from dataclasses import dataclass

from agentlog.analysis.causality import CauseGraph
from agentlog.event import codec
from agentlog.formatting import format_count
from agentlog.terminal.output import get_width, write_bytes, write_stderr
from agentlog.terminal.pager import page_lines
from agentlog.terminal.style import choose_paint

from ..source.read_session import LoadedSession, read_session
from ..source.session_request import SessionRequest
from ..view.layout import Layout
from .chat_export import Conversation
from .query import MemoryReport, build_report


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """The agent and the points, and options for the output.

    Attributes:
        at: the point, as the user wrote it; None for the end.
        since: an earlier point, to show only the changes since then; or None.
        agent: the agent's id; None for the agent of the point.
    """

    at: str | None = None
    since: str | None = None
    agent: str | None = None
    format: str = "text"
    full: bool = False
    max_chars: int | None = None
    pager: bool = True

    def make_layout(self, began: int) -> Layout:
        """Return the layout for standard output; ``began`` is in microseconds since the epoch."""
        return Layout(get_width(), choose_paint(sys.stdout), began, is_full=self.full, max_chars=self.max_chars)


def show_memory(request: SessionRequest, options: MemoryOptions) -> None:
    """Write what the agents of a session knew.

    Raises:
        NothingToShow: no record of the session could be read, or it has no such step, time or agent.
        UsageError: a point is ambiguous, or ``since`` is later than ``at``.
        AgentlogError: the source can't be read.
    """
    session = read_session(request)
    report = build_report(session.timeline, options.at, options.since, options.agent)
    if options.full:
        from ..view.fetch_payloads import fetch_references  # noqa: PLC0415

        for state in report.states:
            model_calls = [state.last_model_call] if state.last_model_call is not None else []
            fetch_references([*state.seen, *state.open, *model_calls])
    _show(report, session, options)


def _show(report: MemoryReport, session: LoadedSession, options: MemoryOptions) -> None:
    match options.format:
        case "messages":
            state = report.states[-1 if options.agent is not None else 0]
            _write_messages(report.build_messages(state), report.causes)
        case "json":
            from .json_document import render_json  # noqa: PLC0415

            write_bytes([render_json(report, session.coverage, session.unreadable), b"\n"])
        case _:
            from .text import render_text  # noqa: PLC0415

            lines = render_text(report, session.coverage, options.make_layout(report.timeline.began))
            page_lines(lines, use_pager=options.pager)


def _write_messages(conversation: Conversation, causes: CauseGraph) -> None:
    """Write the messages; report on standard error where they come from, so that standard output is valid input."""
    text = json.dumps(conversation.messages, ensure_ascii=False)
    write_bytes([codec.flatten_json(text.encode()), b"\n"])
    if conversation.last_model_call is not None:
        step = causes.step_numbers[conversation.last_model_call]
        recorded = format_count(conversation.recorded_count, "message")
        write_stderr(f"{recorded} as recorded with step {step}: the model's input there")
    if (other_count := len(conversation.messages) - conversation.recorded_count) > 0:
        write_stderr(f"{format_count(other_count, 'message')} put together from events")
    if conversation.left_out:
        write_stderr(f"{format_count(len(conversation.left_out), 'step')} of other types not in the messages")
