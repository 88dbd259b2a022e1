"""The verdict: the divergence that decided, the decision that led there, and the chain from it to the end. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ..align.payload_compare import Payloads
from ..align.step_groups import StepGroup
from .compare import Comparison
from .divergence import Divergence, Weight
from .root_cause import RootCause, find_root_cause

MAX_UNCERTAIN = 3
"""Where nothing explains the outcome and more differences than these may, none of them is named."""
MAX_CHAIN_EVENTS = 12
"""The chain names at most so many events."""


class VerdictKind(Enum):
    """Whether two sessions are the same."""

    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of two sessions, what matters first.

    Attributes:
        decisive: the first divergence that can explain the outcome; None when none can be named.
        first: where they begin to differ at all.
        chain: moves of B from the root to its end.
        note: what has to be said besides, one sentence; empty when nothing.
    """

    kind: VerdictKind
    decisive: Divergence | None
    root_cause: RootCause | None
    first: Divergence | None
    chain: list[StepGroup]
    note: str


def reach_verdict(comparison: Comparison, payloads: Payloads) -> Verdict:
    """The verdict on a comparison."""
    divergences = comparison.divergences
    is_same_outcome = comparison.a.timeline.outcome == comparison.b.timeline.outcome
    kind = VerdictKind.SAME if not divergences and is_same_outcome else VerdictKind.DIFFERENT
    decisive = _find_decisive(divergences)
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
        return "They ended otherwise, and no cause can be named: what they did to the world is the same."
    if decisive is not None and decisive.weight is not Weight.EXPLAINS and not is_same_outcome:
        return "No change of state, error or loop explains the outcome; this is the first difference that may."
    if decisive is not None and is_same_outcome:
        return "Both ended alike."
    return ""


def _build_chain(decisive: Divergence | None, root_cause: RootCause | None, comparison: Comparison) -> list[StepGroup]:
    """B's root, what it led to, what else went another way from there, and B's end."""
    if decisive is None or not comparison.b.groups:
        return []
    chain = [each for each in (root_cause.b if root_cause else None, decisive.shown_b) if each is not None]
    later = [
        d for d in comparison.divergences if d.order_key > decisive.order_key and d.b is not None and d is not decisive
    ]
    chain += [d.b for d in later if d.b is not None and _leads_on(d)][: MAX_CHAIN_EVENTS - 3]
    end_groups = [group for group in comparison.b.groups if group.kind in ("error", "session_end")]
    chain += [*(group for group in end_groups[-2:] if group.index > decisive.order_key[0]), comparison.b.groups[-1]]
    return sorted(dict.fromkeys(chain), key=lambda group: group.index)


def _leads_on(divergence: Divergence) -> bool:
    return divergence.weight is Weight.EXPLAINS or (
        divergence.weight is Weight.MAY_EXPLAIN and divergence.kind in ("repeated", "error")
    )
