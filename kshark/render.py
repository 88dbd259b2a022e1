"""A timeline as text for a terminal: a header, a step a line, and how far it can be trusted. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import wrap
from typing import NamedTuple

from agentlog.coverage import Coverage, asked, sentence
from agentlog.events import EPOCH
from agentlog.output import Paint, Style, cell_width, clipped
from agentlog.session import CALL_TYPES, Lane, Step, Timeline
from agentlog.untrusted import escaped
from agentlog.wording import counted, dollars, duration

from .describe import Run, details, folded, headline, run_text, word

OUTCOME_STYLES = {"succeeded": Style.GOOD, "failed": Style.BAD, "cancelled": Style.NOTICE}
WORD_STYLES = {"user": Style.STRONG, "agent": Style.STRONG, "decision": Style.NOTICE, "error": Style.BAD}
DETAIL_STYLES = {"because": Style.NOTICE, "error": Style.BAD}
DEEPEST_SHOWN = 8
WRAPPED_LINES = 4
UNBROKEN = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Look:
    """How a timeline is to be written.

    Attributes:
        columns: of the terminal.
        began: what times since the start are counted from, in microseconds since the epoch.
        full: every step on its own line, all that it recorded below it, nothing cut.
        max_chars: how much of a value is shown, wrapped; 0 for all, None for what fits on its line.
    """

    columns: int
    paint: Paint
    began: int
    full: bool = False
    max_chars: int | None = None

    @property
    def limit(self) -> int | None:
        """How many characters of a value are shown: None for what fits on a line, 0 for all."""
        return 0 if self.full and self.max_chars is None else self.max_chars


def text(timeline: Timeline, steps: Sequence[Step], found: Coverage, look: Look) -> Iterator[str]:
    """The whole of it: header, the chosen ``steps``, footer."""
    yield from header(timeline, found, look)
    yield ""
    yield from body(timeline, steps, look)
    yield ""
    yield from footer(timeline, steps, found, look)


def header(timeline: Timeline, found: Coverage, look: Look) -> Iterator[str]:
    """What a person needs first: which session, how it ended, what it did and cost."""
    outcome = outcome_text(timeline)
    room = look.columns - cell_width(timeline.session_id) - cell_width(outcome) - 4
    name, goal = escaped(timeline.session_id), clipped(timeline.goal, room) if room >= 12 else ""
    gap = " " * max(look.columns - cell_width(name) - cell_width(goal) - cell_width(outcome) - 2, 2)
    style = OUTCOME_STYLES.get(timeline.outcome or "", Style.NOTICE)
    yield f"{look.paint(name, Style.STRONG)}  {goal}{gap}{look.paint(escaped(outcome), style)}"
    agents = dict.fromkeys(step.event.agent_id for step in timeline.steps)
    owner = timeline.lanes[0].agent_id
    more = f" and {counted(len(agents) - 1, 'other agent')}" if len(agents) > 1 else ""
    yield from _flowing([look.paint(clipped(owner, 40), Style.NAME) + more, *_amounts(timeline)], look.columns)
    yield f"began {moment(timeline.began):%Y-%m-%d %H:%M:%S} UTC" + (
        f", shown {asked(found.span)}" if any(found.span) else ""
    )


def outcome_text(timeline: Timeline) -> str:
    """How it ended and after what time."""
    took = duration(timeline.ended - timeline.began)
    return f"{timeline.outcome} after {took}" if timeline.outcome else f"not ended, {took} so far"


def _amounts(timeline: Timeline) -> Iterator[str]:
    totals = timeline.totals
    errors = f", {counted(totals.errors, 'error')}" if totals.errors else ""
    yield f"{counted(totals.tool_calls, 'tool call')}{errors}"
    if totals.retrievals:
        yield counted(totals.retrievals, "search", "searches")
    if totals.llm_calls:
        tokens = totals.input_tokens + totals.output_tokens
        cost = dollars(totals.cost_usd) if totals.cost_usd or not totals.unpriced else "cost unknown"
        unpriced = f" and {counted(totals.unpriced, 'call')} unpriced" if totals.unpriced and totals.cost_usd else ""
        yield f"{counted(totals.llm_calls, 'llm call')}, {counted(tokens, 'token')}, {cost}{unpriced}"
    yield counted(totals.events, "event")


def _flowing(parts: Iterable[str], columns: int) -> Iterator[str]:
    line = ""
    for part in parts:
        if line and len(line) + 3 + len(part) > columns:
            yield line
            line = ""
        line = f"{line}   {part}" if line else part
    yield line


def moment(microseconds: int) -> datetime:
    """A time in UTC; what no calendar holds stands at its edge."""
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return EPOCH


def body(timeline: Timeline, steps: Iterable[Step], look: Look) -> Iterator[str]:
    """The steps, a line each and more where there is more to say; like calls in a row folded."""
    day = moment(timeline.began).date()
    for item in steps if look.full else folded(steps):
        step = item.first if isinstance(item, Run) else item
        if (today := moment(step.began).date()) != day:
            day = today
            yield look.paint(f"{day:%Y-%m-%d}", Style.FAINT)
        yield from step_lines(step, look)
        if isinstance(item, Run):
            times, second = f"x{len(item.others)}", item.others[0]
            yield from _valued(_left(second, times, Style.STRONG, look), run_text(item), WRAPPED_LINES, look)


def step_lines(step: Step, look: Look) -> Iterator[str]:
    """A step's own line, and those below it."""
    other = "" if step.event.agent_id in (step.lane.agent_id, "user") else f"({step.event.agent_id}) "
    left = _left(step, clipped(word(step), 20), word_style(step), look)
    yield from _valued(left, other + headline(step), WRAPPED_LINES if step.kind in CALL_TYPES else 1, look)
    indent = " " * 24 + bars(step.lane) + "  "
    for detail in details(step, look.full):
        key, style = clipped(detail.key, 20), DETAIL_STYLES.get(detail.key, Style.FAINT)
        gap = " " * max(9 - cell_width(key), 2)
        left = _Left(f"{indent}{look.paint(key, style)}{gap}", len(indent) + cell_width(key) + len(gap))
        yield from _valued(left, detail.text, WRAPPED_LINES if detail.key in DETAIL_STYLES else 1, look)


class _Left(NamedTuple):
    """What stands left of a value, painted, and the columns that it takes."""

    text: str
    columns: int


def _left(step: Step, name: str, style: Style, look: Look) -> _Left:
    """A step's time, its time since the start, the bars of its lane, its word."""
    since = (step.began - look.began) / 1_000_000
    when = f"{moment(step.began):%H:%M:%S.%f}"[:-3] + f"{since:>8,.1f} s  "
    lead, gap = bars(step.lane), " " * max(11 - cell_width(name), 2)
    columns = len(when) + len(lead) + cell_width(name) + len(gap)
    return _Left(f"{look.paint(when, Style.FAINT)}{lead}{look.paint(name, style)}{gap}", columns)


def _valued(left: _Left, value: str, lines: int, look: Look) -> Iterator[str]:
    """A value behind what stands left of it: as many lines of it as there may be, or as much as was asked for."""
    room = max(look.columns - left.columns, 20)
    if look.limit is None and lines == 1:
        yield left.text + clipped(value, room)
        return
    limit = room * lines if look.limit is None else look.limit
    cut = f"... {len(value) - limit:,} more characters" if 0 < limit < len(value) else ""
    shown = escaped(value[:limit] if limit else value) + cut
    first, *rest = _broken(shown, room)
    yield left.text + first
    yield from (" " * left.columns + line for line in rest)


def _broken(text: str, room: int) -> list[str]:
    if text.isascii() and len(text) <= room:
        return [text]
    return wrap(text, room, break_on_hyphens=False, break_long_words=True) or [""]


def word_style(step: Step) -> Style:
    """The colour of a step's word."""
    return Style.BAD if step.error is not None else WORD_STYLES.get(word(step), Style.NAME)


def bars(lane: Lane) -> str:
    """A bar for each delegation that a step is under."""
    return "| " * min(lane.depth, DEEPEST_SHOWN)


def footer(timeline: Timeline, steps: Sequence[Step], found: Coverage, look: Look) -> Iterator[str]:
    """Where time and money went, what never ended, and how far it can be trusted."""
    for name, value in footer_lines(timeline, steps, found):
        yield look.paint(f"{name:<9}", Style.FAINT) + _wrapped(value, look.columns)


def _wrapped(items: Sequence[str], columns: int) -> str:
    """Items between commas, no item broken over two lines when it fits on one."""
    kept = UNBROKEN if len(items) > 1 else " "
    whole = ", ".join(escaped(item).replace(" ", kept) for item in items)
    lines = wrap(whole, max(columns - 9, 30), break_on_hyphens=False)
    return f"\n{' ' * 9}".join(lines).replace(UNBROKEN, " ")


def footer_lines(timeline: Timeline, steps: Sequence[Step], found: Coverage) -> Iterator[tuple[str, list[str]]]:
    """The footer's lines: a name, and the items that it says."""
    totals = timeline.totals
    if len(steps) < len(timeline.steps):
        yield "chosen", [f"{len(steps):,} of {counted(len(timeline.steps), 'step')}"]
    slowest = sorted((s for s in timeline.steps if s.duration_us), key=lambda s: -s.duration_us)[:3]
    if slowest:
        yield "slowest", [_slow(step, timeline.began) for step in slowest]
    if totals.cost_by_model:
        costs = sorted(totals.cost_by_model.items(), key=lambda item: -item[1])
        yield "cost", [f"{name} {dollars(cost)}" for name, cost in costs]
    if totals.calls:
        yield "most", list(_most(timeline))
    still_open = [step for step in timeline.steps if step.is_open]
    if still_open:
        yield "open", [_name(step) for step in still_open[:5]] + _more(len(still_open) - 5)
    if timeline.outcome is None:
        yield "end", ["there is no session_end: it is still running, or it died"]
    yield "read", [sentence(found)]


def _slow(step: Step, began: int) -> str:
    return f"{_name(step)} {duration(step.duration_us)} at {(step.began - began) / 1_000_000:,.1f} s"


def _name(step: Step) -> str:
    return step.label or word(step)


def _most(timeline: Timeline) -> Iterator[str]:
    """The tools and models called most, with the errors among the calls."""
    calls = sorted(timeline.totals.calls.items(), key=lambda item: -item[1])
    for label, count in calls[:5]:
        failures = timeline.totals.failures.get(label, 0)
        yield f"{label} {count:,}" + (f" ({counted(failures, 'error')})" if failures else "")
    yield from _more(len(calls) - 5)


def _more(count: int) -> list[str]:
    return [f"{count:,} more"] if count > 0 else []
