"""A timeline as Markdown, for a ticket or a report. Pure."""

from collections.abc import Iterator, Sequence

from agentlog.event.escape import format_code_span, format_name
from agentlog.formatting import format_count, format_dollars
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step, Timeline, Totals
from agentlog.text.step_text import CallRun, describe_run, fold_runs, format_headline, get_step_word, list_details

from ..render import DEEPEST_SHOWN, Look, footer_lines, moment, outcome_text

_MAX_TEXT_LENGTH = 400


def render_markdown(timeline: Timeline, steps: Sequence[Step], coverage: Coverage, layout: Look) -> Iterator[str]:
    """A heading, the totals as a table, the steps as a list, and the footer."""
    totals = timeline.totals
    yield f"# Session {format_code_span(timeline.session_id, 0)}"
    yield ""
    yield from _render_rows(
        ("goal", format_code_span(timeline.goal, _MAX_TEXT_LENGTH)),
        ("agent", format_code_span(timeline.lanes[0].agent_id, 0)),
        ("outcome", format_code_span(outcome_text(timeline), 0)),
        ("began", f"{moment(timeline.began):%Y-%m-%d %H:%M:%S} UTC"),
        ("calls", _format_calls(totals)),
        ("tokens", f"{totals.input_tokens:,} in, {totals.output_tokens:,} out"),
        (
            "cost",
            format_dollars(totals.cost_usd)
            + (f", {format_count(totals.unpriced, 'call')} unpriced" if totals.unpriced else ""),
        ),
    )
    yield ""
    level = -1
    for item in steps if layout.full else fold_runs(steps):
        step = item.first if isinstance(item, CallRun) else item
        level = min(step.lane.depth, level + 1, DEEPEST_SHOWN)  # a list can go only one level down at a time
        yield from _render_item(item, "  " * level, layout)
    yield ""
    yield from _render_rows(
        *((name, format_code_span(", ".join(items), 0)) for name, items in footer_lines(timeline, steps, coverage))
    )


def _format_calls(totals: Totals) -> str:
    counts = ((totals.tool_calls, "tool call"), (totals.llm_calls, "llm call"), (totals.errors, "error"))
    return ", ".join(format_count(number, name) for number, name in counts)


def _render_rows(*rows: tuple[str, str]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {name} | {value.replace('|', chr(92) + '|')} |" for name, value in rows)


def _render_item(item: Step | CallRun, indent: str, layout: Look) -> Iterator[str]:
    step = item.first if isinstance(item, CallRun) else item
    limit = _MAX_TEXT_LENGTH if layout.limit is None else layout.limit
    since = (step.began - layout.began) / 1_000_000
    name = f"**{format_name(get_step_word(step))}**"
    yield f"{indent}- {moment(step.began):%H:%M:%S} (+{since:,.1f} s) {name} {format_code_span(format_headline(step), limit)}"
    yield from render_details(item, layout.full, limit, indent)


def render_details(item: Step | CallRun, full: bool, limit: int, indent: str = "") -> Iterator[str]:
    """What stands below a step in a list: its details, each cut at ``limit``, and how often it came again."""
    step = item.first if isinstance(item, CallRun) else item
    for detail in list_details(step, full):
        yield f"{indent}  - {format_name(detail.key)}: {format_code_span(detail.text, limit)} {format_code_span(detail.suffix.strip(), 0)}".rstrip()
    if isinstance(item, CallRun):
        yield f"{indent}- **x{len(item.others)}** {format_code_span(describe_run(item), limit)}"
