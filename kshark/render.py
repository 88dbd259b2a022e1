"""A timeline as text for a terminal: a header, a step a line, and how far it can be trusted. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from agentlog.event.escape import escape_controls, join_lines, split_lines
from agentlog.event.event import EPOCH
from agentlog.formatting import format_count, format_dollars, format_duration
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import CALL_TYPES, Lane, Step, Timeline
from agentlog.terminal.output import Paint, Style, cell_width, clip_text, escape_line, flow_items, wrap_line, wrap_text
from agentlog.text.coverage_text import describe_coverage, describe_range
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

OUTCOME_STYLES = {"succeeded": Style.GOOD, "failed": Style.BAD, "cancelled": Style.NOTICE}
WORD_STYLES = {"user": Style.STRONG, "agent": Style.STRONG, "decision": Style.NOTICE, "error": Style.BAD}
DETAIL_STYLES = {"because": Style.NOTICE, "error": Style.BAD}
DEEPEST_SHOWN = 8
WRAPPED_LINES = 6
"""A reason or an error of one line takes so many lines of the terminal."""
SEVERAL_LINES = 6
"""So many lines of a value are shown; of a reason or an error twice as many."""
MOST_PARTS = 5
"""Of an object with up to so many parts each has its lines; of a larger one all together."""
LEAST_ROOM = 10
NARROW = 60
WORD = 11


@dataclass(frozen=True)
class Look:
    """How a timeline is to be written.

    Attributes:
        columns: of the terminal.
        began: what times since the start are counted from, in microseconds since the epoch.
        steps: the largest number of a step; 0 for no numbers.
        full: every step on its own line, all that it recorded below it, nothing cut.
        max_chars: how much of a value is shown, wrapped; 0 for all, None for what fits on its line.
    """

    columns: int
    paint: Paint
    began: int
    steps: int = 0
    full: bool = False
    max_chars: int | None = None

    @property
    def limit(self) -> int | None:
        """How many characters of a value are shown: None for what fits on a line, 0 for all."""
        return 0 if self.full and self.max_chars is None else self.max_chars

    @cached_property
    def narrow(self) -> bool:
        """Whether there is no room for the time of day beside the number and the time since the start."""
        return self.columns - (self.digits + 2 if self.steps else 0) < NARROW

    @cached_property
    def times(self) -> int:
        """The columns that a step's number and times take."""
        return self.digits + (9 if self.narrow else 24) + (0 if not self.steps else 1 if self.narrow else 2)

    @cached_property
    def digits(self) -> int:
        """The columns that a step's number takes."""
        return len(str(self.steps)) if self.steps else 0

    def number(self, step: Step | None) -> str:
        """The number of a step, with what stands behind it; as much space for none."""
        if not self.steps:
            return ""
        return f"{step.number if step and step.number else '':>{self.digits}}{' ' if self.narrow else '  '}"

    def bars(self, lane: Lane) -> str:
        """A bar for each delegation that a step is under, as far as there is room."""
        room = (self.columns - self.times - WORD - LEAST_ROOM) // 2
        return "| " * min(lane.depth, DEEPEST_SHOWN, max(room, 0))


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


def moment(microseconds: int) -> datetime:
    """A time in UTC; what no calendar holds stands at its edge."""
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return EPOCH


def body(timeline: Timeline, steps: Iterable[Step], look: Look) -> Iterator[str]:
    """The steps, a line each and more where there is more to say; like calls in a row folded."""
    day = moment(timeline.began).date()
    reasons: dict[Lane, object] = {}
    for item in steps if look.full else fold_runs(steps):
        step = item.first if isinstance(item, CallRun) else item
        if (today := moment(step.began).date()) != day:
            day = today
            yield look.paint(f"{day:%Y-%m-%d}", Style.FAINT)
        yield from step_lines(step, look, reasons.get(step.lane))
        reasons[step.lane] = step.event.context.get("reasoning")
        if isinstance(item, CallRun):
            yield from run_lines(item, look)


def run_lines(run: CallRun, look: Look) -> Iterator[str]:
    """The others of a run, in a line or more."""
    left = _left(run.others[0], f"x{len(run.others)}", Style.STRONG, look, None)
    yield from _valued(left, Detail("", describe_folded_steps(run)), WRAPPED_LINES, look)


def step_lines(step: Step, look: Look, known: object = None) -> Iterator[str]:
    """A step's own line, and those below it; its reasoning unless ``known``, from the step before it in its lane."""
    yield from own_lines(step, look)
    yield from detail_lines(step, list_details(step, look.full, known), look)


def own_lines(step: Step, look: Look) -> Iterator[str]:
    """A step's own line, or lines where its name is long."""
    other = "" if step.event.agent_id in (step.lane.agent_id, "user") else f"({step.event.agent_id}) "
    left = _left(step, clip_text(get_step_word(step), 20), word_style(step), look, step)
    behind = f"  {told}" if (told := format_remarks(step)) else ""
    each = WRAPPED_LINES if step.kind in CALL_TYPES else 1
    yield from _valued(left, Detail("", other + describe_content(step), behind), each, look)


def detail_lines(step: Step, told: Iterable[Detail], look: Look, most: int = 1) -> Iterator[str]:
    """What stands below a step's own line. A line of a reason or an error takes up to six, of the rest ``most``."""
    lead = " " * look.times + look.bars(step.lane)
    for detail in told:
        key, style = clip_text(detail.key, 18), DETAIL_STYLES.get(detail.key, Style.FAINT)
        left = _Left(f"{lead}  {look.paint(key, style)}", len(lead) + 2 + cell_width(key), lead)
        yield from _valued(left, detail, WRAPPED_LINES if detail.key in DETAIL_STYLES else most, look)


class _Left(NamedTuple):
    """What stands left of a value, painted; the columns that it takes; and what leads each further line."""

    text: str
    columns: int
    lead: str


def _left(step: Step, name: str, style: Style, look: Look, numbered: Step | None) -> _Left:
    """The number of the step that is ``numbered``, a step's times, the bars of its lane, its word."""
    clock = "" if look.narrow else f"{moment(step.began):%H:%M:%S.%f}"[:-3]
    since_start = f"{since(step, look):>8} " if look.narrow else f"{since(step, look):>10}  "
    times = look.paint(look.number(numbered) + clock + since_start, Style.FAINT)
    bars = look.bars(step.lane)
    lead = " " * look.times + bars
    return _Left(f"{times}{bars}{look.paint(name, style)}", len(lead) + cell_width(name), lead)


def since(step: Step, look: Look) -> str:
    """The time since the start, in at most ten columns; on a narrow terminal in eight."""
    seconds = (step.began - look.began) / 1_000_000
    if look.narrow and seconds >= 999.95:
        return f"{seconds:,.0f} s" if seconds < 99_999.5 else clip_text(format_duration(step.began - look.began), 8)
    if seconds < 9_999.95:
        return f"{seconds:,.1f} s"
    return f"{seconds:,.0f} s" if seconds < 999_999.5 else clip_text(format_duration(step.began - look.began), 10)


def _valued(left: _Left, value: Detail, lines: int, look: Look) -> Iterator[str]:
    """A value behind what stands left of it, or below that where there is no room."""
    values = len(left.lead) + WORD
    beside = max(left.columns + 2, values)
    fits = look.columns - beside >= LEAST_ROOM
    column = beside if fits else values
    first, *rest = value_lines(value, lines, look.columns - column, look)
    yield left.text + (" " * (column - left.columns) + first if fits and first else "")
    rest = rest if fits else [first, *rest]
    if rest:
        lead = left.lead + " " * (column - len(left.lead))
        yield from (lead + line for line in rest)


def value_lines(value: Detail, each: int, room: int, look: Look) -> list[str]:
    """A value in lines of at most ``room`` columns: as much of it as was asked for, else what there is room for.

    Args:
        each: how many lines of the terminal one line of the value may take.
    """
    text, limit = value.text, look.limit
    if limit is None and "\n" in text and len(lines := split_lines(text)) > 1:
        parts = [split_lines(part) for part in value.parts] if 0 < len(value.parts) <= MOST_PARTS else [lines]
        return [line for part in parts for line in _middle_left_out(part, value.suffix, each, room, look)]
    if limit is None and each == 1:
        return [clip_text(f"{text}{value.suffix}".strip("\r\n"), room)]
    if limit is None:  # a cut is said on a line of its own, so it has to save more than one
        limit = room * each if len(text) > room * (each + 1) else 0
    cut = f"... {len(text) - limit:,} more characters" if 0 < limit < len(text) else ""
    *lines, last = map(escape_line, split_lines(text[:limit] if limit else text))
    return [part for line in [*lines, last + cut + escape_controls(value.suffix)] for part in wrap_text(line, room)]


def _middle_left_out(lines: list[str], behind: str, each: int, room: int, look: Look) -> list[str]:
    """The first and the last of a value's lines, and between them how many aren't shown."""
    most = SEVERAL_LINES if each == 1 else 2 * SEVERAL_LINES
    above = _fill(lines, each, room, most + each)
    if len(above) < len(lines) or sum(map(len, above)) > most:
        above = _fill(lines, each, room, most - most // 3)
    below = _fill(reversed(lines[len(above) :]), each, room, most // 3)[::-1]
    left_out = lines[len(above) : len(lines) - len(below)]
    if len(left_out) == 1:
        above += _fill(left_out, 1, room, 1)
    elif left_out:
        above.append([look.paint(clip_text(f"... {len(left_out):,} more lines", room), Style.FAINT)])
    *shown, end = [part for parts in above + below for part in parts]
    return [*shown, *(wrap_text(end + escape_controls(behind), room) if behind else [end])]


def _fill(lines: Iterable[str], each: int, room: int, most: int) -> list[list[str]]:
    """As many of a value's lines as fit into ``most`` lines of the terminal; of each those that it takes."""
    filled: list[list[str]] = []
    for line in lines:
        left = most - sum(map(len, filled))
        if not left:
            break
        filled.append(wrap_line(escape_line(line[: room * (each + 1) * 2]), room, min(each, left)))
    return filled


def word_style(step: Step) -> Style:
    """The colour of a step's word."""
    return Style.BAD if step.error is not None else WORD_STYLES.get(get_step_word(step), Style.NAME)


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
