"""What agents knew, as text for a terminal. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from agentlog.event.escape import escaped
from agentlog.formatting import counted
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step
from agentlog.terminal.output import Style, cell_width, clipped, wrapped
from agentlog.text.coverage_text import sentence
from agentlog.text.step_text import folded

from ..render import Look, header
from ..view.numbered_steps import Numbered, steps_of, told
from .agent_state import SECTIONS, Change, Keys, Knowledge, as_begun
from .phrases import asked_by, given, key_change, task, when
from .query import Recall

LAST = 12
"""So many of a section's lines are shown, the newest; --full shows all."""


def text(recalled: Recall, covered: Coverage, look: Look) -> Iterator[str]:
    """A heading, then each lane: what it was to do, what it knew, what it waited for."""
    pen = Numbered(recalled.causes.number, look)
    yield from header(recalled.timeline, covered, look)
    yield from wrapped(escaped(_points(recalled)), look.columns)
    for number, mind in enumerate(recalled.minds):
        yield ""
        yield from _mind(mind, recalled.changes[number] if recalled.changes else None, recalled, pen)
    yield ""
    yield from pen.named("read", sentence(covered))


def _points(recalled: Recall) -> str:
    began, causes = recalled.timeline.began, recalled.causes
    since = f"; what changed since {when(recalled.since, began, causes)}" if recalled.changes else ""
    return f"known {when(recalled.at, began, causes)}{since}"


def _mind(mind: Knowledge, change: Change | None, recalled: Recall, pen: Numbered) -> Iterator[str]:
    look, goal = pen.look, recalled.timeline.goal
    name = clipped(mind.lane.agent_id, look.columns)
    beside = clipped(asked_by(mind), max(look.columns - cell_width(name) - 2, 0)) if asked_by(mind) else ""
    yield f"{look.paint(name, Style.NAME)}  {beside}".rstrip()
    yield from pen.named("goal" if mind.lane.delegation is None else "task", task(mind, goal), Style.STRONG)
    yield from pen.named("given", given(mind, recalled.causes))
    keys = change.memory if change is not None else [Keys(key, None, step) for key, step in mind.memory.items()]
    for key in keys:
        yield from pen.named("memory", f"{key_change(key)}  (step {recalled.causes.number[key.after]})")
    seen = set(change.seen if change is not None else mind.seen)
    for title, chosen in SECTIONS:
        yield from _section(title, [step for step in mind.of(chosen) if step in seen], pen)
    yield from _open(change.opened if change is not None else mind.open, pen)
    if change is not None:
        yield from _section("came back", [step for step in change.closed if step.kind == "delegation"], pen)


def _open(steps: Sequence[Step], pen: Numbered) -> Iterator[str]:
    if not steps:
        return
    yield pen.look.paint(f"open  {len(steps):,}", Style.NOTICE)
    begun = {as_begun(step): pen.number[step] for step in steps}
    only = replace(pen, number={**pen.number, **begun})
    for step in begun:
        yield from only.lines(step, told(step, pen.look.full))


def _section(title: str, steps: Sequence[Step], pen: Numbered) -> Iterator[str]:
    """A title with a count, and the newest of the steps."""
    if not steps:
        return
    look = pen.look
    yield look.paint(f"{title}  {len(steps):,}", Style.NOTICE)
    items = list(steps if look.full else folded(steps))
    shown_from = 0 if look.full else max(len(items) - LAST, 0)
    earlier = [step for item in items[:shown_from] for step in steps_of(item)]
    if earlier:
        yield look.paint(" " * pen.margin + f"... {counted(len(earlier), 'step')} before", Style.FAINT)
    for item in items[shown_from:]:
        first = steps_of(item)[0]
        yield from pen.lines(item, told(first, look.full))
