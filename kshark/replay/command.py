"""`kshark replay`: read a session's records, put them in order, write them out."""

from collections.abc import Sequence

from agentlog.event.event import Unreadable
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Timeline
from agentlog.terminal.output import write_bytes, write_lines, write_stderr
from agentlog.terminal.pager import page_lines
from agentlog.text.coverage_text import describe_range

from ..source.read_session import read_session
from ..source.session_request import Wanted
from ..view.ndjson import render_ndjson
from ..view.replay_options import Choice
from ..view.timeline_text import text


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
