"""The verdict: the divergence that decided, the decision that led there, and the chain from it to the end. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ..align.payload_compare import Payloads
from ..align.step_groups import Move
from .compare import Comparison
from .divergence import Divergence, Weight
from .root_cause import Root, root

FEW = 3
"""Where nothing explains the outcome and more differences than these may, none of them is named."""
CHAIN = 12
"""The chain names at most so many events."""


class Answer(Enum):
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

    answer: Answer
    decisive: Divergence | None
    root: Root | None
    first: Divergence | None
    chain: list[Move]
    note: str


def verdict(compared: Comparison, payloads: Payloads) -> Verdict:
    """The verdict on a comparison."""
    divergences = compared.divergences
    same_end = compared.a.timeline.outcome == compared.b.timeline.outcome
    answer = Answer.SAME if not divergences and same_end else Answer.DIFFERENT
    decisive = _decisive(divergences)
    led_by = root(decisive, compared, payloads) if decisive is not None else None
    first = divergences[0] if divergences else None
    chain = _chain(decisive, led_by, compared)
    return Verdict(answer, decisive, led_by, first, chain, _note(decisive, same_end, divergences))


def _decisive(divergences: Sequence[Divergence]) -> Divergence | None:
    for weight in (Weight.EXPLAINS, Weight.MAY, Weight.ANSWER):
        found = [each for each in divergences if each.weight is weight]
        if found and (weight is Weight.EXPLAINS or len(found) <= FEW):
            return found[0]
    return None


def _note(decisive: Divergence | None, same_end: bool, divergences: Sequence[Divergence]) -> str:
    if decisive is None and divergences and not same_end:
        return "They ended otherwise, and no cause can be named: what they did to the world is the same."
    if decisive is not None and decisive.weight is not Weight.EXPLAINS and not same_end:
        return "No change of state, error or loop explains the outcome; this is the first difference that may."
    if decisive is not None and same_end:
        return "Both ended alike."
    return ""


def _chain(decisive: Divergence | None, led_by: Root | None, compared: Comparison) -> list[Move]:
    """B's root, what it led to, what else went another way from there, and B's end."""
    if decisive is None or not compared.b.all:
        return []
    links = [each for each in (led_by.b if led_by else None, decisive.shown_b) if each is not None]
    after = [d for d in compared.divergences if d.at > decisive.at and d.b is not None and d is not decisive]
    links += [d.b for d in after if d.b is not None and _leads_on(d)][: CHAIN - 3]
    ends = [move for move in compared.b.all if move.kind in ("error", "session_end")]
    links += [*(move for move in ends[-2:] if move.index > decisive.at[0]), compared.b.all[-1]]
    return sorted(dict.fromkeys(links), key=lambda move: move.index)


def _leads_on(found: Divergence) -> bool:
    return found.weight is Weight.EXPLAINS or (found.weight is Weight.MAY and found.kind in ("repeated", "error"))
