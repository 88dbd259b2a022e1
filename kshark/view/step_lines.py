"""Steps as lines of text: a headline, and below it the reason, input, output and error. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agentlog.event.escape import escape_controls, split_lines
from agentlog.event.event import to_datetime
from agentlog.formatting import shorten_name
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
    has_long_name,
    list_details,
)

from .layout import DETAIL_STYLES, MIN_VALUE_WIDTH, WORD_WIDTH, Layout, choose_word_style, format_since

MAX_WRAPPED_LINES = 6
"""The most terminal lines for a reason or an error that is one long line."""

MAX_AGENT_CHARACTERS = 32
"""The most characters of another agent's name before a headline."""

MAX_LONG_NAME_LINES = 3
"""The most terminal lines for a headline that begins with a long name, so that what stands behind it is seen too."""

MAX_TEXT_LINES = 6
"""The most lines of a value; of a reason or an error twice as many."""

MAX_PARTS = 5
"""In an object of up to this many parts, each part may have `MAX_TEXT_LINES`; in a larger one all parts together."""


def format_steps(timeline: Timeline, steps: Iterable[Step], layout: Layout) -> Iterator[str]:
    """Yield the lines of the steps; similar calls in a row are folded."""
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
    """Yield the lines that stand for the folded calls of a run."""
    left = _make_lead(run.others[0], f"x{len(run.others)}", Style.STRONG, layout, None)
    yield from _join_lead_and_value(left, Detail("", describe_folded_steps(run)), MAX_WRAPPED_LINES, layout)


def format_step(step: Step, layout: Layout, known_reasoning: object = None) -> Iterator[str]:
    """Yield a step's headline and details; reasoning that equals ``known_reasoning`` is left out."""
    yield from format_headline_lines(step, layout)
    yield from format_details(step, list_details(step, layout.is_full, known_reasoning), layout)


def format_headline_lines(step: Step, layout: Layout) -> Iterator[str]:
    """Yield a step's headline. A call's name, or an error, may take several lines."""
    other = (
        ""
        if step.event.agent_id in (step.lane.agent_id, "user")
        else f"({shorten_name(step.event.agent_id, MAX_AGENT_CHARACTERS)}) "
    )
    left = _make_lead(step, clip_text(get_step_word(step), 20), choose_word_style(step), layout, step)
    suffix = f"  {remarks}" if (remarks := format_remarks(step)) else ""
    max_lines = MAX_WRAPPED_LINES if step.kind in CALL_TYPES or step.error is not None else 1
    if has_long_name(step):
        max_lines = max(max_lines, MAX_LONG_NAME_LINES)
    yield from _join_lead_and_value(left, Detail("", other + describe_content(step), suffix), max_lines, layout)


def fit_headline(step: Step, behind: str, room: int) -> str:
    """Return the headline of a step, cut so that its remarks and at least the beginning of ``behind`` have room."""
    content, remarks = describe_content(step), format_remarks(step)
    reserved = (cell_width(remarks) + 2 if remarks else 0) + min(cell_width(behind), room // 2)
    if "\n" not in content:
        content = clip_text(content, max(room - reserved, MIN_VALUE_WIDTH))
    return "  ".join(filter(None, [content, remarks]))


def format_details(step: Step, details: Iterable[Detail], layout: Layout, max_lines: int = 1) -> Iterator[str]:
    """Yield the details below a headline. A reason or an error may take six lines, another value ``max_lines``."""
    lead = " " * layout.times + layout.bars(step.lane)
    for detail in details:
        key, style = clip_text(detail.key, 18), DETAIL_STYLES.get(detail.key, Style.FAINT)
        left = _Lead(f"{lead}  {layout.paint(key, style)}", len(lead) + 2 + cell_width(key), lead)
        yield from _join_lead_and_value(
            left, detail, MAX_WRAPPED_LINES if detail.key in DETAIL_STYLES else max_lines, layout
        )


class _Lead(NamedTuple):
    """The painted text left of a value, its width, and the indent of further lines."""

    text: str
    columns: int
    indent: str


def _make_lead(step: Step, name: str, style: Style, layout: Layout, numbered: Step | None) -> _Lead:
    """Return the text left of a value: the number of ``numbered``, the step's times, its lane's bars, and ``name``."""
    clock = "" if layout.is_narrow else f"{to_datetime(step.began):%H:%M:%S.%f}"[:-3]
    since_start = f"{format_since(step, layout):>8} " if layout.is_narrow else f"{format_since(step, layout):>10}  "
    times = layout.paint(layout.number(numbered) + clock + since_start, Style.FAINT)
    bars = layout.bars(step.lane)
    indent = " " * layout.times + bars
    return _Lead(f"{times}{bars}{layout.paint(name, style)}", len(indent) + cell_width(name), indent)


def _join_lead_and_value(lead: _Lead, value: Detail, lines: int, layout: Layout) -> Iterator[str]:
    """Yield the lead with the value to its right, or below it if there is no room."""
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
    """Return a value in lines of at most ``room`` columns, cut to the layout's limit or to the default length.

    Args:
        each: the most terminal lines for one line of the value.
    """
    text, limit = value.text, layout.limit
    if limit is None and "\n" in text and len(lines := split_lines(text)) > 1:
        parts = [split_lines(part) for part in value.parts] if 0 < len(value.parts) <= MAX_PARTS else [lines]
        return [line for part in parts for line in _leave_out_middle(part, value.suffix, each, room, layout)]
    if limit is None and each == 1:
        return [clip_text(f"{text}{value.suffix}".strip("\r\n"), room)]
    if limit is None:  # the note about the cut takes a line, so the cut must save more than one
        limit = room * each if len(text) > room * (each + 1) else 0
    cut = f"... {len(text) - limit:,} more characters" if 0 < limit < len(text) else ""
    *lines, last = map(escape_line, split_lines(text[:limit] if limit else text))
    return [part for line in [*lines, last + cut + escape_controls(value.suffix)] for part in wrap_text(line, room)]


def _leave_out_middle(lines: list[str], behind: str, each: int, room: int, layout: Layout) -> list[str]:
    """Return the first and last lines of a value, and between them the number of the others."""
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
    """Wrap as many of the lines as fit into ``most`` terminal lines; return a list for each line."""
    filled: list[list[str]] = []
    for line in lines:
        left = most - sum(map(len, filled))
        if not left:
            break
        filled.append(wrap_line(escape_line(line[: room * (each + 1) * 2]), room, min(each, left)))
    return filled
