"""A timeline as text for a terminal: header, steps and footer. Pure."""

from collections.abc import Iterator, Sequence

from agentlog.event.escape import escape_controls, join_lines
from agentlog.event.event import to_datetime
from agentlog.formatting import format_count, format_dollars, format_duration, shorten_name
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step, Timeline, Totals
from agentlog.terminal.style import Style
from agentlog.terminal.text_width import cell_width, clip_text, elide_middle, flow_items, wrap_text
from agentlog.text.coverage_text import describe_coverage, describe_range
from agentlog.text.step_text import get_step_name

from .layout import MIN_VALUE_WIDTH, OUTCOME_STYLES, Layout
from .step_lines import format_steps


def format_timeline(timeline: Timeline, steps: Sequence[Step], coverage: Coverage, layout: Layout) -> Iterator[str]:
    """Yield the header, the chosen ``steps`` and the footer."""
    yield from format_header(timeline, coverage, layout)
    yield ""
    yield from format_steps(timeline, steps, layout)
    yield from [""] if steps else []
    yield from format_footer(timeline, steps, coverage, layout)


def format_header(timeline: Timeline, coverage: Coverage, layout: Layout) -> Iterator[str]:
    """Yield the header: the session, its outcome, what it did and cost, and when it began."""
    yield from _format_title(timeline, layout)
    owner = elide_middle(timeline.lanes[0].agent_id, min(40, layout.columns))
    first, *rest = flow_items([owner + describe_other_agents(timeline), *list_amounts(timeline)], "   ", layout.columns)
    yield layout.paint(owner, Style.NAME) + first[len(owner) :]
    yield from rest
    began = f"began {to_datetime(timeline.began):%Y-%m-%d %H:%M:%S} UTC"
    yield from wrap_text(
        began + (f", shown {describe_range(coverage.position_range)}" if any(coverage.position_range) else ""),
        layout.columns,
    )


def _format_title(timeline: Timeline, layout: Layout) -> Iterator[str]:
    """Yield the session's id, goal and outcome; the outcome gets its own line if the goal would have no room."""
    name = elide_middle(timeline.session_id, layout.columns)
    outcome = clip_text(describe_outcome(timeline), layout.columns)
    painted = layout.paint(outcome, OUTCOME_STYLES.get(timeline.outcome or "", Style.NOTICE))
    room = layout.columns - cell_width(name) - 2
    beside = room - cell_width(outcome) - 2
    most = max(beside if beside >= MIN_VALUE_WIDTH else room, 0)
    goal = clip_text(join_lines(timeline.goal[: most * 4]), most) if room >= MIN_VALUE_WIDTH else ""
    title = f"{layout.paint(name, Style.STRONG)}  {goal}".rstrip()
    if beside >= MIN_VALUE_WIDTH:
        yield title + " " * (layout.columns - cell_width(name) - 2 - cell_width(goal) - cell_width(outcome)) + painted
    else:
        yield from (title, painted)


def describe_outcome(timeline: Timeline) -> str:
    """Return how the session ended and how long it took."""
    took = format_duration(timeline.ended - timeline.began)
    return f"{timeline.outcome} after {took}" if timeline.outcome else f"not ended, {took} so far"


def describe_other_agents(timeline: Timeline) -> str:
    """Return the number of other agents, without the user, as text; empty for none."""
    agents = {step.event.agent_id for step in timeline.steps} - {"user"}
    return f" and {format_count(len(agents) - 1, 'other agent')}" if len(agents) > 1 else ""


def list_amounts(timeline: Timeline) -> Iterator[str]:
    """Yield what the session did and cost: calls, searches, tokens, dollars, events."""
    totals = timeline.totals
    errors = f", {format_count(totals.errors, 'error')}" if totals.errors else ""
    yield f"{format_count(totals.tool_calls, 'tool call')}{errors}"
    if totals.retrievals:
        yield format_count(totals.retrievals, "search", "searches")
    if totals.llm_calls:
        yield f"{format_count(totals.llm_calls, 'llm call')}, {format_tokens(totals)}, {format_cost(totals)}"
    yield format_count(totals.events, "event")


def format_tokens(totals: Totals) -> str:
    """Return the number of tokens as text."""
    counts = [count for count in (totals.input_tokens, totals.output_tokens) if count is not None]
    return format_count(sum(counts), "token") if counts else "tokens unknown"


def format_cost(totals: Totals) -> str:
    """Return the cost as text, with the number of calls that state none."""
    if totals.cost_usd is None:
        return "cost unknown"
    unpriced = f" and {format_count(totals.unpriced, 'call')} unpriced" if totals.unpriced else ""
    return format_dollars(totals.cost_usd) + unpriced


def format_footer(timeline: Timeline, steps: Sequence[Step], coverage: Coverage, layout: Layout) -> Iterator[str]:
    """Yield the footer: where time and money went, what never ended, and the coverage."""
    for name, items in list_footer(timeline, steps, coverage):
        first, *rest = flow_items(map(escape_controls, items), ", ", layout.columns - 9)
        yield layout.paint(f"{name:<9}", Style.FAINT) + first
        yield from (" " * 9 + line for line in rest)


def list_footer(timeline: Timeline, steps: Sequence[Step], coverage: Coverage) -> Iterator[tuple[str, list[str]]]:
    """Yield the footer's lines: a name and its items."""
    totals = timeline.totals
    if len(steps) < len(timeline.steps):
        yield "chosen", [f"{len(steps):,} of {format_count(len(timeline.steps), 'step')}"]
    timed_steps = [(duration_us, step) for step in timeline.steps if (duration_us := step.duration_us)]
    slowest = sorted(timed_steps, key=lambda timed: -timed[0])[:3]
    if slowest:
        yield "slowest", [_describe_slow_step(step, duration_us, timeline.began) for duration_us, step in slowest]
    if totals.cost_by_model:
        costs = sorted(totals.cost_by_model.items(), key=lambda item: -item[1])
        yield "cost", [f"{shorten_name(name)} {format_dollars(cost)}" for name, cost in costs]
    if totals.calls:
        yield "most", list(_list_most_called(timeline))
    still_open = [step for step in timeline.steps if step.is_open]
    if still_open:
        yield "open", [_name_step(step) for step in still_open[:5]] + _count_rest(len(still_open) - 5)
    if timeline.outcome is None:
        is_end_cut = coverage.position_range.end is not None
        why = "it isn't ended by --to" if is_end_cut else "it is still running, or it died"
        yield "end", [f"there is no session_end: {why}"]
    yield "read", [describe_coverage(coverage)]


def _describe_slow_step(step: Step, duration_us: int, began: int) -> str:
    return f"{_name_step(step)} {format_duration(duration_us)} at {(step.began - began) / 1_000_000:,.1f} s"


def _name_step(step: Step) -> str:
    return get_step_name(step)


def _list_most_called(timeline: Timeline) -> Iterator[str]:
    """Yield the five tools and models called most, with their errors."""
    calls = sorted(timeline.totals.calls.items(), key=lambda item: -item[1])
    for label, count in calls[:5]:
        failures = timeline.totals.failures.get(label, 0)
        yield f"{shorten_name(label)} {count:,}" + (f" ({format_count(failures, 'error')})" if failures else "")
    yield from _count_rest(len(calls) - 5)


def _count_rest(count: int) -> list[str]:
    return [f"{count:,} more"] if count > 0 else []
