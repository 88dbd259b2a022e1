"""What `kshark why` answers with: the finding, the chain that led to a step, and what came of it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentlog.analysis.causality import CauseGraph, Link
from agentlog.analysis.failures import is_failure
from agentlog.session.timeline import Step, Timeline
from agentlog.text.step_text import CallRun, fold_runs

from ..view.numbered_steps import list_steps
from .consequences import Consequences, find_consequences
from .diagnosis import Diagnosis, DiagnosisKind, diagnose

LAST_LINKS_SHOWN = 6
"""So many links nearest to the step are always shown; of those before it only what set the direction."""
MAX_TURNING_POINTS = 12
TURNING_POINT_KINDS = frozenset({"decision", "user_message", "delegation", "delegation_result", "error"})


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a step was taken, or where a session went wrong.

    Attributes:
        diagnosis: where the session went wrong; None when the user named a step.
        step: the step that is explained; None where there is none to name.
        chain: what led to it, from the session's first step down to itself.
        consequences: what came of it.
    """

    timeline: Timeline
    causes: CauseGraph
    diagnosis: Diagnosis | None
    step: Step | None
    chain: Sequence[Link] = ()
    consequences: Consequences | None = None


class SkippedSteps(NamedTuple):
    """Links of a chain that aren't shown one by one."""

    steps: list[Step]


def build_explanation(timeline: Timeline, step: Step | None) -> Explanation:
    """Why ``step`` was taken; without one, where the session went wrong."""
    causes = CauseGraph(timeline)
    diagnosis = diagnose(timeline, causes) if step is None else None
    if diagnosis is not None:
        step = None if diagnosis.kind is DiagnosisKind.NOTHING else diagnosis.step
    if step is None:
        return Explanation(timeline, causes, diagnosis, None)
    return Explanation(
        timeline, causes, diagnosis, step, causes.build_chain(step), find_consequences(step, timeline, causes)
    )


def condense_chain(chain: Sequence[Link]) -> Iterator[Step | CallRun | SkippedSteps]:
    """A chain as it is shown: its first step, what set the direction, and what stands nearest to its end."""
    items = list(fold_runs(link.step for link in chain))
    earlier_items = items[1:-LAST_LINKS_SHOWN]
    turning_points = [item for item in earlier_items if _is_turning_point(item)][-MAX_TURNING_POINTS:]
    shown_ids = {id(item) for item in [*items[:1], *turning_points, *items[-LAST_LINKS_SHOWN:]]}
    skipped: list[Step] = []
    for item in items:
        if id(item) not in shown_ids:
            skipped += list_steps(item)
            continue
        if skipped:
            yield SkippedSteps(skipped) if len(skipped) > 1 else skipped[0]
            skipped = []
        yield item


def _is_turning_point(item: Step | CallRun) -> bool:
    return isinstance(item, CallRun) or item.kind in TURNING_POINT_KINDS or is_failure(item)
