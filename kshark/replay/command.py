"""The command `kshark replay`: a session's steps in order, in the chosen format."""

from collections.abc import Sequence

from agentlog.event.event import Unreadable
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Timeline
from agentlog.terminal.output import write_bytes, write_lines, write_stderr
from agentlog.terminal.pager import page_lines
from agentlog.text.coverage_text import describe_range

from ..source.read_session import read_session
from ..source.session_request import SessionRequest
from ..view.ndjson import render_ndjson
from ..view.replay_options import ReplayOptions
from ..view.timeline_text import format_timeline
from ..view.unknown_choice import find_unknown_choices


def replay_session(request: SessionRequest, options: ReplayOptions) -> None:
    """Show a session.

    Raises:
        NothingToShow: no record of it could be read.
        AgentlogError: the source can't be read.
    """
    session = read_session(request)
    if options.format == "ndjson" and any(request.span):
        write_stderr(f"shown {describe_range(request.span)}")
    show_timeline(session.timeline, session.coverage, session.unreadable, options)


def show_timeline(
    timeline: Timeline, coverage: Coverage, unreadable: Sequence[Unreadable], options: ReplayOptions
) -> None:
    """Write a timeline in the chosen format."""
    steps = [step for step in timeline.steps if options.matches(step)]
    for sentence in find_unknown_choices(timeline, options):
        write_stderr(sentence)
    if options.full and options.format in ("text", "markdown"):
        from ..view.fetch_payloads import fetch_references  # noqa: PLC0415

        fetch_references(steps)
    layout = options.make_layout(timeline.began, len(timeline.steps))
    match options.format:
        case "ndjson":
            write_bytes(render_ndjson(steps))
        case "json":
            from .json_document import render_json  # noqa: PLC0415

            write_bytes([render_json(timeline, steps, coverage, unreadable), b"\n"])
        case "markdown":
            from .markdown import render_markdown  # noqa: PLC0415

            write_lines(render_markdown(timeline, steps, coverage, layout))
        case "tree":
            from .tree import render_tree  # noqa: PLC0415

            page_lines(render_tree(timeline, steps, coverage, layout), use_pager=options.pager)
        case _:
            page_lines(format_timeline(timeline, steps, coverage, layout), use_pager=options.pager)
