"""`kdiff compare`: read two sessions, compare them, write the verdict."""

import sys

from agentlog.event.position import PositionRange
from agentlog.terminal.options import SourceOptions
from agentlog.terminal.output import get_width, write_bytes, write_lines
from agentlog.terminal.pager import page_lines
from agentlog.terminal.style import choose_paint

from ..align.payload_compare import Payloads
from ..align.step_groups import group_steps
from ..judge.compare import compare
from ..judge.verdict import VerdictKind, reach_verdict
from ..reading.normalize import IgnoreRules
from ..reading.read_sessions import SessionRequest, read_both
from ..reading.side_effects import ToolPatterns
from ..reading.signature import SignatureBuilder
from ..reading.spill import open_spill
from ..show.phrases import StepDescriber
from ..show.result import Result
from ..show.text import Layout, VerdictText
from .options import CompareOptions


def compare_sessions(
    sessions: tuple[str, str],
    places: tuple[SourceOptions, SourceOptions],
    span: PositionRange,
    how: tuple[IgnoreRules, ToolPatterns],
    options: CompareOptions,
) -> int:
    """Compare two sessions and write the verdict. Return 0 if they are the same, 1 if they differ.

    Raises:
        NothingToShow: no record of one of them could be read.
        AgentlogError: a source can't be read.
    """
    with open_spill() as one, open_spill() as other:
        a, b = read_both(
            SessionRequest(sessions[0], places[0], span, SignatureBuilder(one, *how)),
            SessionRequest(sessions[1], places[1], span, SignatureBuilder(other, *how)),
        )
        own_a, own_b = group_steps(a.timeline, a.spill), group_steps(b.timeline, b.spill)
        payloads = Payloads(how[0], own_a, own_b)
        compared = compare(own_a, own_b, payloads)
        found = Result(reach_verdict(compared, payloads), compared, a, b, StepDescriber(payloads))
        _show(found, options)
    return 0 if found.verdict.kind is VerdictKind.SAME else 1


def _show(found: Result, options: CompareOptions) -> None:
    excerpt = found.select_excerpt(options.context, only_decisive=options.only_decisive)
    match options.format:
        case "json":
            from ..show.json_document import render_json

            write_bytes(render_json(found))
        case "markdown":
            from ..show.markdown import render_markdown

            write_lines(render_markdown(found, excerpt))
        case "html":
            from ..show.html import render_html

            write_lines(render_html(found, excerpt))
        case _:
            look = Layout(get_width(), choose_paint(sys.stdout), excerpt if options.show_divergence else None)
            page_lines(VerdictText(found, look).lines(), use_pager=options.pager)
