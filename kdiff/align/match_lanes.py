"""Which lane of one session answers to which of the other: by who delegated what. Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

from agentlog.session.step import Lane

from ..reading.normalize import Rules, reading
from .step_groups import Move, Moves, Stream

Weigh = Callable[[Move, Move], float]
ENOUGH = 4.0


class Paired(NamedTuple):
    """Both sessions' streams side by side.

    Attributes:
        streams: what each agent did in each lane; an empty list where the other side has nothing like it.
        fixed: delegations, and what came of them, that belong to lanes which answer to each other.
    """

    streams: list[tuple[list[Move], list[Move]]]
    fixed: dict[Move, Move]


def paired(a: Moves, b: Moves, weigh: Weigh) -> Paired:
    """Match lanes, and in them agents. Lanes that ran side by side may stand in any order."""
    lanes = _paired_lanes(a, b, weigh)
    fixed = dict(_ends(a, b, lanes))
    kept = set(fixed.values())
    left = {stream: [move for move in own if move not in kept] for stream, own in b.streams.items()}
    streams = []
    for stream, own in a.streams.items():
        other = _answering(stream, lanes.get(stream.lane), left)
        streams.append(([m for m in own if m not in fixed], left.pop(other) if other is not None else []))
    return Paired([*streams, *(([], own) for own in left.values())], fixed)


def _ends(a: Moves, b: Moves, lanes: dict[Lane, Lane]) -> Iterator[tuple[Move, Move]]:
    for own, other in lanes.items():
        for step, answering in ((own.delegation, other.delegation), (own.result, other.result)):
            if step is not None and answering is not None:
                yield a.of[step], b.of[answering]


def _answering(stream: Stream, lane: Lane | None, left: dict[Stream, list[Move]]) -> Stream | None:
    if lane is None:
        return None
    if stream.agent == stream.lane.agent_id:
        return next((s for s in left if s.lane is lane and s.agent == lane.agent_id), None)
    named = reading(stream.agent, Rules()).literal
    return next((s for s in left if s.lane is lane and reading(s.agent, Rules()).literal == named), None)


def _paired_lanes(a: Moves, b: Moves, weigh: Weigh) -> dict[Lane, Lane]:
    if not a.timeline.lanes or not b.timeline.lanes:
        return {}
    pairs = {a.timeline.lanes[0]: b.timeline.lanes[0]}
    children_a, children_b = _children(a), _children(b)
    waiting = [(a.timeline.lanes[0], b.timeline.lanes[0])]
    while waiting:
        own_a, own_b = waiting.pop()
        for pair in _match(a, b, children_a[own_a], children_b[own_b], weigh):
            pairs[pair[0]] = pair[1]
            waiting.append(pair)
    return pairs


def _children(moves: Moves) -> dict[Lane, list[Lane]]:
    children: dict[Lane, list[Lane]] = defaultdict(list)
    for lane in moves.timeline.lanes:
        if lane.parent is not None:
            children[lane.parent].append(lane)
    return children


def _match(a: Moves, b: Moves, own_a: list[Lane], own_b: list[Lane], weigh: Weigh) -> list[tuple[Lane, Lane]]:
    """Lanes whose delegations say the same; of the others those that are most alike; then those of one agent."""
    pairs: list[tuple[Lane, Lane]] = []
    for key in (_act, _form):
        pairs += _by_key(a, b, own_a, own_b, key)
        own_a, own_b = _left(own_a, own_b, pairs)
    if len(own_a) * len(own_b) <= 2_500:
        weights = (
            (weigh(_delegation(a, x), _delegation(b, y)), -n, -m, x, y)
            for n, x in enumerate(own_a)
            for m, y in enumerate(own_b)
        )
        for weight, _, _, x, y in sorted(weights, key=lambda each: each[:3], reverse=True):
            if weight >= ENOUGH and x in own_a and y in own_b:
                pairs.append((x, y))
                own_a, own_b = _left(own_a, own_b, pairs)
    return pairs + _by_key(a, b, own_a, own_b, lambda move: move.label)


def _by_key(
    a: Moves, b: Moves, own_a: list[Lane], own_b: list[Lane], key: Callable[[Move], Hashable]
) -> list[tuple[Lane, Lane]]:
    waiting: dict[Hashable, list[Lane]] = defaultdict(list)
    for lane in reversed(own_b):
        waiting[key(_delegation(b, lane))].append(lane)
    found = ((lane, waiting[key(_delegation(a, lane))]) for lane in own_a)
    return [(lane, others.pop()) for lane, others in found if others]


def _left(own_a: list[Lane], own_b: list[Lane], pairs: list[tuple[Lane, Lane]]) -> tuple[list[Lane], list[Lane]]:
    gone_a, gone_b = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    return [lane for lane in own_a if lane not in gone_a], [lane for lane in own_b if lane not in gone_b]


def _delegation(moves: Moves, lane: Lane) -> Move:
    if lane.delegation is None:
        raise TypeError("a sub-agent's lane without a delegation")
    return moves.of[lane.delegation]


def _act(move: Move) -> int:
    return move.sketch.act


def _form(move: Move) -> int:
    return move.sketch.form
