"""A timeline as Markdown, for a ticket or a report. Pure."""

from collections.abc import Iterator, Sequence

from agentlog.event.escape import format_code_block, format_code_span, format_name, split_lines
from agentlog.event.event import to_datetime
from agentlog.formatting import format_count
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step, Timeline, Totals
from agentlog.terminal.text_width import escape_line
from agentlog.text.step_text import (
    CallRun,
    Detail,
    describe_content,
    describe_folded_steps,
    fold_runs,
    format_remarks,
    get_step_word,
    list_details,
)

from ..view.layout import DETAIL_STYLES, MAX_DEPTH_SHOWN, Layout
from ..view.step_lines import MAX_PARTS, MAX_TEXT_LINES
from ..view.timeline_text import describe_outcome, format_cost, list_footer

MAX_TEXT_LENGTH = 400


def render_markdown(timeline: Timeline, steps: Sequence[Step], coverage: Coverage, layout: Layout) -> Iterator[str]:
    """Yield a heading, the totals as a table, the steps as a list, and the footer."""
    totals = timeline.totals
    yield f"# Session {format_code_span(timeline.session_id, 0)}"
    yield ""
    yield from _render_rows(
        ("goal", format_code_span(timeline.goal, MAX_TEXT_LENGTH)),
        ("agent", format_code_span(timeline.lanes[0].agent_id, 0)),
        ("outcome", format_code_span(describe_outcome(timeline), 0)),
        ("began", f"{to_datetime(timeline.began):%Y-%m-%d %H:%M:%S} UTC"),
        ("calls", _format_calls(totals)),
        ("tokens", f"{_format_count(totals.input_tokens)} in, {_format_count(totals.output_tokens)} out"),
        ("cost", format_cost(totals).removeprefix("cost ")),
    )
    yield ""
    level = -1
    for item in steps if layout.is_full else fold_runs(steps):
        step = item.first if isinstance(item, CallRun) else item
        level = min(step.lane.depth, level + 1, MAX_DEPTH_SHOWN)  # a list can go only one level down at a time
        yield from _render_item(item, "  " * level, layout)
    yield ""
    yield from _render_rows(
        *((name, format_code_span(", ".join(items), 0)) for name, items in list_footer(timeline, steps, coverage))
    )


def _format_count(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _format_calls(totals: Totals) -> str:
    counts = ((totals.tool_calls, "tool call"), (totals.llm_calls, "llm call"), (totals.errors, "error"))
    return ", ".join(format_count(number, name) for number, name in counts)


def _render_rows(*rows: tuple[str, str]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {name} | {value.replace('|', chr(92) + '|')} |" for name, value in rows)


def _render_item(item: Step | CallRun, indent: str, layout: Layout) -> Iterator[str]:
    step = item.first if isinstance(item, CallRun) else item
    since = (step.began - layout.began_us) / 1_000_000
    lead = f"{step.number} {to_datetime(step.began):%H:%M:%S} (+{since:,.1f} s)"
    yield from render_step(step, lead, indent, layout)
    yield from render_details(item, indent, layout)


def render_step(step: Step, lead: str, indent: str, layout: Layout) -> Iterator[str]:
    """Yield a step as a list item: ``lead``, its word, its content."""
    yield from _render_value(
        f"{indent}- {lead} **{format_name(get_step_word(step))}**",
        Detail("", describe_content(step), format_remarks(step)),
        indent,
        layout,
    )


def render_details(item: Step | CallRun, indent: str, layout: Layout) -> Iterator[str]:
    """Yield a step's details as nested list items, and the number of folded calls."""
    step = item.first if isinstance(item, CallRun) else item
    for detail in list_details(step, layout.is_full):
        yield from _render_value(f"{indent}  - {format_name(detail.key)}:", detail, f"{indent}  ", layout)
    if isinstance(item, CallRun):
        yield f"{indent}- **x{len(item.others)}** {format_code_span(describe_folded_steps(item), 0)}"


def _render_value(item: str, value: Detail, indent: str, layout: Layout) -> Iterator[str]:
    """Yield ``item`` with a value behind it; a value of several lines follows as a block of code."""
    limit = MAX_TEXT_LENGTH if layout.limit is None else layout.limit
    suffix = format_code_span(value.suffix.strip(), 0)
    lines = split_lines(value.text) if "\n" in value.text else [value.text]
    if len(lines) == 1:
        yield f"{item} {format_code_span(lines[0], limit)} {suffix}".rstrip()
        return
    yield f"{item} {suffix}".rstrip()
    if layout.limit is None:
        most = MAX_TEXT_LINES * (2 if value.key in DETAIL_STYLES else 1)
        parts = map(split_lines, value.parts) if 0 < len(value.parts) <= MAX_PARTS else [lines]
        lines = [line for part in parts for line in _leave_out_middle(part, most)]
    elif 0 < limit < len(value.text):
        lines = split_lines(value.text[:limit] + "...")
    yield from format_code_block([escape_line(line) for line in lines], f"{indent}  ")


def _leave_out_middle(lines: list[str], most: int) -> list[str]:
    """Return the first and last of a value's lines, each cut, and between them the number of the others."""
    left_out = len(lines) - most
    if left_out > 1:
        end = most // 3
        lines = [*lines[: most - end], f"... {left_out:,} more lines", *lines[-end:]]
    return [line if len(line) <= MAX_TEXT_LENGTH else f"{line[:MAX_TEXT_LENGTH]}..." for line in lines]
