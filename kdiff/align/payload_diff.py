"""The difference inside two payloads that answer to each other, path by path, ids compared by their role. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein

from ..reading.id_words import hash_id, is_random_id
from ..reading.normalize import (
    METRICS,
    IgnoreRules,
    is_id_key,
    is_rewording,
    is_volatile_key,
    normalize_text,
    parse_json_text,
    to_text,
)

FREE = frozenset(["text", "message", "reasoning", "task", "summary", "thought", "explanation", "comment", "rationale"])
"""Members in which a model writes free text, whatever the tool."""

Path = tuple[str, ...]


class Absent:
    """Stands for a member that one side doesn't have."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = Absent()


class Change(NamedTuple):
    """One difference: where it is inside the event, and what each side holds there (``ABSENT`` where nothing)."""

    path: str
    a: Any
    b: Any

    @property
    def is_text(self) -> bool:
        """Whether both sides hold a model's free text here."""
        return self.path.rsplit(".", 1)[-1] in FREE and isinstance(self.a, str) and isinstance(self.b, str)


class Ids:
    """Which id of A stands for which id of B: by the first aligned place that holds them.

    Two ids that differ are taken for one role only where that can be: neither is seen on the other side.

    Args:
        seen: whether an id occurs in A, and whether it occurs in B. Ids are given by their marks.
    """

    def __init__(self, seen: Callable[[int], tuple[bool, bool]]) -> None:
        self._seen = seen
        self._of_a: dict[int, int] = {}
        self._of_b: dict[int, int] = {}

    def answer(self, a: int, b: int, *, told: bool, made: bool) -> bool:
        """Whether ``b`` stands where ``a`` should; what is not yet known of either is learnt.

        Args:
            told: the two stand in what the agent was told, by a user or an answer, not in what it wrote itself.
            made: they stand in the answer of a call that makes things, so a new id is to be expected.
        """
        if a in self._of_a or b in self._of_b:
            return self._of_a.get(a) == b
        if a != b and not made and not (told or is_random_id(a)):
            return False
        if a != b and not made and (self._seen(a)[1] or self._seen(b)[0]):
            return False
        self._of_a[a], self._of_b[b] = b, a
        return True

    def answer_all(self, a: Sequence[int], b: Sequence[int], *, told: bool, made: bool) -> bool:
        """Whether as many ids stand on both sides, and each where it should; all are learnt, whatever comes first."""
        if len(a) != len(b):
            return False
        answers = [self.answer(x, y, told=told, made=made) for x, y in zip(a, b, strict=True)]
        return all(answers)


@dataclass(frozen=True, slots=True)
class Side:
    """How two values are compared.

    Attributes:
        told: they are what the agent was told, not what it wrote.
        made: they are the answer of a call that makes things.
        free: they are a model's text.
    """

    rules: IgnoreRules
    ids: Ids
    told: bool = False
    made: bool = False
    free: bool = False

    def answer(self, a: Sequence[int], b: Sequence[int]) -> bool:
        """Whether the ids of ``b`` stand where those of ``a`` should."""
        return self.ids.answer_all(a, b, told=self.told, made=self.made)


def changes(a: Any, b: Any, how: Side, path: Path) -> Iterator[Change]:
    """What differs between ``a`` and ``b``, both at ``path``; nothing where they mean the same."""
    if how.rules.ignores(path):
        return
    if isinstance(a, str) and isinstance(b, str):
        yield from _texts(a, b, how, path)
    elif isinstance(a, Mapping) and isinstance(b, Mapping):
        yield from _members(a, b, how, path)
    elif isinstance(a, list) and isinstance(b, list):
        yield from _items(a, b, how, path)
    elif not _equal(a, b, how, path):
        yield Change(".".join(path), a, b)


def _equal(a: Any, b: Any, how: Side, path: Path) -> bool:
    if isinstance(a, bool) or isinstance(b, bool) or type(a) is not type(b):
        is_number = isinstance(a, int | float) and isinstance(b, int | float)
        return bool(a == b) and (is_number or type(a) is type(b)) and not (isinstance(a, bool) ^ isinstance(b, bool))
    if a != b and isinstance(a, int) and is_id_key(path[-1]):
        return how.answer((hash_id(str(a)),), (hash_id(str(b)),))
    return bool(a == b)


def _texts(a: str, b: str, how: Side, path: Path) -> Iterator[Change]:
    if a == b and len(a) > 200:
        return
    inner_a, inner_b = parse_json_text(a), parse_json_text(b)
    if type(inner_a) is type(inner_b) and not isinstance(inner_a, str):
        yield from changes(inner_a, inner_b, how, path)
        return
    own_a, own_b = (normalize_text(text, how.rules, should_mask_durations=how.told) for text in (a, b))
    if is_id_key(path[-1]) and not own_a.id_hashes and not own_b.id_hashes and " " not in a + b:
        answers = how.answer((hash_id(a),), (hash_id(b),))
    else:
        answers = own_a.form == own_b.form and how.answer(own_a.id_hashes, own_b.id_hashes)
    if answers:
        return
    if how.free and is_rewording(a, b):
        return
    yield Change(".".join(path), a, b)


def _members(a: Mapping[str, Any], b: Mapping[str, Any], how: Side, path: Path) -> Iterator[Change]:
    for name, other in _paired(a, b, how):
        key = name if name is not None else other or ""
        if is_volatile_key(key) or (len(path) == 1 and key in METRICS):
            continue
        own_a = a[name] if name is not None else ABSENT
        own_b = b[other] if other is not None else ABSENT
        if own_a is ABSENT or own_b is ABSENT:
            if own_a not in (ABSENT, None) or own_b not in (ABSENT, None):
                yield from _lone(own_a, own_b, how, (*path, key))
        else:
            yield from changes(own_a, own_b, how, (*path, key))


def _lone(a: Any, b: Any, how: Side, path: Path) -> Iterator[Change]:
    if not how.rules.ignores(path):
        yield Change(".".join(path), a, b)


def _paired(a: Mapping[str, Any], b: Mapping[str, Any], how: Side) -> Iterator[tuple[str | None, str | None]]:
    """Members of the same name; of the others those whose names are ids, in their order."""
    lone_a, lone_b = [name for name in a if name not in b], [name for name in b if name not in a]
    answers: dict[str, str] = {}
    if lone_a and lone_b:
        forms: dict[str, list[str]] = {}
        for name in lone_b:
            forms.setdefault(normalize_text(name, how.rules).form, []).append(name)
        for name in lone_a:
            own = normalize_text(name, how.rules)
            others = forms.get(own.form, [])
            if own.id_hashes and others and how.answer(own.id_hashes, normalize_text(others[0], how.rules).id_hashes):
                answers[name] = others.pop(0)
    yield from ((name, name if name in b else answers.get(name)) for name in a)
    yield from ((None, name) for name in lone_b if name not in answers.values())


def _items(a: Sequence[Any], b: Sequence[Any], how: Side, path: Path) -> Iterator[Change]:
    if len(a) == len(b):
        for n, (own_a, own_b) in enumerate(zip(a, b, strict=True)):
            yield from changes(own_a, own_b, how, (*path, str(n)))
        return
    forms_a, forms_b = [_form(each, how.rules) for each in a], [_form(each, how.rules) for each in b]
    for block in Levenshtein.opcodes(forms_a, forms_b):
        tag, i, i2, j, j2 = block.tag, block.src_start, block.src_end, block.dest_start, block.dest_end
        if tag in ("equal", "replace"):
            for n in range(i2 - i):
                yield from changes(a[i + n], b[j + n], how, (*path, str(i + n)))
        elif tag == "delete":
            yield from (Change(".".join((*path, str(n))), a[n], ABSENT) for n in range(i, i2))
        else:
            yield from (Change(".".join((*path, str(n))), ABSENT, b[n]) for n in range(j, j2))


def _form(value: Any, rules: IgnoreRules) -> str:
    return normalize_text(to_text(value), rules, should_mask_durations=True).form
