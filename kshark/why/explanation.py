"""The answer of `kshark why`: a diagnosis, the chain that led to a step, and the step's consequences. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentlog.analysis.causality import CauseGraph, Link
from agentlog.analysis.failures import is_failure
from agentlog.session.timeline import Step, Timeline
from agentlog.text.step_text import CallRun, fold_runs

from ..view.numbered_steps import list_steps
from .consequences import Consequences, find_consequences
from .diagnosis.diagnosis import Diagnosis, DiagnosisKind
from .diagnosis.rules import diagnose
from .diagnosis.window import WHOLE, Window

LAST_LINKS_SHOWN = 6
"""The number of links nearest to the step that are always shown. Earlier links are shown if they are turning points."""
MAX_TURNING_POINTS = 12
TURNING_POINT_KINDS = frozenset({"decision", "user_message", "delegation", "delegation_result", "error"})


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a step was taken, or where a session went wrong.

    Attributes:
        diagnosis: where the session went wrong; None when the user named a step.
        step: the step that is explained, or None.
        chain: the links from the session's first step to the explained step.
        consequences: what followed from the explained step.
    """

    timeline: Timeline
    causes: CauseGraph
    diagnosis: Diagnosis | None
    step: Step | None
    chain: Sequence[Link] = ()
    consequences: Consequences | None = None


class SkippedSteps(NamedTuple):
    """Steps of a chain that are only counted."""

    steps: list[Step]


def build_explanation(timeline: Timeline, step: Step | None, window: Window = WHOLE) -> Explanation:
    """Explain why ``step`` was taken; without a step, where the session went wrong."""
    causes = CauseGraph(timeline)
    diagnosis = diagnose(timeline, causes, window) if step is None else None
    if diagnosis is not None:
        step = None if diagnosis.kind is DiagnosisKind.NOTHING else diagnosis.step
    if step is None:
        return Explanation(timeline, causes, diagnosis, None)
    return Explanation(
        timeline, causes, diagnosis, step, causes.build_chain(step), find_consequences(step, timeline, causes)
    )


def condense_chain(chain: Sequence[Link]) -> Iterator[Step | CallRun | SkippedSteps]:
    """Yield a chain's first step, its turning points and its last links; the steps between are skipped.

    The last step is the one that is explained. It stands by itself and is never part of a run.
    """
    items = [*fold_runs(link.step for link in chain[:-1]), *(link.step for link in chain[-1:])]
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
