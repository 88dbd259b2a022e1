"""The verdict: the decisive divergence, its root, and the chain from the root to the end. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ..align.payload_compare import Payloads
from ..align.step_groups import StepGroup
from .alternative import find_alternative
from .compare import Comparison
from .divergence import Divergence, Weight
from .root_cause import RootCause, find_root_cause

MAX_UNCERTAIN = 3
"""If no divergence explains the outcome, and more than this number may, none is named as decisive."""
MAX_CHAIN_EVENTS = 12
"""The greatest number of events in the chain."""


class VerdictKind(Enum):
    """Whether two sessions are the same."""

    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on two sessions.

    Attributes:
        decisive: the first divergence that can explain the outcome; None if there is none.
        root_cause: the steps that led to the decisive divergence.
        first: the first divergence of all.
        chain: the steps of B from the root to its end.
        note: a remark on the verdict, one sentence; empty if there is none.
    """

    kind: VerdictKind
    decisive: Divergence | None
    root_cause: RootCause | None
    first: Divergence | None
    chain: list[StepGroup]
    note: str


def reach_verdict(comparison: Comparison, payloads: Payloads) -> Verdict:
    """Reach the verdict on a comparison."""
    divergences = comparison.divergences
    is_same_outcome = comparison.a.timeline.outcome == comparison.b.timeline.outcome
    kind = VerdictKind.SAME if not divergences and is_same_outcome else VerdictKind.DIFFERENT
    decisive = _find_decisive(divergences)
    if decisive is not None and decisive.kind == "missing":
        decisive.alternative, phrase = find_alternative(decisive, comparison, payloads)
        decisive.why += f": {phrase}"
    root_cause = find_root_cause(decisive, comparison, payloads) if decisive is not None else None
    first = divergences[0] if divergences else None
    chain = _build_chain(decisive, root_cause, comparison)
    return Verdict(kind, decisive, root_cause, first, chain, _describe_outcome(decisive, is_same_outcome, divergences))


def _find_decisive(divergences: Sequence[Divergence]) -> Divergence | None:
    for weight in (Weight.EXPLAINS, Weight.MAY_EXPLAIN, Weight.ANSWER):
        candidates = [each for each in divergences if each.weight is weight]
        if candidates and (weight is Weight.EXPLAINS or len(candidates) <= MAX_UNCERTAIN):
            return candidates[0]
    return None


def _describe_outcome(decisive: Divergence | None, is_same_outcome: bool, divergences: Sequence[Divergence]) -> str:
    if decisive is None and divergences and not is_same_outcome:
        return "They ended differently, but no cause can be named: both changed the same state."
    if decisive is not None and decisive.weight is not Weight.EXPLAINS and not is_same_outcome:
        return (
            "No change of state, error or loop explains the outcome. This is the first difference that may explain it."
        )
    if decisive is not None and is_same_outcome:
        return "Both ended the same way."
    return ""


def _build_chain(decisive: Divergence | None, root_cause: RootCause | None, comparison: Comparison) -> list[StepGroup]:
    """Return B's root, the decisive step, the later divergences that matter, and B's end."""
    if decisive is None or not comparison.b.groups:
        return []
    chain = [each for each in (root_cause.b if root_cause else None, decisive.shown_b) if each is not None]
    later = [
        each
        for each in comparison.divergences
        if each.order_key > decisive.order_key and each.b is not None and each is not decisive
    ]
    chain += [each.b for each in later if each.b is not None and _leads_on(each)][: MAX_CHAIN_EVENTS - 3]
    end_groups = [group for group in comparison.b.groups if group.kind in ("error", "session_end")]
    chain += [*(group for group in end_groups[-2:] if group.index > decisive.order_key[0]), comparison.b.groups[-1]]
    return sorted(dict.fromkeys(chain), key=lambda group: group.index)


def _leads_on(divergence: Divergence) -> bool:
    return divergence.weight is Weight.EXPLAINS or (
        divergence.weight is Weight.MAY_EXPLAIN and divergence.kind in ("repeated", "error")
    )
