"""Steps as lines of text: a line for each step, and below it its reasons, input, output and error. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agentlog.event.escape import escape_controls, split_lines
from agentlog.event.event import moment
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

from .layout import DETAIL_STYLES, LEAST_ROOM, WORD, Look, since, word_style

WRAPPED_LINES = 6
"""A reason or an error of one line takes so many lines of the terminal."""


SEVERAL_LINES = 6
"""So many lines of a value are shown; of a reason or an error twice as many."""


MOST_PARTS = 5
"""Of an object with up to so many parts each has its lines; of a larger one all together."""


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
