"""The root of a divergence: the decision, model call or message in which the wrong turn was taken. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentlog.session.step import Step

from ..align.payload_compare import Payloads
from ..align.step_groups import Move, Moves
from .compare import Comparison
from .divergence import Divergence

REASONS = frozenset({"decision", "llm_call", "agent_message"})
LOOKED_AT = 200
"""So many of the nearest reasons before a call are looked at for the one that first held to what was wrong in it."""
TOLD = 2
"""So many of the names and figures that set a call apart tell that a message is about that call."""
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True, slots=True)
class Root:
    """The decision or model call that led to the decisive divergence; each side's, where it has one."""

    a: Move | None
    b: Move | None


def is_reason(move: Move) -> bool:
    """Whether a move is a decision, a model call, a message of the agent or a thought."""
    return move.kind in REASONS or move.is_thought


def root(decisive: Divergence, compared: Comparison, payloads: Payloads) -> Root:
    """Where each side took the turn that ``decisive`` shows."""
    partner = {pair.b: pair.a for pair in compared.pairs if pair.b is not None}
    own_a = _reason(decisive.a, compared.a)
    if decisive.kind == "ended":
        return Root(own_a, _reason(decisive.b, compared.b))
    if decisive.kind == "missing":
        return Root(own_a, _turned_away(decisive, compared, partner, own_a))
    start = decisive.shown_b if decisive.a is not None else decisive.b
    own_b = _first_held(decisive, compared, partner, payloads) or _reason(start, compared.b)
    other = partner.get(own_b) if own_b is not None else None
    return Root(other if other is not None and (own_a is None or decisive.kind == "repeated") else own_a, own_b)


def _first_held(
    decisive: Divergence, compared: Comparison, partner: dict[Move, Move | None], payloads: Payloads
) -> Move | None:
    """B's first reason to name as much of what sets its call apart as the last one before it; that merely confirms.

    Names that stood in the sessions while they were the same say nothing, and one alone may stand in any list.
    """
    if decisive.b is None or decisive.kind not in ("changed", "extra"):
        return None
    since = _last_shared(decisive.b, compared, partner)
    reasons = [move for move in compared.b.all[since : decisive.b.index - 1] if is_reason(move)][-LOOKED_AT:]
    before = compared.b.all[max(since - LOOKED_AT, 0) : since]
    apart = _set_apart(decisive, compared, payloads).difference(*(_named(move) for move in before))
    if len(apart) < TOLD or not reasons:
        return None
    enough = max(TOLD, len(apart & _named(reasons[-1])))
    for move in reasons:
        other = partner.get(move)
        named = apart & _named(move)
        if len(named) >= enough and (other is None or not named <= _named(other)):
            return move
    return None


def _last_shared(call: Move, compared: Comparison, partner: dict[Move, Move | None]) -> int:
    """The number of the last call before this one that stands the same in A; 0 when there is none."""
    differ = {each.b for each in compared.divergences}
    shared = (m for m in reversed(compared.b.all[: call.index - 1]) if partner.get(m) is not None and m not in differ)
    return next((move.index for move in shared if move.is_call and not move.is_thought), 0)


def _set_apart(decisive: Divergence, compared: Comparison, payloads: Payloads) -> set[str]:
    """The words that B's call was given, and no like call of A."""
    b, a = decisive.b, decisive.a
    like = [a] if a is not None else [m for m in compared.a.all if b is not None and m.label == b.label][:LOOKED_AT]
    given = set(_words(payloads.given(b))) if b is not None else set()
    return given.difference(*(_words(payloads.given(move)) for move in like))


def _named(move: Move) -> set[str]:
    """The words of all that a move holds."""
    return {word.lower() for word in _WORD.findall(move.value.decode())}


def _words(given: Any) -> Iterator[str]:
    """The single words and figures among the values of a call's arguments."""
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, list):
        for each in given:
            yield from _words(each)
    elif not isinstance(given, bool) and _WORD.fullmatch(str(given)):
        yield str(given).lower()


def _turned_away(
    decisive: Divergence, compared: Comparison, partner: dict[Move, Move | None], own_a: Move | None
) -> Move | None:
    """Where B turned away from what it misses: behind the last move that both share, or where A's reason differs."""
    answering = next((p.b for p in compared.pairs if p.a is own_a), None) if own_a is not None else None
    differs = any(each.b is answering for each in compared.divergences)
    turns = [_first_unshared(decisive, compared, partner), answering if differs else None]
    return min((move for move in turns if move is not None), key=lambda move: move.index, default=None)


def _first_unshared(decisive: Divergence, compared: Comparison, partner: dict[Move, Move | None]) -> Move | None:
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
