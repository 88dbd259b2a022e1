"""A timeline as a tree: each step under the call or the delegation that it ran inside of. Pure."""

from collections.abc import Iterator, Sequence

from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step, Timeline
from agentlog.terminal.output import Style, cell_width, clipped
from agentlog.text.step_text import TELL_THEIR_ERROR, headline, shown, word

from ..render import Look, footer, header, since, word_style


def tree(timeline: Timeline, steps: Sequence[Step], found: Coverage, look: Look) -> Iterator[str]:
    """Steps under the calls and delegations that they ran inside of, so that parallel lanes don't mix."""
    yield from header(timeline, found, look)
    yield ""
    chosen, inside = set(steps), _containers(timeline)
    children: dict[Step | None, list[Step]] = {}
    for step in timeline.steps:
        if step in chosen:
            outer = inside[step]
            while outer is not None and outer not in chosen:
                outer = inside[outer]
            children.setdefault(outer, []).append(step)
    yield from _branches(children, look)
    yield ""
    yield from footer(timeline, steps, found, look)


def _containers(timeline: Timeline) -> dict[Step, Step | None]:
    """For each step what it ran inside of: its delegation, or the call that had begun and not ended by then."""
    inside: dict[Step, Step | None] = {}
    for step in timeline.steps:
        at = step.parent
        while at is not None and not _runs(at, step):
            at = inside[at]
        inside[step] = at if at is not None else step.lane.delegation
    return inside


def _runs(outer: Step, step: Step) -> bool:
    is_call = outer.lane is step.lane and outer.duration_us > 0 and outer.recorded > step.began
    return outer is step.lane.delegation or is_call


def _branches(children: dict[Step | None, list[Step]], look: Look) -> Iterator[str]:
    stack: list[tuple[Step, str, bool]] = []

    def push(parent: Step | None, lead: str) -> None:
        below = children.get(parent, [])
        stack.extend((step, lead, step is below[-1]) for step in reversed(below))

    push(None, "")
    while stack:
        step, lead, last = stack.pop()
        yield _branch(step, f"{lead}{'`-- ' if last else '|-- '}", look)
        push(step, lead + ("    " if last else "|   "))


def _branch(step: Step, lead: str, look: Look) -> str:
    when = f"{since(step, look):>11}  "
    lead = lead[-(look.columns // 12) * 4 :]  # of the deepest only the innermost branches have room
    room = look.columns - len(when) - len(lead)
    name = clipped(word(step), min(room, 20))
    error = f"  {shown(step.error)}" if step.error is not None and step.kind not in TELL_THEIR_ERROR else ""
    said = headline(step) + error
    beside = room - cell_width(name) - 1
    told = f" {clipped(said, beside)}" if said and beside >= 3 else ""
    return f"{look.paint(when, Style.FAINT)}{lead}{look.paint(name, word_style(step))}{told}"
