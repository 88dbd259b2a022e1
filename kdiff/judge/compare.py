"""The comparison of two sessions: lanes are matched, steps aligned, and pairs compared in order. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from agentlog.analysis.loops import is_wait
from agentlog.formatting import format_count

from ..align.match_lanes import match_streams
from ..align.parallel_calls import order_parallel_calls
from ..align.payload_compare import Payloads
from ..align.sequence import align
from ..align.step_groups import StepGroup, StepGroups
from .divergence import (
    Divergence,
    Weight,
    classify_extra,
    classify_longer_poll,
    classify_missing,
    classify_moved,
    classify_pair,
    has_made_progress,
    merge_neighbours,
)

OrderKey = tuple[int, int, int]
MIN_SHARED_PERCENT = 50.0
"""Steps whose texts are less similar than this, in percent, are not the same step."""
MAX_MOVED_CANDIDATES = 50
"""The number of calls in another place among which the one about the same things is searched."""
MAX_WEIGHED_CHANGES = 2_500
"""Up to this number of pairs of unmatched changes of state, each pair is weighed."""


class Pair(NamedTuple):
    """Two steps that match, or one step without a match, and the place in the order of both sessions."""

    a: StepGroup | None
    b: StepGroup | None
    order_key: OrderKey
    is_moved: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        pairs: all steps in the order of both sessions, matching steps side by side.
        divergences: the divergences in the same order.
        reworded_count: the number of texts that say the same in other words.
    """

    a: StepGroups
    b: StepGroups
    pairs: list[Pair]
    divergences: list[Divergence]
    reworded_count: int


def compare(a: StepGroups, b: StepGroups, payloads: Payloads) -> Comparison:
    """Compare two sessions. The order of A and B matters: A is the measure."""
    pairs = sorted(_pair_moved_calls(list(_align_streams(a, b, payloads)), payloads), key=lambda pair: pair.order_key)
    divergences, reworded_count = [], 0
    for pair in pairs:
        divergence = _judge_pair(pair, payloads)
        if divergence is not None:
            divergences.append(divergence)
        elif pair.a is not None and pair.b is not None:
            reworded_count += payloads.is_reworded(pair.a, pair.b)
    divergences = list(
        merge_neighbours(_discount_recovered_errors(_merge_early_end(divergences, pairs, a, b, payloads), pairs))
    )
    return Comparison(a, b, pairs, sorted(divergences, key=lambda each: each.order_key), reworded_count)


def _align_streams(a: StepGroups, b: StepGroups, payloads: Payloads) -> Iterator[Pair]:
    matched_streams = match_streams(a, b, payloads.weigh_pair)
    index_b_by_a = {group_a.index: group_b.index for group_a, group_b in matched_streams.matched_delegations.items()}
    alignments = []
    for stream_a, stream_b in matched_streams.streams:
        alignment = align(stream_a, order_parallel_calls(stream_a, stream_b), payloads.weigh_pair)
        index_b_by_a.update({x.index: y.index for x, y in alignment if x is not None and y is not None})
        alignments.append(alignment)
    paired_before = _PairedBefore(index_b_by_a)
    yield from (Pair(x, y, (y.index, 0, 0)) for x, y in matched_streams.matched_delegations.items())
    for alignment in alignments:
        last = 0
        for x, y in alignment:
            if y is not None:
                last = y.index
                yield Pair(x, y, (last, 0, 0))
            elif x is not None:
                yield Pair(x, None, (last or paired_before.find_index_b(x.index), 1, x.index))


class _PairedBefore:
    """A search for the last matched step before an index of A: it gives the place in B of a step that only A has."""

    def __init__(self, index_b_by_a: dict[int, int]) -> None:
        self._indexes_a = sorted(index_b_by_a)
        self._index_b_by_a = index_b_by_a

    def find_index_b(self, index: int) -> int:
        position = bisect_right(self._indexes_a, index)
        return self._index_b_by_a[self._indexes_a[position - 1]] if position else 0


def _pair_moved_calls(pairs: list[Pair], payloads: Payloads) -> Iterator[Pair]:
    """Pair unmatched calls with equal calls in another place, and changes of state with the most similar ones."""
    pairs = list(_unfold_interrupted_repeats(pairs))
    unmatched_a = [pair for pair in pairs if pair.b is None and pair.a is not None and pair.a.is_call]
    unmatched_b = [pair for pair in pairs if pair.a is None and pair.b is not None and pair.b.is_call]
    moved_pairs = _pair_equal(unmatched_a, unmatched_b, _get_call_hash, payloads.may_be_about_the_same_things)
    unmatched_a, unmatched_b = _drop_paired(unmatched_a, moved_pairs), _drop_paired(unmatched_b, moved_pairs)
    moved_pairs += _pair_equal(unmatched_a, unmatched_b, _get_call_form_hash, payloads.are_about_the_same_things)
    unmatched_a, unmatched_b = _drop_paired(unmatched_a, moved_pairs), _drop_paired(unmatched_b, moved_pairs)
    moved_pairs += _pair_most_similar(unmatched_a, unmatched_b, payloads)
    paired = {group for pair in moved_pairs for group in (pair.a, pair.b)}
    yield from (pair for pair in pairs if pair.a not in paired and pair.b not in paired)
    yield from moved_pairs


def _unfold_interrupted_repeats(pairs: list[Pair]) -> Iterator[Pair]:
    """Match the repetitions of a folded call one by one if other steps lie between them on the other side."""
    repaired: set[StepGroup] = set()
    calls_a, calls_b = _list_calls(pairs, in_b=False), _list_calls(pairs, in_b=True)
    for pair in pairs:
        if pair.a is None or pair.b is None or pair.a.times == pair.b.times:
            continue
        long, short = (pair.a, pair.b) if pair.a.times > pair.b.times else (pair.b, pair.a)
        unmatched = _find_unmatched_after(short, calls_b if short is pair.b else calls_a)
        repeats = [each for each in unmatched if each.signature.call_hash == short.signature.call_hash][
            : long.times - short.times
        ]
        short.repeats.extend(repeat for each in repeats for repeat in (each, *each.repeats))
        other_calls = [each for each in unmatched if each.signature.call_hash != short.signature.call_hash]
        repaired.update(repeats)
        if len(other_calls) == long.times - short.times:
            repaired.update(other_calls)
            yield from _pair_repeats(long.repeats, other_calls, in_b=short is pair.b)
    yield from (
        pair for pair in pairs if (pair.a or pair.b) not in repaired or (pair.a is not None and pair.b is not None)
    )


def _pair_repeats(repeats: list[StepGroup], unmatched_calls: list[StepGroup], *, in_b: bool) -> Iterator[Pair]:
    for unmatched in unmatched_calls:
        repeat = _pick_most_similar(unmatched, repeats)
        repeats.remove(repeat)
        yield (
            Pair(repeat, unmatched, (unmatched.index, 0, 0)) if in_b else Pair(unmatched, repeat, (repeat.index, 0, 0))
        )


def _pick_most_similar(group: StepGroup, candidates: list[StepGroup]) -> StepGroup:
    return next(
        (each for each in candidates if each.signature.has_failed == group.signature.has_failed), candidates[-1]
    )


SideCalls = list[tuple[StepGroup, bool]]


def _list_calls(pairs: list[Pair], *, in_b: bool) -> SideCalls:
    """List one side's calls in order, each with whether it has no match."""
    side_calls = ((pair.b if in_b else pair.a, pair.a is None or pair.b is None) for pair in pairs)
    return sorted(
        ((group, is_unmatched) for group, is_unmatched in side_calls if group is not None and group.is_call),
        key=_get_index,
    )


def _find_unmatched_after(group: StepGroup, calls: SideCalls) -> list[StepGroup]:
    """Return the unmatched calls after a call, before the next matched one. The last calls the same tool."""
    unmatched: list[StepGroup] = []
    for call, is_unmatched in islice(calls, bisect_right(calls, group.index, key=_get_index), None):
        if not is_unmatched:
            break
        unmatched.append(call)
    while unmatched and unmatched[-1].name != group.name:
        unmatched.pop()
    return unmatched


def _get_index(call: tuple[StepGroup, bool]) -> int:
    return call[0].index


def _drop_paired(unmatched: list[Pair], moved_pairs: list[Pair]) -> list[Pair]:
    paired = {group for pair in moved_pairs for group in (pair.a, pair.b)}
    return [pair for pair in unmatched if (pair.a or pair.b) not in paired]


def _pair_equal(
    unmatched_a: Iterable[Pair],
    unmatched_b: Iterable[Pair],
    key: Callable[[StepGroup], int],
    can_match: Callable[[StepGroup, StepGroup], bool],
) -> list[Pair]:
    """Pair calls with equal keys, in order, if they can match."""
    unmatched_by_key: dict[int, list[StepGroup]] = defaultdict(list)
    for pair in unmatched_a:
        if pair.a is not None:
            unmatched_by_key[key(pair.a)].append(pair.a)
    moved_pairs = []
    for pair in unmatched_b:
        candidates = unmatched_by_key[key(pair.b)] if pair.b is not None else []
        for n, candidate in enumerate(candidates[:MAX_MOVED_CANDIDATES]):
            if pair.b is not None and can_match(candidate, pair.b):
                moved_pairs.append(Pair(candidates.pop(n), pair.b, pair.order_key, is_moved=True))
                break
    return moved_pairs


def _get_call_hash(group: StepGroup) -> int:
    return group.signature.call_hash


def _get_call_form_hash(group: StepGroup) -> int:
    return group.signature.call_form_hash


def _pair_most_similar(unmatched_a: list[Pair], unmatched_b: list[Pair], payloads: Payloads) -> list[Pair]:
    """Pair changes of state by the same tool with other arguments and in other places, the most similar first."""
    changes_a = [p.a for p in unmatched_a if p.a is not None and p.a.changes_state and p.a.success_count]
    changes_b = [p.b for p in unmatched_b if p.b is not None and p.b.changes_state and p.b.success_count]
    if len(changes_a) * len(changes_b) > MAX_WEIGHED_CHANGES:
        return []
    candidates = sorted(
        (
            (payloads.measure_similarity(x, y), -y.index, -x.index, x, y)
            for x in changes_a
            for y in changes_b
            if x.name == y.name
        ),
        key=lambda each: each[:3],
        reverse=True,
    )
    pair_by_group: dict[StepGroup, Pair] = {}
    for shared_percent, _, _, x, y in candidates:
        if shared_percent >= MIN_SHARED_PERCENT and x not in pair_by_group and y not in pair_by_group:
            pair_by_group[x] = pair_by_group[y] = Pair(x, y, (y.index, 0, 0))
    return list(dict.fromkeys(pair_by_group.values()))


def _judge_pair(pair: Pair, payloads: Payloads) -> Divergence | None:
    a, b = pair.a, pair.b
    if a is None or b is None:
        divergence = (
            classify_extra(b, pair.order_key)
            if b is not None
            else classify_missing(a, pair.order_key)
            if a is not None
            else None
        )
        return _weigh_wait(divergence, payloads)
    if (poll := _judge_longer_poll(a, b, pair.order_key, payloads)) is not None:
        return poll
    if not a.repeats and not b.repeats and payloads.is_same(a, b):
        return classify_moved(a, b, pair.order_key) if pair.is_moved else None
    if a.repeats and b.repeats and has_made_progress(a) and has_made_progress(b):
        return _judge_polls(a, b, pair.order_key, payloads)
    input_changes, output_changes = payloads.find_changes(a, b)
    for repeat_a, repeat_b in zip(a.repeats, b.repeats, strict=False):
        more = payloads.find_changes(repeat_a, repeat_b)
        input_changes, output_changes = input_changes + more[0], output_changes + more[1]
    divergence = _weigh_wait(classify_pair(a, b, input_changes, output_changes, pair.order_key), payloads)
    return classify_moved(a, b, pair.order_key) if divergence is None and pair.is_moved else divergence


def _judge_polls(a: StepGroup, b: StepGroup, order_key: OrderKey, payloads: Payloads) -> Divergence | None:
    """Compare two polls by what they asked and by their last answers. What they had answered before may differ."""
    input_changes, output_changes = payloads.find_changes(a.last, b.last)
    return classify_pair(a, b, input_changes, output_changes, order_key)


def _weigh_wait(divergence: Divergence | None, payloads: Payloads) -> Divergence | None:
    """Give no weight to a wait. One more or less, or a longer one, explains nothing."""
    if divergence is not None and divergence.group.is_call and divergence.group.success_count:
        sides = [group for group in (divergence.a, divergence.b) if group is not None]
        is_other = len(sides) > 1 and any(group.changes_state for group in sides)
        if not is_other and all(_is_wait(group, payloads) for group in sides):
            divergence.weight = Weight.TEXT
    return divergence


def _is_wait(group: StepGroup, payloads: Payloads) -> bool:
    """Whether a step only lets time pass. One more or one less explains nothing."""
    return group.is_call and is_wait(payloads.load_step(group))


def _judge_longer_poll(a: StepGroup, b: StepGroup, order_key: OrderKey, payloads: Payloads) -> Divergence | None:
    """Return the divergence of calls that one side repeated more often until both had the same answer, or of waits."""
    if a.times == b.times or a.kind != b.kind or not a.is_call:
        return None
    if any(group.success_count < group.times for group in (a, b)):
        return None
    is_waiting = all(_is_wait(group, payloads) for group in (a, b))
    if not is_waiting and not has_made_progress(max(a, b, key=lambda group: group.times)):
        return None
    return None if any(payloads.find_changes(a.last, b.last)) else classify_longer_poll(a, b, order_key)


def _discount_recovered_errors(divergences: list[Divergence], pairs: list[Pair]) -> list[Divergence]:
    """Give no weight to an error in a call that B repeated with success."""
    retries: dict[str, int] = {}
    for pair in pairs:
        if pair.b is not None and pair.b.is_call and pair.b.success_count and (pair.a is None or pair.is_moved):
            retries[pair.b.label] = pair.b.index
    for divergence in divergences:
        group = divergence.b
        if (
            divergence.kind != "error"
            or divergence.a is None
            or group is None
            or not group.is_call
            or group.changes_state
        ):
            continue
        if retries.get(group.label, 0) > group.index:
            divergence.weight, divergence.why = Weight.TEXT, f"{group.label} failed in B at first and succeeded later"
    return divergences


def _merge_early_end(
    divergences: list[Divergence], pairs: list[Pair], a: StepGroups, b: StepGroups, payloads: Payloads
) -> list[Divergence]:
    """Merge all that A did after B's end into one divergence, if the last step of B is one that both share."""
    shared = [p for p in pairs if _is_shared(p)]
    if not shared:
        return divergences
    last_a, last_b = max(shared, key=_get_recorded_a), max(shared, key=_get_recorded_b)
    if last_b.a is None or last_b.b is None or last_a.a is None or _is_dissimilar(last_b.a, last_b.b, payloads):
        return divergences
    cut_a, cut_b = _get_recorded_a(last_a), _get_recorded_b(last_b)
    if any(p.a is None and p.b is not None and p.b.kind not in _END_KINDS and p.b.step.recorded > cut_b for p in pairs):
        return divergences
    tail_a = [p.a for p in pairs if p.a is not None and p.a.kind != "session_end" and not _is_shared(p)]
    tail_a = sorted((group for group in tail_a if group.step.recorded >= cut_a), key=lambda group: group.step.recorded)
    early_end = _build_early_end(a, b, tail_a, last_b.b) if tail_a else None
    merged = set(tail_a)
    return (
        [*(divergence for divergence in divergences if divergence.a not in merged), early_end]
        if early_end is not None
        else divergences
    )


_END_KINDS = ("session_end", "error")
"""Kinds of steps that may follow the last shared step when B ends early."""


def _is_shared(pair: Pair) -> bool:
    return pair.a is not None and pair.b is not None and pair.a.kind != "session_end" and not pair.b.step.is_open


def _get_recorded_a(pair: Pair) -> int:
    return pair.a.last_recorded if pair.a is not None else 0


def _get_recorded_b(pair: Pair) -> int:
    return pair.b.last_recorded if pair.b is not None else 0


def _is_dissimilar(a: StepGroup, b: StepGroup, payloads: Payloads) -> bool:
    """Whether two paired steps are too different to count as a step that both sessions share."""
    return (
        a.signature.call_form_hash != b.signature.call_form_hash
        and payloads.measure_similarity(a, b) < MIN_SHARED_PERCENT
    )


def _build_early_end(a: StepGroups, b: StepGroups, tail_a: list[StepGroup], last_b: StepGroup) -> Divergence | None:
    succeeded_calls = [group for group in tail_a if group.is_call and group.success_count]
    state_changes = [group for group in succeeded_calls if group.changes_state]
    is_outcome_different = a.timeline.outcome is not None and b.timeline.outcome != a.timeline.outcome
    if len(tail_a) == 1 and not is_outcome_different:
        return None
    weight = Weight.EXPLAINS if state_changes or is_outcome_different else Weight.MAY_EXPLAIN
    labels = ", ".join(dict.fromkeys(group.label for group in state_changes or succeeded_calls))
    examples = f", with {labels}" if labels else ""
    why = f"B ended here; A went on for {format_count(len(tail_a), 'step')}{examples}"
    return Divergence(
        "ended", tail_a[0], last_b, (last_b.index, 1, tail_a[0].index), why, weight, further_groups=tail_a[1:]
    )
