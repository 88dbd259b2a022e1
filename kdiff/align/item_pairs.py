"""Pairs of the items of two lists: by the roles of their ids, by their content, by their place. Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein

from ..reading.id_words import find_words, is_noise
from ..reading.normalize import IgnoreRules, find_numeric_ids, mask_numeric_ids, normalize_text, to_text

Shape = tuple[int, bool]
MAX_WORD_CHARS = 40
"""A list with longer texts is no list of ids."""
IndexPair = tuple[int | None, int | None]
Expect = Callable[[int], int | None]
"""Returns the id of B that stands for an id of A, as far as it is known."""


class ItemForm(NamedTuple):
    """An item with placeholders for what makes no difference, and its ids."""

    form: str
    ids: tuple[int, ...]


def form_item(value: Any, rules: IgnoreRules) -> ItemForm:
    """Return the form of an item, or of the name of a member."""
    try:
        text = normalize_text(to_text(value), rules, should_mask_noise=True)
    except RecursionError:  # a JSON text may be nested deeper than an event
        return ItemForm("nested too deep", ())
    form, numbers = mask_numeric_ids(text.form) if isinstance(value, dict) else (text.form, ())
    return ItemForm(form, (*(each for each in text.id_hashes if not is_noise(each)), *numbers))


def match_forms(
    a: Sequence[ItemForm],
    b: Sequence[ItemForm],
    expect: Expect,
    contents: tuple[Sequence[str], Sequence[str]] | None = None,
) -> dict[int, int]:
    """Match forms by index: those whose ids have one role, then those with equal contents, then equal ones in order.

    Args:
        contents: what belongs to each form, if it is more than the form itself.
    """
    forms_a, forms_b = [each.form for each in a], [each.form for each in b]
    keys: list[tuple[Sequence[Hashable], Sequence[Hashable]]] = [
        ([(form, tuple(map(expect, ids))) for form, ids in a], b),
        (forms_a, forms_b),
    ]
    if contents is not None:
        keys.insert(1, (list(zip(forms_a, contents[0], strict=True)), list(zip(forms_b, contents[1], strict=True))))
    partners: dict[int, int] = {}
    taken: set[int] = set()
    for keys_a, keys_b in keys:
        candidates: dict[Hashable, list[int]] = defaultdict(list)
        for j in reversed(range(len(b))):
            if j not in taken:
                candidates[keys_b[j]].append(j)
        for i in range(len(a)):
            if i not in partners and candidates.get(keys_a[i]):
                partners[i] = candidates[keys_a[i]].pop()
                taken.add(partners[i])
    return partners


def pair_items(a: Sequence[Any], b: Sequence[Any], rules: IgnoreRules, expect: Expect) -> Iterator[IndexPair]:
    """Pair items by index, or in lists of different lengths by their form.

    Items with ids are paired by role and form wherever they stand, because a list may be sorted by ids that are new
    each time. If it isn't, the first item in another place comes once more, last, with the one in its place.
    """
    if len(a) == len(b):
        yield from _pair_equally_many(a, b, rules, expect)
        return
    forms_a, forms_b = [form_item(each, rules) for each in a], [form_item(each, rules) for each in b]
    pairs = list(_align_forms([each.form for each in forms_a], [each.form for each in forms_b]))
    if not any(each.ids for each in forms_a):
        yield from pairs
        return
    partners = match_forms(forms_a, forms_b, expect)
    taken = set(partners.values())
    for i, j in pairs:
        is_free_a, is_free_b = i is not None and i not in partners, j is not None and j not in taken
        if i is not None and i in partners:
            yield i, partners[i]
        if is_free_a or is_free_b:
            yield i if is_free_a else None, j if is_free_b else None


def _pair_equally_many(a: Sequence[Any], b: Sequence[Any], rules: IgnoreRules, expect: Expect) -> Iterator[IndexPair]:
    moved = dict(_find_moved(a, b, rules, expect))
    yield from ((n, moved.get(n, n)) for n in range(len(a)))
    if moved and not (_are_sorted_by_id(a) and _are_sorted_by_id(b)):
        first = min(moved)
        yield first, first


def _find_moved(a: Sequence[Any], b: Sequence[Any], rules: IgnoreRules, expect: Expect) -> Iterator[tuple[int, int]]:
    """Yield the indexes of items with ids that stand in another place in B, and of those whose place they took."""
    differing = [n for n in range(len(a)) if not _is_alike(a[n], b[n])]
    if len(differing) < 2:
        return
    forms_a, forms_b = [form_item(a[n], rules) for n in differing], [form_item(b[n], rules) for n in differing]
    if not any(each.ids for each in forms_a):
        return
    partners = match_forms(forms_a, forms_b, expect)
    taken = set(partners.values())
    places = range(len(differing))
    stay = {n for n in places if n not in partners and n not in taken}
    free_a = [n for n in places if n not in partners and n not in stay]
    free_b = [n for n in places if n not in taken and n not in stay]
    for i, j in (*partners.items(), *zip(free_a, free_b, strict=True)):
        if i != j:
            yield differing[i], differing[j]


def _is_alike(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except RecursionError:
        return False


def _align_forms(a: Sequence[str], b: Sequence[str]) -> Iterator[IndexPair]:
    for block in Levenshtein.opcodes(a, b):
        tag, i, i2, j, j2 = block.tag, block.src_start, block.src_end, block.dest_start, block.dest_end
        if tag in ("equal", "replace"):
            yield from ((i + n, j + n) for n in range(i2 - i))
        elif tag == "delete":
            yield from ((n, None) for n in range(i, i2))
        else:
            yield from ((None, n) for n in range(j, j2))


def find_id_shapes(items: Sequence[Any]) -> frozenset[Shape]:
    """Return the shapes of the ids in a list of words. A neighbour of such a shape is an id, also without a digit."""
    if not all(isinstance(each, str) and len(each) <= MAX_WORD_CHARS for each in items):
        return frozenset()
    shapes = {
        get_shape(each)
        for each in items
        if any(kind == "named" and (start, end) == (0, len(each)) for start, end, (_, kind, _) in find_words(each))
    }
    return frozenset(shape for shape in shapes if shape is not None)


def get_shape(value: Any) -> Shape | None:
    """Return the length of a word and whether it is in capitals; None if it isn't one word of letters and digits."""
    return (len(value), value.isupper()) if isinstance(value, str) and value.isalnum() else None


def _are_sorted_by_id(items: Sequence[Any]) -> bool:
    """Whether the items stand in the order of one of their ids."""
    texts = map(to_text, items)
    ids = [_list_ids(text) for text in texts]
    columns = zip(*ids, strict=False)
    return any(all(x < y for x, y in pairwise(column)) for column in columns)


def _list_ids(text: str) -> list[tuple[int, str]]:
    """List the ids in a JSON text, each with its length if it is a number, so that 9 comes before 10."""
    words = [(0, text[start:end]) for start, end, (_, _, id_hash) in find_words(text) if id_hash]
    return [*((len(number), number) for number in find_numeric_ids(text)), *words]
