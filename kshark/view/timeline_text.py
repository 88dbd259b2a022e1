"""A timeline as text for a terminal: a header, the steps, and how far it can be trusted. Pure."""

from collections.abc import Iterator, Sequence

from agentlog.event.escape import escape_controls, join_lines
from agentlog.event.event import moment
from agentlog.formatting import format_count, format_dollars, format_duration
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step, Timeline
from agentlog.terminal.style import Style
from agentlog.terminal.text_width import cell_width, clip_text, flow_items, wrap_text
from agentlog.text.coverage_text import describe_coverage, describe_range
from agentlog.text.step_text import get_step_word

from .layout import LEAST_ROOM, OUTCOME_STYLES, Look
from .step_lines import body


def text(timeline: Timeline, steps: Sequence[Step], found: Coverage, look: Look) -> Iterator[str]:
    """The whole of it: header, the chosen ``steps``, footer."""
    yield from header(timeline, found, look)
    yield ""
    yield from body(timeline, steps, look)
    yield from [""] if steps else []
    yield from footer(timeline, steps, found, look)


def header(timeline: Timeline, found: Coverage, look: Look) -> Iterator[str]:
    """What a person needs first: which session, how it ended, what it did and cost."""
    yield from _title(timeline, look)
    owner = clip_text(timeline.lanes[0].agent_id, min(40, look.columns))
    first, *rest = flow_items([owner + others(timeline), *amounts(timeline)], "   ", look.columns)
    yield look.paint(owner, Style.NAME) + first[len(owner) :]
    yield from rest
    began = f"began {moment(timeline.began):%Y-%m-%d %H:%M:%S} UTC"
    yield from wrap_text(
        began + (f", shown {describe_range(found.position_range)}" if any(found.position_range) else ""), look.columns
    )


def _title(timeline: Timeline, look: Look) -> Iterator[str]:
    """The session, its goal and its outcome; the outcome on a line of its own where the goal would have no room."""
    name = clip_text(timeline.session_id, look.columns)
    outcome = clip_text(outcome_text(timeline), look.columns)
    painted = look.paint(outcome, OUTCOME_STYLES.get(timeline.outcome or "", Style.NOTICE))
    room = look.columns - cell_width(name) - 2
    beside = room - cell_width(outcome) - 2
    most = max(beside if beside >= LEAST_ROOM else room, 0)
    goal = clip_text(join_lines(timeline.goal[: most * 4]), most) if room >= LEAST_ROOM else ""
    title = f"{look.paint(name, Style.STRONG)}  {goal}".rstrip()
    if beside >= LEAST_ROOM:
        yield title + " " * (look.columns - cell_width(name) - 2 - cell_width(goal) - cell_width(outcome)) + painted
    else:
        yield from (title, painted)


def outcome_text(timeline: Timeline) -> str:
    """How it ended and after what time."""
    took = format_duration(timeline.ended - timeline.began)
    return f"{timeline.outcome} after {took}" if timeline.outcome else f"not ended, {took} so far"


def others(timeline: Timeline) -> str:
    """How many agents there are beside the session's own, the user not counted."""
    agents = {step.event.agent_id for step in timeline.steps} - {"user"}
    return f" and {format_count(len(agents) - 1, 'other agent')}" if len(agents) > 1 else ""


def amounts(timeline: Timeline) -> Iterator[str]:
    """What the session did and cost: calls, searches, tokens, dollars, events."""
    totals = timeline.totals
    errors = f", {format_count(totals.errors, 'error')}" if totals.errors else ""
    yield f"{format_count(totals.tool_calls, 'tool call')}{errors}"
    if totals.retrievals:
        yield format_count(totals.retrievals, "search", "searches")
    if totals.llm_calls:
        tokens = totals.input_tokens + totals.output_tokens
        cost = format_dollars(totals.cost_usd) if totals.cost_usd or not totals.unpriced else "cost unknown"
        unpriced = (
            f" and {format_count(totals.unpriced, 'call')} unpriced" if totals.unpriced and totals.cost_usd else ""
        )
        yield f"{format_count(totals.llm_calls, 'llm call')}, {format_count(tokens, 'token')}, {cost}{unpriced}"
    yield format_count(totals.events, "event")


def footer(timeline: Timeline, steps: Sequence[Step], found: Coverage, look: Look) -> Iterator[str]:
    """Where time and money went, what never ended, and how far it can be trusted."""
    for name, items in footer_lines(timeline, steps, found):
        first, *rest = flow_items(map(escape_controls, items), ", ", look.columns - 9)
        yield look.paint(f"{name:<9}", Style.FAINT) + first
        yield from (" " * 9 + line for line in rest)


def footer_lines(timeline: Timeline, steps: Sequence[Step], found: Coverage) -> Iterator[tuple[str, list[str]]]:
    """The footer's lines: a name, and the items that it says."""
    totals = timeline.totals
    if len(steps) < len(timeline.steps):
        yield "chosen", [f"{len(steps):,} of {format_count(len(timeline.steps), 'step')}"]
    slowest = sorted((s for s in timeline.steps if s.duration_us), key=lambda s: -s.duration_us)[:3]
    if slowest:
        yield "slowest", [_slow(step, timeline.began) for step in slowest]
    if totals.cost_by_model:
        costs = sorted(totals.cost_by_model.items(), key=lambda item: -item[1])
        yield "cost", [f"{name} {format_dollars(cost)}" for name, cost in costs]
    if totals.calls:
        yield "most", list(_most(timeline))
    still_open = [step for step in timeline.steps if step.is_open]
    if still_open:
        yield "open", [_name(step) for step in still_open[:5]] + _more(len(still_open) - 5)
    if timeline.outcome is None:
        yield "end", ["there is no session_end: it is still running, or it died"]
    yield "read", [describe_coverage(found)]


def _slow(step: Step, began: int) -> str:
    return f"{_name(step)} {format_duration(step.duration_us)} at {(step.began - began) / 1_000_000:,.1f} s"


def _name(step: Step) -> str:
    return step.label or get_step_word(step)


def _most(timeline: Timeline) -> Iterator[str]:
    """The tools and models called most, with the errors among the calls."""
    calls = sorted(timeline.totals.calls.items(), key=lambda item: -item[1])
    for label, count in calls[:5]:
        failures = timeline.totals.failures.get(label, 0)
        yield f"{label} {count:,}" + (f" ({format_count(failures, 'error')})" if failures else "")
    yield from _more(len(calls) - 5)


def _more(count: int) -> list[str]:
    return [f"{count:,} more"] if count > 0 else []
