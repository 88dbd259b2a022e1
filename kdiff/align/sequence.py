"""Which move of one session answers to which of the other: a monotonous alignment of two sequences. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cache

from rapidfuzz.distance import Levenshtein

from .step_groups import Move

SMALL = 10_000
"""Up to so many pairs of moves each pair is weighed; beyond that, equal signatures are matched first."""

Pair = tuple[int | None, int | None]
Weigh = Callable[[Move, Move], float]
Span = tuple[int, int, int, int]


def align(a: Sequence[Move], b: Sequence[Move], weigh: Weigh) -> list[tuple[Move | None, Move | None]]:
    """The moves of both sides in one order, those that answer to each other side by side.

    Args:
        weigh: how well two moves answer to each other; 0 or less where they don't.
    """
    return [(None if i is None else a[i], None if j is None else b[j]) for i, j in _pairs(a, b, weigh)]


def _pairs(a: Sequence[Move], b: Sequence[Move], weigh: Weigh) -> Iterator[Pair]:
    """Equal acts first; between them equal forms; between those, equal kinds and labels. What is small is weighed."""

    def acts(span: Span) -> Iterator[Pair]:
        return _levelled([m.sketch.act for m in a], [m.sketch.act for m in b], span, forms)

    def forms(span: Span) -> Iterator[Pair]:
        return small(span) or _levelled(*form_keys(), span, names)

    def names(span: Span) -> Iterator[Pair]:
        return small(span) or _levelled(*name_keys(), span, _apart)

    @cache
    def form_keys() -> tuple[list[int], list[int]]:
        return [m.sketch.form for m in a], [m.sketch.form for m in b]

    @cache
    def name_keys() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        return [(m.kind, m.label) for m in a], [(m.kind, m.label) for m in b]

    def small(span: Span) -> Iterator[Pair] | None:
        i, i2, j, j2 = span
        return _weighed(a, b, span, weigh) if (i2 - i) * (j2 - j) <= SMALL else None

    whole = (0, len(a), 0, len(b))
    return small(whole) or acts(whole)


def _levelled(
    a: Sequence[Hashable], b: Sequence[Hashable], span: Span, between: Callable[[Span], Iterator[Pair]]
) -> Iterator[Pair]:
    for is_equal, (i, i2, j, j2) in matched(a, b, span):
        if is_equal:
            yield from zip(range(i, i2), range(j, j2), strict=True)
        else:
            yield from between((i, i2, j, j2))


def _apart(span: Span) -> Iterator[Pair]:
    i, i2, j, j2 = span
    yield from ((n, None) for n in range(i, i2))
    yield from ((None, n) for n in range(j, j2))


def matched(a: Sequence[Hashable], b: Sequence[Hashable], whole: Span) -> Iterator[tuple[bool, Span]]:
    """Spans that cover ``whole`` in order: whether it is an equal one, and the span."""
    i, i2, j, j2 = whole
    for p, p2, q, q2 in _equal_spans(a, b, whole):
        if (i, j) != (p, q):
            yield False, (i, p, j, q)
        yield True, (p, p2, q, q2)
        i, j = p2, q2
    if (i, j) != (i2, j2):
        yield False, (i, i2, j, j2)


def _equal_spans(a: Sequence[Hashable], b: Sequence[Hashable], whole: Span) -> Iterator[Span]:
    """Equal spans in order: a common beginning, what is unique on both sides and what is equal between, an end."""
    i, i2, j, j2 = whole
    start = 0
    while i + start < i2 and j + start < j2 and a[i + start] == b[j + start]:
        start += 1
    end = 0
    while i2 - end > i + start and j2 - end > j + start and a[i2 - end - 1] == b[j2 - end - 1]:
        end += 1
    if start:
        yield i, i + start, j, j + start
    yield from _between((i + start, i2 - end, j + start, j2 - end), a, b)
    if end:
        yield i2 - end, i2, j2 - end, j2


def _between(span: Span, a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[Span]:
    i, i2, j, j2 = span
    if i == i2 or j == j2:
        return
    for p, q in [*_anchors(a, b, span), (i2, j2)]:
        if i < p and j < q:
            yield from _edited(a, b, (i, p, j, q))
        if p < i2 and q < j2:
            yield p, p + 1, q, q + 1
        i, j = p + 1, q + 1


def _anchors(a: Sequence[Hashable], b: Sequence[Hashable], span: Span) -> list[tuple[int, int]]:
    """Places of what occurs once on each side, the longest run of them that is in order on both."""
    i, i2, j, j2 = span
    once_a, once_b = Counter(a[i:i2]), Counter(b[j:j2])
    at_b = {b[n]: n for n in range(j, j2) if once_b[b[n]] == 1}
    return _rising([(n, at_b[a[n]]) for n in range(i, i2) if once_a[a[n]] == 1 and a[n] in at_b])


def _rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose second members rise."""
    tops: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for n, (_, q) in enumerate(pairs):
        at = bisect_left(tops, q)
        tops[at : at + 1] = [q]
        last[at : at + 1] = [n]
        before.append(last[at - 1] if at else -1)
    found = []
    n = last[-1] if last else -1
    while n >= 0:
        found.append(pairs[n])
        n = before[n]
    return found[::-1]


def _edited(a: Sequence[Hashable], b: Sequence[Hashable], span: Span) -> Iterator[Span]:
    i, i2, j, j2 = span
    shared = set(a[i:i2]).intersection(b[j:j2])
    if not shared:
        return
    own_a = [n for n in range(i, i2) if a[n] in shared]
    own_b = [n for n in range(j, j2) if b[n] in shared]
    for block in Levenshtein.opcodes([a[n] for n in own_a], [b[n] for n in own_b]):
        if block.tag == "equal":
            for n in range(block.src_end - block.src_start):
                p, q = own_a[block.src_start + n], own_b[block.dest_start + n]
                yield p, p + 1, q, q + 1


def _weighed(a: Sequence[Move], b: Sequence[Move], span: Span, weigh: Weigh) -> Iterator[Pair]:
    """The alignment of the greatest weight (Needleman and Wunsch), gaps costing nothing."""
    i, i2, j, j2 = span
    rows, columns = i2 - i, j2 - j
    weights = [[weigh(a[i + r], b[j + c]) for c in range(columns)] for r in range(rows)]
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for r in range(rows - 1, -1, -1):
        below, own, weight = best[r + 1], best[r], weights[r]
        for c in range(columns - 1, -1, -1):
            taken = below[c + 1] + weight[c] if weight[c] > 0 else 0.0
            own[c] = max(taken, below[c], own[c + 1])
    r = c = 0
    while r < rows and c < columns:
        weight_here = weights[r][c]
        if weight_here > 0 and best[r][c] == best[r + 1][c + 1] + weight_here:
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
