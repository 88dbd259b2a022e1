"""The consequences of a step: the steps that follow from it, its retries, and the rest of the session. Pure."""

from dataclasses import dataclass
from math import fsum

from agentlog.analysis.causality import CauseGraph
from agentlog.analysis.failures import is_failure, is_retry
from agentlog.event.event import parse_amount
from agentlog.session.timeline import CALL_TYPES, Lane, Step, Timeline


@dataclass(frozen=True, slots=True)
class Consequences:
    """The consequences of a step.

    Attributes:
        children: the steps that follow from it.
        retries: if the step failed, the later calls of its like in its lane, up to the first success.
        sub_agent_lane: the lane of the sub-agent that the step called, or None.
        step_count: the number of later steps in the session.
        duration_us: the time from the step's beginning to the session's end, in microseconds.
        cost_usd: the cost from the step on; None if no step states any.
        total_usd: the cost of the whole session; None if no step states any.
        end: the session's end, or None.
    """

    children: list[Step]
    retries: list[Step]
    sub_agent_lane: Lane | None
    step_count: int
    duration_us: int
    cost_usd: float | None
    total_usd: float | None
    end: Step | None


def find_consequences(step: Step, timeline: Timeline, causes: CauseGraph) -> Consequences:
    """Find the consequences of ``step``."""
    steps_onwards = timeline.steps[causes.step_numbers[step] - 1 :]
    return Consequences(
        causes.get_children(step),
        _find_retries(step, steps_onwards[1:]),
        next((lane for lane in timeline.lanes if lane.delegation is step), None),
        len(steps_onwards) - 1,
        timeline.ended - step.began,
        sum_cost(steps_onwards),
        timeline.totals.cost_usd,
        next((each for each in reversed(steps_onwards) if each.kind == "session_end" and each.lane.depth == 0), None),
    )


def sum_cost(steps: list[Step]) -> float | None:
    """Add up the costs that steps have recorded, in dollars; return None if there are none."""
    costs = [cost for step in steps if (cost := parse_amount(step.event.payload.get("cost_usd"))) is not None]
    return fsum(costs) if costs else None


def _find_retries(step: Step, later_steps: list[Step]) -> list[Step]:
    retries: list[Step] = []
    if step.kind not in CALL_TYPES or not is_failure(step):
        return retries
    for later in later_steps:
        if later.lane is step.lane and is_retry(later, step):
            retries.append(later)
            if not is_failure(later) and not later.is_open:
                break
    return retries
