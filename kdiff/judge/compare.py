"""Two sessions -> what they differ in: lanes matched, moves aligned, pairs compared in order. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ..align.match_lanes import paired
from ..align.payload_compare import Payloads
from ..align.sequence import align
from ..align.step_groups import Move, Moves
from .divergence import Divergence, Weight, both, extra, grouped, missing, moved

At = tuple[int, int, int]
SHARED = 50.0


class Pair(NamedTuple):
    """Moves that answer to each other, or a move that nothing answers to, and where it stands in the order of both."""

    a: Move | None
    b: Move | None
    at: At
    is_moved: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it.

    Attributes:
        pairs: all moves, those that answer to each other side by side, in the order of both.
        divergences: in that order.
        worded_otherwise: how many texts say the same in other words.
    """

    a: Moves
    b: Moves
    pairs: list[Pair]
    divergences: list[Divergence]
    worded_otherwise: int


def compare(a: Moves, b: Moves, payloads: Payloads) -> Comparison:
    """Compare two sessions."""
    pairs = sorted(_answered_elsewhere(list(_aligned(a, b, payloads)), payloads), key=lambda pair: pair.at)
    found, worded = [], 0
    for pair in pairs:
        divergence = _judged(pair, payloads)
        if divergence is not None:
            found.append(divergence)
        elif pair.a is not None and pair.b is not None:
            worded += payloads.worded_otherwise(pair.a, pair.b)
    found = list(grouped(_made_up_for(_ended(found, pairs, a, b, payloads), pairs)))
    return Comparison(a, b, pairs, sorted(found, key=lambda each: each.at), worded)


def _aligned(a: Moves, b: Moves, payloads: Payloads) -> Iterator[Pair]:
    matched = paired(a, b, payloads.weigh)
    answers = {move.index: other.index for move, other in matched.fixed.items()}
    rest = []
    for own_a, own_b in matched.streams:
        together = align(own_a, own_b, payloads.weigh)
        answers.update({x.index: y.index for x, y in together if x is not None and y is not None})
        rest.append(together)
    before = _Before(answers)
    yield from (Pair(x, y, (y.index, 0, 0)) for x, y in matched.fixed.items())
    for together in rest:
        last = 0
        for x, y in together:
            if y is not None:
                last = y.index
                yield Pair(x, y, (last, 0, 0))
            elif x is not None:
                yield Pair(x, None, (last or before.place(x.index), 1, x.index))


class _Before:
    """Where in B the last move stands that answers to one before a place in A."""

    def __init__(self, answers: dict[int, int]) -> None:
        self._own = sorted(answers)
        self._answers = answers

    def place(self, index: int) -> int:
        at = bisect_right(self._own, index)
        return self._answers[self._own[at - 1]] if at else 0


def _answered_elsewhere(pairs: list[Pair], payloads: Payloads) -> Iterator[Pair]:
    """Calls that nothing stands beside, paired with an equal one in another place; of changes, with the most alike."""
    pairs = list(_refolded(pairs))
    lone_a = [pair for pair in pairs if pair.b is None and pair.a is not None and pair.a.is_call]
    lone_b = [pair for pair in pairs if pair.a is None and pair.b is not None and pair.b.is_call]
    elsewhere = _equal(lone_a, lone_b, lambda move: move.sketch.act)
    gone = {move for pair in elsewhere for move in (pair.a, pair.b)}
    elsewhere += _most_alike([p for p in lone_a if p.a not in gone], [p for p in lone_b if p.b not in gone], payloads)
    gone = {move for pair in elsewhere for move in (pair.a, pair.b)}
    yield from (pair for pair in pairs if pair.a not in gone and pair.b not in gone)
    yield from elsewhere


def _refolded(pairs: list[Pair]) -> Iterator[Pair]:
    """Where a call was folded on one side, and something stands between its repetitions on the other, undo it there."""
    gone: set[Move] = set()
    calls_a, calls_b = _calls(pairs, in_b=False), _calls(pairs, in_b=True)
    for pair in pairs:
        if pair.a is None or pair.b is None or pair.a.times == pair.b.times:
            continue
        long, short = (pair.a, pair.b) if pair.a.times > pair.b.times else (pair.b, pair.a)
        lone = _lone_behind(short, calls_b if short is pair.b else calls_a)
        same = [each for each in lone if each.sketch.act == short.sketch.act][: long.times - short.times]
        short.again.extend(every for each in same for every in (each, *each.again))
        others = [each for each in lone if each.sketch.act != short.sketch.act]
        gone.update(same)
        if len(others) == long.times - short.times:
            gone.update(others)
            yield from _unfolded(long.again, others, in_b=short is pair.b)
    yield from (pair for pair in pairs if (pair.a or pair.b) not in gone or (pair.a is not None and pair.b is not None))


def _unfolded(again: list[Move], others: list[Move], *, in_b: bool) -> Iterator[Pair]:
    for lone in others:
        other = _like(lone, again)
        again.remove(other)
        yield Pair(other, lone, (lone.index, 0, 0)) if in_b else Pair(lone, other, (other.index, 0, 0))


def _like(move: Move, among: list[Move]) -> Move:
    return next((each for each in among if each.sketch.failed == move.sketch.failed), among[-1])


Calls = list[tuple[Move, bool]]


def _calls(pairs: list[Pair], *, in_b: bool) -> Calls:
    """One side's calls in order, and whether nothing answers to each."""
    own = ((pair.b if in_b else pair.a, pair.a is None or pair.b is None) for pair in pairs)
    return sorted(((move, is_lone) for move, is_lone in own if move is not None and move.is_call), key=_index)


def _lone_behind(move: Move, calls: Calls) -> list[Move]:
    """What nothing answers to behind a call, up to the next that is shared, the last being one to the same tool."""
    found: list[Move] = []
    for each, is_lone in islice(calls, bisect_right(calls, move.index, key=_index), None):
        if not is_lone:
            break
        found.append(each)
    while found and found[-1].label != move.label:
        found.pop()
    return found


def _index(own: tuple[Move, bool]) -> int:
    return own[0].index


def _equal(lone_a: Iterable[Pair], lone_b: Iterable[Pair], key: Callable[[Move], int]) -> list[Pair]:
    waiting: dict[int, list[Move]] = defaultdict(list)
    for pair in lone_a:
        if pair.a is not None:
            waiting[key(pair.a)].append(pair.a)
    return [
        Pair(waiting[key(pair.b)].pop(0), pair.b, pair.at, is_moved=True)
        for pair in lone_b
        if pair.b is not None and waiting[key(pair.b)]
    ]


def _most_alike(lone_a: list[Pair], lone_b: list[Pair], payloads: Payloads) -> list[Pair]:
    """Changes of state by one tool that both made, far apart and not with the same arguments."""
    own_a = [p.a for p in lone_a if p.a is not None and p.a.changes_state and p.a.succeeded]
    own_b = [p.b for p in lone_b if p.b is not None and p.b.changes_state and p.b.succeeded]
    if len(own_a) * len(own_b) > 2_500:
        return []
    weighed = sorted(
        ((payloads.share(x, y), -y.index, -x.index, x, y) for x in own_a for y in own_b if x.label == y.label),
        key=lambda each: each[:3],
        reverse=True,
    )
    found: dict[Move, Pair] = {}
    for share, _, _, x, y in weighed:
        if share >= SHARED and x not in found and y not in found:
            found[x] = found[y] = Pair(x, y, (y.index, 0, 0))
    return list(dict.fromkeys(found.values()))


def _judged(pair: Pair, payloads: Payloads) -> Divergence | None:
    a, b = pair.a, pair.b
    if a is None or b is None:
        return extra(b, pair.at) if b is not None else missing(a, pair.at) if a is not None else None
    if not a.again and not b.again and payloads.same(a, b):
        return moved(a, b, pair.at) if pair.is_moved else None
    given, answered = payloads.differences(a, b)
    for again_a, again_b in zip(a.again, b.again, strict=False):
        more = payloads.differences(again_a, again_b)
        given, answered = given + more[0], answered + more[1]
    found = both(a, b, given, answered, pair.at)
    return moved(a, b, pair.at) if found is None and pair.is_moved else found


def _made_up_for(divergences: list[Divergence], pairs: list[Pair]) -> list[Divergence]:
    """An error that B got over explains nothing: it tried again, and then it went."""
    retries: dict[str, int] = {}
    for pair in pairs:
        if pair.b is not None and pair.b.is_call and pair.b.succeeded and (pair.a is None or pair.is_moved):
            retries[pair.b.label] = pair.b.index
    for found in divergences:
        move = found.b
        if found.kind != "error" or found.a is None or move is None or not move.is_call or move.changes_state:
            continue
        if retries.get(move.label, 0) > move.index:
            found.weight, found.why = Weight.TEXT, f"{move.label} failed in B at first, and succeeded later"
    return divergences


def _ended(found: list[Divergence], pairs: list[Pair], a: Moves, b: Moves, payloads: Payloads) -> list[Divergence]:
    """Where B stops at something that both share, all that A did from there on is one divergence: B ended."""
    shared = [p for p in pairs if _is_shared(p)]
    if not shared:
        return found
    last_a, last_b = max(shared, key=_recorded_in_a), max(shared, key=_recorded_in_b)
    if last_b.a is None or last_b.b is None or last_a.a is None or _unlike(last_b.a, last_b.b, payloads):
        return found
    cut_a, cut_b = _recorded_in_a(last_a), _recorded_in_b(last_b)
    if any(p.a is None and p.b is not None and p.b.kind not in _ENDS and p.b.step.recorded > cut_b for p in pairs):
        return found
    tail = [p.a for p in pairs if p.a is not None and p.a.kind != "session_end" and not _is_shared(p)]
    tail = sorted((move for move in tail if move.step.recorded >= cut_a), key=lambda move: move.step.recorded)
    ending = _ending(a, b, tail, last_b.b) if tail else None
    gone = set(tail)
    return [*(each for each in found if each.a not in gone), ending] if ending is not None else found


_ENDS = ("session_end", "error")


def _is_shared(pair: Pair) -> bool:
    return pair.a is not None and pair.b is not None and pair.a.kind != "session_end" and not pair.b.step.is_open


def _recorded_in_a(pair: Pair) -> int:
    return pair.a.recorded if pair.a is not None else 0


def _recorded_in_b(pair: Pair) -> int:
    return pair.b.recorded if pair.b is not None else 0


def _unlike(a: Move, b: Move, payloads: Payloads) -> bool:
    """Whether two moves merely stand side by side: then one isn't the last that both sessions share."""
    return a.sketch.form != b.sketch.form and payloads.share(a, b) < SHARED


def _ending(a: Moves, b: Moves, tail: list[Move], last: Move) -> Divergence | None:
    calls = [move for move in tail if move.is_call and move.succeeded]
    changing = [move for move in calls if move.changes_state]
    stopped = a.timeline.outcome is not None and b.timeline.outcome != a.timeline.outcome
    if len(tail) == 1 and not stopped:
        return None
    weight = Weight.EXPLAINS if changing or stopped else Weight.MAY
    named = ", ".join(dict.fromkeys(move.label for move in changing or calls))
    told = f", among them {named}" if named else ""
    why = f"B ended here; A went on for {len(tail)} steps{told}"
    return Divergence("ended", tail[0], last, (last.index, 1, tail[0].index), why, weight, also=tail[1:])
