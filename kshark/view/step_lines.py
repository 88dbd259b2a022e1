"""Steps as lines of text: a line for each step, and below it its reasons, input, output and error. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agentlog.event.escape import escape_controls, split_lines
from agentlog.event.event import to_datetime
from agentlog.session.timeline import CALL_TYPES, Lane, Step, Timeline
from agentlog.terminal.style import Style
from agentlog.terminal.text_width import cell_width, clip_text, escape_line, wrap_line, wrap_text
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

from .layout import DETAIL_STYLES, MIN_VALUE_WIDTH, WORD_WIDTH, Layout, choose_word_style, format_since

MAX_WRAPPED_LINES = 6
"""A reason or an error of one line takes so many lines of the terminal."""


MAX_TEXT_LINES = 6
"""So many lines of a value are shown; of a reason or an error twice as many."""


MAX_PARTS = 5
"""Of an object with up to so many parts each has its lines; of a larger one all together."""


def format_steps(timeline: Timeline, steps: Iterable[Step], layout: Layout) -> Iterator[str]:
    """The steps, a line each and more where there is more to say; like calls in a row folded."""
    day = to_datetime(timeline.began).date()
    reasons: dict[Lane, object] = {}
    for item in steps if layout.is_full else fold_runs(steps):
        step = item.first if isinstance(item, CallRun) else item
        if (today := to_datetime(step.began).date()) != day:
            day = today
            yield layout.paint(f"{day:%Y-%m-%d}", Style.FAINT)
        yield from format_step(step, layout, reasons.get(step.lane))
        reasons[step.lane] = step.event.context.get("reasoning")
        if isinstance(item, CallRun):
            yield from format_run(item, layout)


def format_run(run: CallRun, layout: Layout) -> Iterator[str]:
    """The others of a run, in a line or more."""
    left = _make_lead(run.others[0], f"x{len(run.others)}", Style.STRONG, layout, None)
    yield from _join_lead_and_value(left, Detail("", describe_folded_steps(run)), MAX_WRAPPED_LINES, layout)


def format_step(step: Step, layout: Layout, known_reasoning: object = None) -> Iterator[str]:
    """A step's own line, and those below it; its reasoning unless ``known_reasoning``, from the step before it in its lane."""
    yield from format_headline_of_step(step, layout)
    yield from format_details(step, list_details(step, layout.is_full, known_reasoning), layout)


def format_headline_of_step(step: Step, layout: Layout) -> Iterator[str]:
    """A step's own line, or lines where its name is long."""
    other = "" if step.event.agent_id in (step.lane.agent_id, "user") else f"({step.event.agent_id}) "
    left = _make_lead(step, clip_text(get_step_word(step), 20), choose_word_style(step), layout, step)
    behind = f"  {told}" if (told := format_remarks(step)) else ""
    each = MAX_WRAPPED_LINES if step.kind in CALL_TYPES else 1
    yield from _join_lead_and_value(left, Detail("", other + describe_content(step), behind), each, layout)


def format_details(step: Step, details: Iterable[Detail], layout: Layout, max_lines: int = 1) -> Iterator[str]:
    """What stands below a step's own line. A line of a reason or an error takes up to six, of the rest ``max_lines``."""
    lead = " " * layout.times + layout.bars(step.lane)
    for detail in details:
        key, style = clip_text(detail.key, 18), DETAIL_STYLES.get(detail.key, Style.FAINT)
        left = _Lead(f"{lead}  {layout.paint(key, style)}", len(lead) + 2 + cell_width(key), lead)
        yield from _join_lead_and_value(
            left, detail, MAX_WRAPPED_LINES if detail.key in DETAIL_STYLES else max_lines, layout
        )


class _Lead(NamedTuple):
    """What stands left of a value, painted; the columns that it takes; and what leads each further line."""

    text: str
    columns: int
    indent: str


def _make_lead(step: Step, name: str, style: Style, layout: Layout, numbered: Step | None) -> _Lead:
    """The number of the step that is ``numbered``, a step's times, the bars of its lane, its word."""
    clock = "" if layout.is_narrow else f"{to_datetime(step.began):%H:%M:%S.%f}"[:-3]
    since_start = f"{format_since(step, layout):>8} " if layout.is_narrow else f"{format_since(step, layout):>10}  "
    times = layout.paint(layout.number(numbered) + clock + since_start, Style.FAINT)
    bars = layout.bars(step.lane)
    indent = " " * layout.times + bars
    return _Lead(f"{times}{bars}{layout.paint(name, style)}", len(indent) + cell_width(name), indent)


def _join_lead_and_value(lead: _Lead, value: Detail, lines: int, layout: Layout) -> Iterator[str]:
    """A value behind what stands left of it, or below that where there is no room."""
    values = len(lead.indent) + WORD_WIDTH
    beside = max(lead.columns + 2, values)
    fits = layout.columns - beside >= MIN_VALUE_WIDTH
    column = beside if fits else values
    first, *rest = format_value_lines(value, lines, layout.columns - column, layout)
    yield lead.text + (" " * (column - lead.columns) + first if fits and first else "")
    rest = rest if fits else [first, *rest]
    if rest:
        indent = lead.indent + " " * (column - len(lead.indent))
        yield from (indent + line for line in rest)


def format_value_lines(value: Detail, each: int, room: int, layout: Layout) -> list[str]:
    """A value in lines of at most ``room`` columns: as much of it as was asked for, else what there is room for.

    Args:
        each: how many lines of the terminal one line of the value may take.
    """
    text, limit = value.text, layout.limit
    if limit is None and "\n" in text and len(lines := split_lines(text)) > 1:
        parts = [split_lines(part) for part in value.parts] if 0 < len(value.parts) <= MAX_PARTS else [lines]
        return [line for part in parts for line in _leave_out_middle(part, value.suffix, each, room, layout)]
    if limit is None and each == 1:
        return [clip_text(f"{text}{value.suffix}".strip("\r\n"), room)]
    if limit is None:  # a cut is said on a line of its own, so it has to save more than one
        limit = room * each if len(text) > room * (each + 1) else 0
    cut = f"... {len(text) - limit:,} more characters" if 0 < limit < len(text) else ""
    *lines, last = map(escape_line, split_lines(text[:limit] if limit else text))
    return [part for line in [*lines, last + cut + escape_controls(value.suffix)] for part in wrap_text(line, room)]


def _leave_out_middle(lines: list[str], behind: str, each: int, room: int, layout: Layout) -> list[str]:
    """The first and the last of a value's lines, and between them how many aren't shown."""
    most = MAX_TEXT_LINES if each == 1 else 2 * MAX_TEXT_LINES
    above = _wrap_lines(lines, each, room, most + each)
    if len(above) < len(lines) or sum(map(len, above)) > most:
        above = _wrap_lines(lines, each, room, most - most // 3)
    below = _wrap_lines(reversed(lines[len(above) :]), each, room, most // 3)[::-1]
    left_out = lines[len(above) : len(lines) - len(below)]
    if len(left_out) == 1:
        above += _wrap_lines(left_out, 1, room, 1)
    elif left_out:
        above.append([layout.paint(clip_text(f"... {len(left_out):,} more lines", room), Style.FAINT)])
    *shown, end = [part for parts in above + below for part in parts]
    return [*shown, *(wrap_text(end + escape_controls(behind), room) if behind else [end])]


def _wrap_lines(lines: Iterable[str], each: int, room: int, most: int) -> list[list[str]]:
    """As many of a value's lines as fit into ``most`` lines of the terminal; of each those that it takes."""
    filled: list[list[str]] = []
    for line in lines:
        left = most - sum(map(len, filled))
        if not left:
            break
        filled.append(wrap_line(escape_line(line[: room * (each + 1) * 2]), room, min(each, left)))
    return filled
