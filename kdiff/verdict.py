"""The verdict: the divergence that decided, the decision that led there, and the chain from it to the end. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from agentlog.steps import Step

from .compare import Comparison
from .divergence import Divergence, Weight
from .moves import Move, Moves

REASONS = frozenset({"decision", "llm_call", "agent_message"})
FEW = 3
"""Where nothing explains the outcome and more differences than these may, none of them is named."""
CHAIN = 12
"""The chain names at most so many events."""


class Answer(Enum):
    """Whether two sessions are the same."""

    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Root:
    """The decision or model call that led to the decisive divergence; each side's, where it has one."""

    a: Move | None
    b: Move | None


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


def verdict(compared: Comparison) -> Verdict:
    """The verdict on a comparison."""
    divergences = compared.divergences
    same_end = compared.a.timeline.outcome == compared.b.timeline.outcome
    answer = Answer.SAME if not divergences and same_end else Answer.DIFFERENT
    decisive = _decisive(divergences)
    root = _root(decisive, compared) if decisive is not None else None
    first = divergences[0] if divergences else None
    return Verdict(
        answer, decisive, root, first, _chain(decisive, root, compared), _note(decisive, same_end, divergences)
    )


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


def _root(decisive: Divergence, compared: Comparison) -> Root:
    partner = {pair.b: pair.a for pair in compared.pairs if pair.b is not None}
    own_a = _reason(decisive.a, compared.a) if decisive.a is not None else None
    if decisive.kind == "ended":
        return Root(own_a, _reason(decisive.b, compared.b))
    if decisive.kind == "missing":
        answering = next((p.b for p in compared.pairs if p.a is own_a), None) if own_a is not None else None
        differs = any(each.b is answering for each in compared.divergences)
        turns = [_turned(decisive, compared, partner), answering if differs else None]
        return Root(own_a, min((move for move in turns if move is not None), key=lambda move: move.index, default=None))
    start = decisive.b
    if start is not None and decisive.kind == "repeated" and start.again:
        start = start.again[0] if decisive.a is not None else start
    own_b = _reason(start, compared.b) if start is not None else None
    other = partner.get(own_b) if own_b is not None else None
    if other is not None and (own_a is None or decisive.kind == "repeated"):
        own_a = other
    return Root(own_a, own_b)


def _turned(decisive: Divergence, compared: Comparison, partner: dict[Move, Move | None]) -> Move | None:
    """Where B turned away from what it misses: its first reason behind the last move that both share."""
    after = _left_at(decisive, compared)
    for move in compared.b.all[max(after - 1, 0) :]:
        if is_reason(move) and (move.index > after or partner.get(move) is None):
            return move
    return next((move for move in reversed(compared.b.all[:after]) if is_reason(move)), None)


def _left_at(decisive: Divergence, compared: Comparison) -> int:
    """Where in B the first of the calls stands missing that lead, one behind the other, to the decisive one."""
    at = decisive.at[0]
    calls = [pair for pair in compared.pairs if pair.a is not None and pair.a.is_call and not pair.a.is_thought]
    for pair in sorted(calls, key=lambda each: each.a.index if each.a else 0, reverse=True):
        if decisive.a is None or pair.a is None or pair.a.index >= decisive.a.index:
            continue
        if pair.b is not None:
            break
        at = pair.at[0]
    return at


def is_reason(move: Move) -> bool:
    """Whether a move is a decision, a model call, a message of the agent or a thought."""
    return move.kind in REASONS or move.is_thought


def _reason(move: Move | None, own: Moves) -> Move | None:
    """The nearest decision or model call that a move follows from: by its parents, else what stands before it."""
    if move is None:
        return None
    by_parents = next(
        (own.of[step] for step in _parents(move.step) if step in own.of and is_reason(own.of[step])), None
    )
    before = next(
        (m for m in reversed(own.all[: move.index - 1]) if is_reason(m) and m.step.lane is move.step.lane), None
    )
    found = [each for each in (by_parents, before) if each is not None]
    return max(found, key=lambda each: (each.kind == "decision" and each.index, each.index)) if found else None


def _parents(step: Step) -> Iterator[Step]:
    seen: set[Step] = set()
    at = step.parent
    while at is not None and at not in seen and len(seen) < 50:
        yield at
        seen.add(at)
        at = at.parent


def _chain(decisive: Divergence | None, root: Root | None, compared: Comparison) -> list[Move]:
    """B's root, what it led to, what else went another way from there, and B's end."""
    if decisive is None or not compared.b.all:
        return []
    links = [each for each in (root.b if root else None, decisive.shown_b) if each is not None]
    after = [d for d in compared.divergences if d.at > decisive.at and d.b is not None and d is not decisive]
    links += [d.b for d in after if d.b is not None and _leads_on(d)][: CHAIN - 3]
    ends = [move for move in compared.b.all if move.kind in ("error", "session_end")]
    links += [*(move for move in ends[-2:] if move.index > decisive.at[0]), compared.b.all[-1]]
    return sorted(dict.fromkeys(links), key=lambda move: move.index)


def _leads_on(found: Divergence) -> bool:
    return found.weight is Weight.EXPLAINS or (found.weight is Weight.MAY and found.kind in ("repeated", "error"))
