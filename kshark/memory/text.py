"""The states of agents as text for a terminal. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from agentlog.event.escape import escape_controls
from agentlog.formatting import format_count
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step
from agentlog.terminal.style import Style
from agentlog.terminal.text_width import cell_width, clip_text, elide_middle, wrap_text
from agentlog.text.coverage_text import describe_coverage
from agentlog.text.step_text import fold_runs

from ..view.layout import Layout
from ..view.numbered_steps import NumberedStepWriter, describe_step, list_steps
from ..view.timeline_text import format_header
from .agent_state import SECTIONS, AgentState, KeyChange, StateChange, hide_answer
from .phrases import describe_caller, describe_key_change, describe_model_input, describe_point, describe_task
from .query import MemoryReport

CONTINUATION = " " * 9
MAX_LINES_SHOWN = 12
"""The most steps of a section that are shown, the newest ones; --full shows all."""


def render_text(report: MemoryReport, coverage: Coverage, layout: Layout) -> Iterator[str]:
    """Yield the header, then each lane: its task, what it knew, its open calls; then the coverage."""
    writer = NumberedStepWriter(report.causes.step_numbers, layout)
    yield from format_header(report.timeline, coverage, layout)
    first, *rest = wrap_text(escape_controls(_describe_points(report)), layout.columns - len(CONTINUATION))
    yield first
    yield from (CONTINUATION + line for line in rest)  # else the name of a tool could pass for a line of ours
    for number, state in enumerate(report.states):
        yield ""
        yield from _render_state(state, report.changes[number] if report.changes else None, report, writer)
    yield ""
    yield from writer.render_named("read", describe_coverage(coverage))


def _describe_points(report: MemoryReport) -> str:
    began, causes = report.timeline.began, report.causes
    since = f"; what changed since {describe_point(report.since, began, causes)}" if report.changes else ""
    return f"known {describe_point(report.point, began, causes)}{since}"


def _render_state(
    state: AgentState, change: StateChange | None, report: MemoryReport, writer: NumberedStepWriter
) -> Iterator[str]:
    layout, goal = writer.layout, report.timeline.goal
    name = elide_middle(state.lane.agent_id, min(60, layout.columns))
    caller = clip_text(describe_caller(state), max(layout.columns - cell_width(name) - 2, 0))
    yield f"{layout.paint(name, Style.NAME)}  {caller}".rstrip()
    yield from writer.render_named(
        "goal" if state.lane.delegation is None else "task", describe_task(state, goal), Style.STRONG
    )
    yield from writer.render_named("given", describe_model_input(state, report.causes))
    keys = change.memory if change is not None else [KeyChange(key, None, step) for key, step in state.memory.items()]
    for key in keys:
        yield from writer.render_named(
            "memory", f"{describe_key_change(key)}  (step {report.causes.step_numbers[key.after]})"
        )
    seen = set(change.seen if change is not None else state.seen)
    for title, chosen in SECTIONS:
        yield from _render_section(title, [step for step in state.filter_seen(chosen) if step in seen], writer)
    yield from _render_open(change.opened if change is not None else state.open, writer)
    if change is not None:
        yield from _render_section("came back", [step for step in change.closed if step.kind == "delegation"], writer)


def _render_open(steps: Sequence[Step], writer: NumberedStepWriter) -> Iterator[str]:
    if not steps:
        return
    yield writer.layout.paint(f"open  {len(steps):,}", Style.NOTICE)
    begun = {hide_answer(step): writer.number[step] for step in steps}
    open_writer = replace(writer, number={**writer.number, **begun})
    for step in begun:
        yield from open_writer.render_step(step, describe_step(step, writer.layout.is_full))


def _render_section(title: str, steps: Sequence[Step], writer: NumberedStepWriter) -> Iterator[str]:
    """Yield a title with the number of steps, and the newest steps."""
    if not steps:
        return
    layout = writer.layout
    yield layout.paint(f"{title}  {len(steps):,}", Style.NOTICE)
    items = list(steps if layout.is_full else fold_runs(steps))
    shown_from = 0 if layout.is_full else max(len(items) - MAX_LINES_SHOWN, 0)
    earlier = [step for item in items[:shown_from] for step in list_steps(item)]
    if earlier:
        yield layout.paint(" " * writer.margin + f"... {format_count(len(earlier), 'step')} before", Style.FAINT)
    for item in items[shown_from:]:
        first = list_steps(item)[0]
        yield from writer.render_step(item, describe_step(first, layout.is_full))
