"""The alignment of two sequences of steps: pairs that keep the order of both. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cache

from rapidfuzz.distance import Levenshtein

from .step_groups import StepGroup

MAX_WEIGHED_PAIRS = 10_000
"""Up to this number of pairs of steps, each pair is weighed. Beyond it, equal signatures are matched first."""

IndexPair = tuple[int | None, int | None]
Similarity = Callable[[StepGroup, StepGroup], float]
RangePair = tuple[int, int, int, int]


def align(
    a: Sequence[StepGroup], b: Sequence[StepGroup], similarity: Similarity
) -> list[tuple[StepGroup | None, StepGroup | None]]:
    """Return the steps of both sides in one order, matching steps side by side.

    Args:
        similarity: returns how well two steps match; 0 or less if they don't.
    """
    return [(None if i is None else a[i], None if j is None else b[j]) for i, j in _align_indexes(a, b, similarity)]


def _align_indexes(a: Sequence[StepGroup], b: Sequence[StepGroup], similarity: Similarity) -> Iterator[IndexPair]:
    """Match equal calls, then between them equal forms, then equal kinds and labels. Small ranges are weighed."""

    def align_by_call(ranges: RangePair) -> Iterator[IndexPair]:
        return _align_equal(
            [group.signature.call_hash for group in a],
            [group.signature.call_hash for group in b],
            ranges,
            align_by_form,
        )

    def align_by_form(ranges: RangePair) -> Iterator[IndexPair]:
        return align_if_small(ranges) or _align_equal(*get_form_keys(), ranges, align_by_kind_and_label)

    def align_by_kind_and_label(ranges: RangePair) -> Iterator[IndexPair]:
        return align_if_small(ranges) or _align_equal(*get_name_keys(), ranges, _leave_unmatched)

    @cache
    def get_form_keys() -> tuple[list[int], list[int]]:
        return [group.signature.call_form_hash for group in a], [group.signature.call_form_hash for group in b]

    @cache
    def get_name_keys() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        return [(group.kind, group.name) for group in a], [(group.kind, group.name) for group in b]

    def align_if_small(ranges: RangePair) -> Iterator[IndexPair] | None:
        i, i2, j, j2 = ranges
        return _align_by_similarity(a, b, ranges, similarity) if (i2 - i) * (j2 - j) <= MAX_WEIGHED_PAIRS else None

    full_range = (0, len(a), 0, len(b))
    return align_if_small(full_range) or align_by_call(full_range)


def _align_equal(
    a: Sequence[Hashable],
    b: Sequence[Hashable],
    ranges: RangePair,
    align_between: Callable[[RangePair], Iterator[IndexPair]],
) -> Iterator[IndexPair]:
    for is_equal, (i, i2, j, j2) in split_into_ranges(a, b, ranges):
        if is_equal:
            yield from zip(range(i, i2), range(j, j2), strict=True)
        else:
            yield from align_between((i, i2, j, j2))


def _leave_unmatched(ranges: RangePair) -> Iterator[IndexPair]:
    i, i2, j, j2 = ranges
    yield from ((n, None) for n in range(i, i2))
    yield from ((None, n) for n in range(j, j2))


def split_into_ranges(
    a: Sequence[Hashable], b: Sequence[Hashable], ranges: RangePair
) -> Iterator[tuple[bool, RangePair]]:
    """Yield ranges that cover ``ranges`` in order, each with whether both sides are equal in it."""
    i, i2, j, j2 = ranges
    for p, p2, q, q2 in _find_equal_ranges(a, b, ranges):
        if (i, j) != (p, q):
            yield False, (i, p, j, q)
        yield True, (p, p2, q, q2)
        i, j = p2, q2
    if (i, j) != (i2, j2):
        yield False, (i, i2, j, j2)


def _find_equal_ranges(a: Sequence[Hashable], b: Sequence[Hashable], ranges: RangePair) -> Iterator[RangePair]:
    """Yield equal ranges in order: the common start, the matches in the middle, the common end."""
    i, i2, j, j2 = ranges
    start = 0
    while i + start < i2 and j + start < j2 and a[i + start] == b[j + start]:
        start += 1
    end = 0
    while i2 - end > i + start and j2 - end > j + start and a[i2 - end - 1] == b[j2 - end - 1]:
        end += 1
    if start:
        yield i, i + start, j, j + start
    yield from _match_middle((i + start, i2 - end, j + start, j2 - end), a, b)
    if end:
        yield i2 - end, i2, j2 - end, j2


def _match_middle(ranges: RangePair, a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[RangePair]:
    i, i2, j, j2 = ranges
    if i == i2 or j == j2:
        return
    for p, q in [*_find_anchors(a, b, ranges), (i2, j2)]:
        if i < p and j < q:
            yield from _match_by_edit_distance(a, b, (i, p, j, q))
        if p < i2 and q < j2:
            yield p, p + 1, q, q + 1
        i, j = p + 1, q + 1


def _find_anchors(a: Sequence[Hashable], b: Sequence[Hashable], ranges: RangePair) -> list[tuple[int, int]]:
    """Return the indexes of elements that occur once on each side: the longest run that keeps the order of both."""
    i, i2, j, j2 = ranges
    once_a, once_b = Counter(a[i:i2]), Counter(b[j:j2])
    index_in_b = {b[n]: n for n in range(j, j2) if once_b[b[n]] == 1}
    return _find_longest_rising(
        [(n, index_in_b[a[n]]) for n in range(i, i2) if once_a[a[n]] == 1 and a[n] in index_in_b]
    )


def _find_longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest subsequence whose second members rise."""
    tops: list[int] = []
    last: list[int] = []
    previous: list[int] = []
    for n, (_, q) in enumerate(pairs):
        position = bisect_left(tops, q)
        tops[position : position + 1] = [q]
        last[position : position + 1] = [n]
        previous.append(last[position - 1] if position else -1)
    rising = []
    n = last[-1] if last else -1
    while n >= 0:
        rising.append(pairs[n])
        n = previous[n]
    return rising[::-1]


def _match_by_edit_distance(a: Sequence[Hashable], b: Sequence[Hashable], ranges: RangePair) -> Iterator[RangePair]:
    i, i2, j, j2 = ranges
    shared = set(a[i:i2]).intersection(b[j:j2])
    if not shared:
        return
    indexes_a = [n for n in range(i, i2) if a[n] in shared]
    indexes_b = [n for n in range(j, j2) if b[n] in shared]
    for block in Levenshtein.opcodes([a[n] for n in indexes_a], [b[n] for n in indexes_b]):
        if block.tag == "equal":
            for n in range(block.src_end - block.src_start):
                p, q = indexes_a[block.src_start + n], indexes_b[block.dest_start + n]
                yield p, p + 1, q, q + 1


def _align_by_similarity(
    a: Sequence[StepGroup], b: Sequence[StepGroup], ranges: RangePair, similarity: Similarity
) -> Iterator[IndexPair]:
    """Align with the greatest total weight (Needleman and Wunsch). Gaps cost nothing."""
    i, i2, j, j2 = ranges
    rows, columns = i2 - i, j2 - j
    weights = [[similarity(a[i + r], b[j + c]) for c in range(columns)] for r in range(rows)]
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for r in range(rows - 1, -1, -1):
        below, row, weight = best[r + 1], best[r], weights[r]
        for c in range(columns - 1, -1, -1):
            paired = below[c + 1] + weight[c] if weight[c] > 0 else 0.0
            row[c] = max(paired, below[c], row[c + 1])
    r = c = 0
    while r < rows and c < columns:
        pair_weight = weights[r][c]
        if pair_weight > 0 and best[r][c] == best[r + 1][c + 1] + pair_weight:
            yield i + r, j + c
            r, c = r + 1, c + 1
        elif best[r][c] == best[r + 1][c]:
            yield i + r, None
            r += 1
        else:
            yield None, j + c
            c += 1
    yield from ((n, None) for n in range(i + r, i2))
    yield from ((None, n) for n in range(j + c, j2))
