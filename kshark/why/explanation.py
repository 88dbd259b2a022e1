"""What `kshark why` answers with: the finding, the chain that led to a step, and what came of it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentlog.analysis.causality import Causes, Link
from agentlog.analysis.failures import is_failure
from agentlog.session.timeline import Step, Timeline
from agentlog.text.step_text import Run, folded

from ..view.numbered_steps import steps_of
from .consequences import Aftermath, aftermath
from .diagnosis import Kind, Wrong, wrong

LAST = 6
"""So many links nearest to the step are always shown; of those before it only what set the direction."""
TURNS = 12
TURNING = frozenset({"decision", "user_message", "delegation", "delegation_result", "error"})


@dataclass(frozen=True, slots=True)
class Answer:
    """Why a step was taken, or where a session went wrong.

    Attributes:
        found: where the session went wrong; None when the user named a step.
        step: the step that is explained; None where there is none to name.
        chain: what led to it, from the session's first step down to itself.
        after: what came of it.
    """

    timeline: Timeline
    causes: Causes
    found: Wrong | None
    step: Step | None
    chain: Sequence[Link] = ()
    after: Aftermath | None = None


class Skipped(NamedTuple):
    """Links of a chain that aren't shown one by one."""

    steps: list[Step]


def answer(timeline: Timeline, step: Step | None) -> Answer:
    """Why ``step`` was taken; without one, where the session went wrong."""
    causes = Causes(timeline)
    found = wrong(timeline, causes) if step is None else None
    if found is not None:
        step = None if found.kind is Kind.NOTHING else found.step
    if step is None:
        return Answer(timeline, causes, found, None)
    return Answer(timeline, causes, found, step, causes.chain(step), aftermath(step, timeline, causes))


def condensed(chain: Sequence[Link]) -> Iterator[Step | Run | Skipped]:
    """A chain as it is shown: its first step, what set the direction, and what stands nearest to its end."""
    items = list(folded(link.step for link in chain))
    far = items[1:-LAST]
    turns = [item for item in far if _turns(item)][-TURNS:]
    kept = {id(item) for item in [*items[:1], *turns, *items[-LAST:]]}
    skipped: list[Step] = []
    for item in items:
        if id(item) not in kept:
            skipped += steps_of(item)
            continue
        if skipped:
            yield Skipped(skipped) if len(skipped) > 1 else skipped[0]
            skipped = []
        yield item


def _turns(item: Step | Run) -> bool:
    return isinstance(item, Run) or item.kind in TURNING or is_failure(item)
