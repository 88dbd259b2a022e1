"""What came of a step: what follows from it, the same call tried again, and all that came after. Pure."""

from dataclasses import dataclass
from math import fsum

from agentlog.analysis.causality import Causes
from agentlog.analysis.failures import is_failure
from agentlog.event.event import number
from agentlog.session.timeline import CALL_TYPES, Lane, Step, Timeline


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What came of a step.

    Attributes:
        children: the steps that follow from it.
        retries: later calls of the same name in its lane, where it failed; they end with the first that succeeded.
        run: the lane of the sub-agent that it called, or None.
        steps: how many steps of the session stand behind it.
        lasted: from its beginning to the end of the session, in microseconds.
        cost_usd: what was spent from there on, and ``total_usd`` in all.
        end: the session's end, or None.
    """

    children: list[Step]
    retries: list[Step]
    run: Lane | None
    steps: int
    lasted: int
    cost_usd: float
    total_usd: float
    end: Step | None


def aftermath(step: Step, timeline: Timeline, causes: Causes) -> Aftermath:
    """What came of ``step``."""
    behind = timeline.steps[causes.number[step] - 1 :]
    return Aftermath(
        causes.children(step),
        _retries(step, behind[1:]),
        next((lane for lane in timeline.lanes if lane.delegation is step), None),
        len(behind) - 1,
        timeline.ended - step.began,
        cost(behind),
        timeline.totals.cost_usd,
        next((each for each in reversed(behind) if each.kind == "session_end" and each.lane.depth == 0), None),
    )


def cost(steps: list[Step]) -> float:
    """What steps cost, as far as they say."""
    return fsum(number(step.event.payload.get("cost_usd")) or 0 for step in steps)


def _retries(step: Step, behind: list[Step]) -> list[Step]:
    found: list[Step] = []
    if step.kind not in CALL_TYPES or not is_failure(step):
        return found
    for later in behind:
        if (later.kind, later.label) == (step.kind, step.label) and later.lane is step.lane:
            found.append(later)
            if not is_failure(later) and not later.is_open:
                break
    return found
