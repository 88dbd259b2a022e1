"""The rules of what differs inside two payloads: values are compared by their form, ids by their role. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ..reading.id_words import (
    drop_thing,
    hash_id,
    hash_noise,
    hash_number,
    hash_volatile,
    is_noise,
    is_numeric_id,
    is_random_id,
)
from ..reading.normalize import (
    METRICS,
    IgnoreRules,
    NormalizedText,
    find_things,
    hash_member,
    is_exact_time,
    is_id_key,
    is_in_argument,
    is_measured_number,
    is_no_argument,
    is_noise_member,
    is_noise_number,
    is_own_clock,
    is_rewording,
    is_volatile,
    is_volatile_key,
    may_be_id,
    may_name_noise,
    names_one_of_several,
    names_process_or_port,
    normalize_text,
    parse_json_text,
    to_text,
    unify_clocks,
)
from .item_pairs import Shape, find_id_shapes, form_item, get_shape, match_forms, pair_items
from .volatile_roles import VolatileRoles

FREE_TEXT_KEYS = frozenset([
    "text", "message", "reasoning", "task", "summary", "thought", "explanation", "comment", "rationale",
])  # fmt: skip
"""Names of members in which a model writes free text, in any tool."""
LONG_TEXT = 200
"""Equal texts with more characters than this are searched for ids only if some id of A stands for another one of B."""

MIN_NOISE_NAME, MIN_NUMBER_NAME = 3, 4
"""A shorter process id or number in a text may be anything else."""
_SPLIT_WORDS = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_-]*)").split
_PROCESS_BEFORE = re.compile(r"\b(?:kill|pid|process|port)\b", re.I)
"""A word that says that a short number in a text names a process or a port."""
_BEFORE_ID = r"(?:(?i:id|number|no|key)[\s\"'`]*(?:[=:#(/]|(?i:in)\s*\()[\s\"'`(]*|(?<=[a-z])s/|#)"
_ID_BEFORE = re.compile(rf"{_BEFORE_ID}\Z")
"""What stands before an id in a statement or an address: ``WHERE id = ``, ``/users/``."""
_NUMBER_AS_ID = re.compile(rf"{_BEFORE_ID}(\d+)\b")
JSON_BEGINS = ("{", "[")
"""The first characters of a JSON text that holds an object or a list."""

Path = tuple[str, ...]
ARGUMENTS = ("payload", "input")
"""The path of what a tool is given."""
Steps = tuple[int, int]


class Absent:
    """The value of a member that one side doesn't have."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = Absent()


class Change(NamedTuple):
    """One difference: its path inside the event, and the value of each side, ``ABSENT`` if a side has none."""

    path: str
    a: Any
    b: Any

    @property
    def is_text(self) -> bool:
        """Whether both values are free text of a model that differs in its words."""
        is_free_text = self.path.rsplit(".", 1)[-1] in FREE_TEXT_KEYS
        return is_free_text and isinstance(self.a, str) and isinstance(self.b, str) and not self.is_other_id

    @property
    def is_other_id(self) -> bool:
        """Whether both values are texts that differ in nothing but ids."""
        if not isinstance(self.a, str) or not isinstance(self.b, str):
            return False
        text_a, text_b = normalize_text(self.a, IgnoreRules()), normalize_text(self.b, IgnoreRules())
        return text_a.form == text_b.form and bool(text_a.id_hashes)


class Ids:
    """The roles of ids: which id of A stands for which id of B. The first aligned place that holds both decides.

    Two different ids can have one role only if neither of them occurs on the other side, and if none of them has a
    role already: what an agent has read before, and what doesn't stand for the same thing, is something else.

    Args:
        occurs: takes the hash of an id; returns whether the id occurs in A, and whether it occurs in B.
        were_read: takes the hashes of an id of A and an id of B, and the numbers of two steps; returns for each whether
            the agent had read it before that step of its session.
        find_alike: takes the hash of an id of A; returns the id of B about which the same was read, None if there is
            not exactly one.
    """

    def __init__(
        self,
        occurs: Callable[[int], tuple[bool, bool]],
        were_read: Callable[[int, int, Steps], tuple[bool, bool]] = lambda _a, _b, _steps: (False, False),
        find_alike: Callable[[int], int | None] = lambda _: None,
    ) -> None:
        self._occurs, self._were_read, self._find_alike = occurs, were_read, find_alike
        self._b_of_a: dict[int, int] = {}
        self._a_of_b: dict[int, int] = {}
        self._renamed: set[int] = set()
        self._has_fresh = False
        self._renamed_numbers: set[tuple[int, int]] = set()
        self._renamed_things: set[tuple[int, int]] = set()
        self._noise: dict[int, int] = {}
        self._noise_a_of_b: dict[int, int] = {}
        self._renamed_noise: set[int] = set()

    @property
    def are_renamed(self) -> bool:
        """Whether any id of A stands for another one of B."""
        return self._has_fresh or bool(self._renamed)

    @property
    def are_names_renamed(self) -> bool:
        """Whether any process id, port, host or number of A stands for another one of B: any text may name them."""
        return bool(self._renamed_noise or self._renamed_things)

    def expect(self, a: int) -> int | None:
        """Return the id of B that stands for ``a``, as far as it is known."""
        if a in self._b_of_a:
            return self._b_of_a[a]
        return a if self._occurs(a)[1] else self._find_alike(a)

    def match(self, a: int, b: int, context: "ComparisonContext") -> bool:
        """Whether ``a`` and ``b`` have the same role. A role that is not known yet is learnt."""
        if not (is_noise(b) if is_noise(a) else self._can_match(a, b, context)):
            return False
        if context.teaches(a):
            self._learn(a, b)
        return True

    def match_all(self, a: Sequence[int], b: Sequence[int], context: "ComparisonContext") -> bool:
        """Whether both sides hold the same number of ids, each pair in one role. All pairs are learnt in any case."""
        if len(a) != len(b):
            return False
        matches = [self.match(x, y, context) for x, y in zip(a, b, strict=True)]
        return all(matches)

    def match_steps(self, *sides: tuple[Sequence[int], Sequence[int], "ComparisonContext"]) -> bool:
        """Whether the ids of two steps of equal form have the same roles. Nothing is learnt if one of them hasn't.

        Nothing is learnt either if what was read about an id speaks for another one: the payloads must be compared.
        """
        if self._are_unchanged(sides):
            return True
        if any(len(a) != len(b) for a, b, _ in sides):
            return False
        pairs = [(x, y, context) for a, b, context in sides for x, y in zip(a, b, strict=True)]
        if not self._have_one_role([pair for pair in pairs if not is_noise(pair[0])]):
            return False
        for x, y, context in pairs:
            if context.teaches(x):
                self._learn(x, y)
        return True

    def match_fresh(self, a: Sequence[int], b: Sequence[int]) -> bool:
        """Whether two steps of equal form match, all of whose ids are random and stand in no other step.

        Nothing can speak against their roles, and no other step asks for them. So they aren't kept: ``learn_all`` must
        follow before one of the two steps is compared with another one.
        """
        pairs = {*zip(a, b, strict=True)}
        is_one_to_one = len(pairs) == len({*a}) == len({*b})
        if not (is_one_to_one and self._b_of_a.keys().isdisjoint(a) and self._a_of_b.keys().isdisjoint(b)):
            return False
        self._has_fresh = True
        return True

    def learn_all(self, a: Sequence[int], b: Sequence[int]) -> None:
        """Learn that the ids of ``a`` stand for those of ``b``."""
        for x, y in zip(a, b, strict=True):
            self._learn(x, y)

    def _are_unchanged(self, sides: Iterable[tuple[Sequence[int], Sequence[int], "ComparisonContext"]]) -> bool:
        """Whether both sides of each pair hold the same ids, and none of them stands for another one."""
        return all(
            a == b
            and self._renamed.isdisjoint(a)
            and self._renamed.isdisjoint(map(drop_thing, a))
            and self._renamed_noise.isdisjoint(a)
            for a, b, _ in sides
        )

    def _have_one_role(self, pairs: Iterable[tuple[int, int, "ComparisonContext"]]) -> bool:
        b_of_a: dict[int, int] = {}
        a_of_b: dict[int, int] = {}
        for x, y, context in pairs:
            if b_of_a.setdefault(x, y) != y or a_of_b.setdefault(y, x) != x:
                return False
            if x not in self._b_of_a and x != y and self._find_alike(x) not in (None, y):
                return False
            if not self._can_match(x, y, context):
                return False
        return True

    def rename(self, text: str, other: str) -> str:
        """Return a text of A with the names that stand for those of B in ``other``, as far as these were read."""
        if not (self._renamed_noise or self._renamed_numbers):
            return text
        words, others = _SPLIT_WORDS(text), _SPLIT_WORDS(other)
        if len(words) != len(others):
            return text
        is_name = _PROCESS_BEFORE.search(text) is not None
        return "".join(
            y
            if x != y
            and (self._is_name_of(x, y) or (is_name and self.is_same_noise(x, y)) or self._is_id_of(words, n, y))
            else x
            for n, (x, y) in enumerate(zip(words, others, strict=True))
        )

    def is_same_noise(self, a: str, b: str) -> bool:
        """Whether a process id or a port of A stands for one of B."""
        return self._noise.get(hash_noise(a)) == hash_noise(b)

    def names_another(self, text: str, key: str) -> bool:
        """Whether a text of both sides names something that is another thing in B than in A.

        That may be a process, a port or a host, or a number where ids stand, with the word for its thing.
        """
        if self._renamed_things and self._names_another_number(text):
            return True
        if not self._renamed_noise:
            return False
        is_name = names_process_or_port(key) or _PROCESS_BEFORE.search(text) is not None
        return any(
            self._is_another_noise(hash_noise(word))
            for word in _SPLIT_WORDS(text)[1::2]
            if is_name or (len(word) >= MIN_NUMBER_NAME and not text.isdecimal())
        )

    def _names_another_number(self, text: str) -> bool:
        numbers = [match[1] for match in _NUMBER_AS_ID.finditer(text)]
        return any(
            self._b_of_a.get(name, name) != name or self._a_of_b.get(name, name) != name
            for name in (hash_number(number, thing) for number in numbers for thing in find_things(text))
        )

    def _is_another_noise(self, name: int) -> bool:
        return self._noise.get(name, name) != name or self._noise_a_of_b.get(name, name) != name

    def _is_name_of(self, a: str, b: str) -> bool:
        """Whether ``a`` and ``b`` are noise that stood in one place of two answers."""
        return len(a) >= MIN_NOISE_NAME and self.is_same_noise(a, b)

    def _is_id_of(self, words: Sequence[str], index: int, other: str) -> bool:
        """Whether a number among the words of a text is an id of a thing that the text names, and so is the other.

        A number may be that of any thing where nothing says what it names: neither its member in the answer, nor the
        text. A short one has to stand where ids stand.
        """
        number = words[index]
        if not (number.isdecimal() and other.isdecimal()):
            return False
        if (hash_number(number, ""), hash_number(other, "")) not in self._renamed_numbers:
            return False
        if min(len(number), len(other)) < MIN_NUMBER_NAME and not _ID_BEFORE.search("".join(words[:index])[-40:]):
            return False
        things = find_things("".join(words))
        return not things or any(
            (hash_number(number, thing), hash_number(other, thing)) in self._renamed_things for thing in ("", *things)
        )

    def _can_match(self, a: int, b: int, context: "ComparisonContext") -> bool:
        known_b, known_a = _get_role(self._b_of_a, a), _get_role(self._a_of_b, b)
        if known_b is not None or known_a is not None:
            return known_b == drop_thing(b) and known_a == drop_thing(a)
        if a == b or self._is_bare_number_of(a, b):
            return True
        if context.is_creation:
            return not self._is_read_on_the_other_side(a, b, context)
        if not (context.is_observation or is_random_id(a)):
            return False
        if context.is_written and any(self._were_read(a, b, context.steps)):
            return False
        return not (self._is_in_b(a) or self._is_in_a(b))

    def _is_bare_number_of(self, a: int, b: int) -> bool:
        """Whether two numbers, of which nothing says what they name, are those of some thing."""
        is_bare = a == drop_thing(a) or b == drop_thing(b)
        return is_bare and (drop_thing(a), drop_thing(b)) in self._renamed_numbers

    def _is_in_b(self, a: int) -> bool:
        return self._occurs(a)[1] or (is_numeric_id(a) and self._occurs(drop_thing(a))[1])

    def _is_in_a(self, b: int) -> bool:
        return self._occurs(b)[0] or (is_numeric_id(b) and self._occurs(drop_thing(b))[0])

    def _is_read_on_the_other_side(self, a: int, b: int, context: "ComparisonContext") -> bool:
        """Whether a new id of one side is an old one of the other side, which isn't known under another role."""
        is_b_read_in_a, is_a_read_in_b = self._were_read(b, a, context.steps)
        return (is_b_read_in_a and b not in self._b_of_a) or (is_a_read_in_b and a not in self._a_of_b)

    def _learn(self, a: int, b: int) -> None:
        if is_noise(a):
            self._learn_noise(a, b)
            return
        self._b_of_a[a], self._a_of_b[b] = b, a
        if a != b:
            self._renamed.update((a, b))
            if is_numeric_id(a) and is_numeric_id(b):
                self._renamed_numbers.add((drop_thing(a), drop_thing(b)))
                self._renamed_things.add((a, b))

    def _learn_noise(self, a: int, b: int) -> None:
        """Learn that a piece of noise stands for another one. What either of them stood for before is gone."""
        self._noise_a_of_b.pop(self._noise.pop(a, 0), 0)
        self._noise.pop(self._noise_a_of_b.pop(b, 0), 0)
        self._noise[a], self._noise_a_of_b[b] = b, a
        if a != b:
            self._renamed_noise.update((a, b))


def _get_role(roles: dict[int, int], id_hash: int) -> int | None:
    """Return what an id stands for; of a number, what it stands for as the id of its thing, else of any thing."""
    role = roles.get(id_hash, roles.get(drop_thing(id_hash)))
    return None if role is None else drop_thing(role)


@dataclass(frozen=True, slots=True)
class ComparisonContext:
    """The origin of two values. It decides how they are compared.

    Attributes:
        rules: the user's rules of what to ignore.
        ids: the roles of ids that are known so far.
        steps: the numbers of the steps in A and in B.
        clocks: when both steps were recorded.
        volatiles: the roles of times and other volatile values.
        is_call: the values are what a call is given.
        is_observation: the agent read the values. It didn't write them.
        is_written: the agent, or its model, wrote the values: it can have read their ids in an earlier step.
        is_creation: the values are the result of a call that makes things, so new ids are expected.
        is_free_text: a model wrote the values as text.
        has_noise: programs or models wrote the values, so noise in them makes no difference.
        is_other_question: the values answer different questions, so their ids aren't the same things.
    """

    rules: IgnoreRules
    ids: Ids
    steps: Steps = (0, 0)
    clocks: tuple[datetime | None, datetime | None] = (None, None)
    volatiles: VolatileRoles = field(default_factory=VolatileRoles)
    is_call: bool = False
    is_observation: bool = False
    is_written: bool = False
    is_creation: bool = False
    is_free_text: bool = False
    has_noise: bool = False
    is_other_question: bool = False

    @property
    def is_argument(self) -> bool:
        """Whether the agent wrote the values for a call or a message."""
        return self.is_written and not self.is_observation

    def names_another(self, a: Any, b: Any, key: str) -> bool:
        """Whether what the agent wrote names another thing in B, though nothing else tells it.

        It is an equal value that names a process, a port or a host, or a credential or a trace that was read.
        """
        if not self.is_argument:
            return False
        if self.is_call and names_one_of_several(key) and not self.match_volatile_member(Pair(key, a, b)):
            return True
        return is_equal(a, b) and self.ids.names_another(str(a), key)

    def match_volatile_member(self, pair: "Pair") -> bool:
        """Whether two members that aren't compared by their values name the same thing."""
        values = pair.a, pair.b
        if not all(
            isinstance(value, str | int | float) and is_volatile(pair.key, value, is_argument=self.is_call)
            for value in values
        ):
            return True
        a, b = (hash_volatile(str(value)) for value in values)
        return self.match_volatiles((a,), (b,), may_be_own=True)

    def match_volatiles(self, a: Sequence[int], b: Sequence[int], *, may_be_own: bool) -> bool:
        """Whether volatile values name the same things: what a call is given. From answers their roles are learnt."""
        if self.is_call:
            return self.volatiles.match(a, b, self.steps, may_be_own=may_be_own)
        if self.is_observation and not self.is_written and not self.is_other_question:
            self.volatiles.learn(a, b)
        return True

    def match_times(self, a: str, b: str, hashes_a: Sequence[int], hashes_b: Sequence[int]) -> bool:
        """Whether the times in two texts name the same things."""
        if not hashes_a and not hashes_b:
            return True
        may_be_own = self.is_call and is_own_clock(a, self.clocks[0]) and is_own_clock(b, self.clocks[1])
        return self.match_volatiles(hashes_a, hashes_b, may_be_own=may_be_own)

    def normalize(self, text: str, side: int) -> NormalizedText:
        """Return the forms in which a text of A (0) or B (1) is compared."""
        return normalize_text(text, self.rules, should_mask_noise=self.has_noise, clock=self.clocks[side])

    def teaches(self, a: int) -> bool:
        """Whether the role of an id can be learnt here: not where it is a name that only a model's words hold."""
        return not self.is_other_question and (not self.is_written or not self.is_observation or is_random_id(a))

    def match_ids(self, a: Sequence[int], b: Sequence[int]) -> bool:
        """Whether the ids of ``a`` and ``b`` have the same roles, pair by pair."""
        return self.ids.match_all(a, b, self)


class Pair(NamedTuple):
    """Two members or items side by side. One of them may be ``ABSENT``.

    Attributes:
        key: the last part of their path.
    """

    key: str
    a: Any
    b: Any

    @property
    def is_empty(self) -> bool:
        """Whether one side is absent and the other is null."""
        return (self.a is ABSENT and self.b is None) or (self.b is ABSENT and self.a is None)


def is_ignored(path: Path, values: Sequence[Any], rules: IgnoreRules) -> bool:
    """Whether the values at ``path`` are not compared: they are volatile, noise, a metric, or the user ignores them."""
    if (len(path) == 2 and path[-1] in METRICS) or rules.ignores(path):
        return True
    if is_noise_member(path):
        return not all(is_noise_number(path[-1], value) for value in values)
    if not is_volatile_key(path[-1]):
        return False
    volatile = [value is ABSENT or is_volatile(path[-1], value, is_argument=is_in_argument(path)) for value in values]
    # A measured time may happen to show a whole minute.
    return all(volatile) or (any(volatile) and all(map(is_exact_time, values)))


def is_equal(a: Any, b: Any) -> bool:
    """Whether ``a`` and ``b`` are the same JSON value. ``1``, ``1.0`` and ``true`` are three different values."""
    if type(a) is not type(b):
        return False
    if not isinstance(a, dict | list):
        return bool(a == b)
    try:
        return bool(a == b) and to_text(a) == to_text(b)
    except RecursionError:
        return False


def find_role_conflicts(value: Any, context: ComparisonContext, path: Path) -> Iterator[Change]:
    """Yield the ids of a value that both sides hold, and the texts with ids, whose roles differ. Others are learnt."""
    stack = [(value, path)]
    while stack:
        value, path = stack.pop()
        if isinstance(value, str):
            value = parse_json_text(value) if len(value) <= LONG_TEXT or context.ids.are_renamed else value
        if isinstance(value, Mapping):
            members = [(each, (*path, key)) for key, each in value.items()]
            stack += reversed(
                [(each, inner) for each, inner in members if not is_ignored(inner, (each,), context.rules)]
            )
        elif isinstance(value, list):
            items = [(each, (*path, str(n))) for n, each in enumerate(value)]
            stack += reversed([(each, inner) for each, inner in items if not context.rules.ignores(inner)])
        elif not is_same_leaf(value, value, context, path):
            yield Change(".".join(path), value, value)


def is_same_text(a: str, b: str, context: ComparisonContext, key: str) -> bool:
    """Whether two texts say the same: they differ only in noise and ids of one role, or are free text reworded."""
    if a == b and len(a) > LONG_TEXT and not context.ids.are_renamed:
        return True
    if a != b:
        a = context.ids.rename(a, b)
    texts = unify_clocks(a, b) if context.has_noise and a != b else (a, b)
    # An equal time is one time, whatever the clocks of the sessions said.
    text_a, text_b = context.normalize(texts[0], 0), context.normalize(texts[1], 1 if a != b else 0)
    is_id = may_be_id(key, a) and may_be_id(key, b) and " " not in a + b
    if is_id and (text_a.form != text_b.form or not text_a.id_hashes):
        matches = context.match_ids((hash_member(key, a),), (hash_member(key, b),))
    else:
        matches = (
            text_a.form == text_b.form
            and context.match_ids(text_a.id_hashes, text_b.id_hashes)
            and context.match_times(*texts, text_a.volatile_hashes, text_b.volatile_hashes)
        )
    return matches or (context.is_free_text and is_rewording(a, b))


def is_settled(pair: Pair, context: ComparisonContext, container: Path) -> bool:
    """Whether two values are the same, and hold no id whose role has to be compared or learnt."""
    a, b = pair.a, pair.b
    if context.names_another(a, b, pair.key):
        return False
    is_id = is_id_key(_get_name((*container, pair.key)))
    if not isinstance(a, str) or not isinstance(b, str):
        may_name = isinstance(a, int) and (is_id or is_measured_number(a, context.clocks[0]))
        return not isinstance(a, dict | list) and is_equal(a, b) and not may_name
    if len(a) > LONG_TEXT or len(b) > LONG_TEXT:
        return a == b and not context.ids.are_renamed
    if is_id or a[:1] in JSON_BEGINS:
        return False
    text_a = context.normalize(a, 0)
    text_b = text_a if a == b else context.normalize(b, 1)
    is_plain = not text_a.id_hashes and not text_b.id_hashes and not text_a.volatile_hashes
    return is_plain and text_a.form == text_b.form


def is_same_number(a: float, b: float, context: ComparisonContext, key: str) -> bool:
    """Whether two numbers are equal, or ids of the same role."""
    is_named_noise = not context.is_argument or names_process_or_port(key)
    if is_named_noise and context.ids.is_same_noise(str(a), str(b)):
        return True
    if isinstance(a, int) and isinstance(b, int) and is_id_key(key):
        return context.match_ids((hash_member(key, str(a)),), (hash_member(key, str(b)),))
    if is_measured_number(a, context.clocks[0]) and is_measured_number(b, context.clocks[1 if a != b else 0]):
        return context.match_times(str(a), str(b), (hash_volatile(str(a)),), (hash_volatile(str(b)),))
    return a == b or (context.is_written and may_name_noise(key) and context.ids.rename(str(a), str(b)) == str(b))


def parse_json_texts(a: Any, b: Any) -> tuple[Any, Any] | None:
    """Return the contents of two values, one of them a JSON text, if both are objects or both are lists; else None."""
    if not isinstance(a, str) and not isinstance(b, str):
        return None
    inner_a, inner_b = (parse_json_text(each) if isinstance(each, str) else each for each in (a, b))
    return (inner_a, inner_b) if type(inner_a) is type(inner_b) and isinstance(inner_a, dict | list) else None


def is_same_leaf(a: Any, b: Any, context: ComparisonContext, path: Path) -> bool:
    """Whether two values are the same. They are not both objects, and not both lists."""
    key = _get_name(path)
    if context.names_another(a, b, key):
        return False
    if context.has_noise and is_noise_number(key, a) and is_noise_number(key, b):
        return context.match_ids((hash_noise(str(a)),), (hash_noise(str(b)),))
    if isinstance(a, str) and isinstance(b, str):
        return is_same_text(a, b, context, key)
    return is_same_number(a, b, context, key) if is_number(a) and is_number(b) else is_equal(a, b)


def _get_name(path: Path) -> str:
    """Return the name of the member at ``path``; of an item, that of the list."""
    return path[-2] if path[-1].isdecimal() and len(path) > 1 else path[-1]


def is_number(value: Any) -> bool:
    """Whether a value is a number. True and false are not."""
    return type(value) in (int, float)


def find_innermost(a: Any, b: Any, context: ComparisonContext, path: Path) -> tuple[Any, Any, Path]:
    """Return the innermost values, and their path, that hold all the differences between ``a`` and ``b``."""
    while not is_equal(a, b):
        a, b = parse_json_texts(a, b) or (a, b)
        if type(a) is not type(b) or not isinstance(a, dict | list):
            break
        pairs = [pair for pair in pair_children(a, b, context, path) if not is_settled(pair, context, path)]
        if not pairs:
            return None, None, path
        if len(pairs) > 1:
            break
        ((key, a, b),) = pairs
        path = (*path, key)
    return a, b, path


def pair_children(a: Any, b: Any, context: ComparisonContext, path: Path) -> Iterator[Pair]:
    """Yield the members of two objects, or the items of two lists, side by side, but not those that are ignored."""
    if isinstance(a, Mapping):
        for pair in _pair_members(a, b, context):
            inner = (*path, pair.key)
            is_left_out = pair.is_empty or _has_no_argument(pair, inner)
            if is_left_out:
                continue
            if not is_ignored(inner, (pair.a, pair.b), context.rules) or not context.match_volatile_member(pair):
                yield pair
        return
    shapes = find_id_shapes(a) & find_id_shapes(b) if context.is_observation else frozenset()
    for i, j in pair_items(a, b, context.rules, context.ids.expect):
        pair = Pair(str(j if i is None else i), ABSENT if i is None else a[i], ABSENT if j is None else b[j])
        if not context.rules.ignores((*path, pair.key)) and not _are_ids_of_one_role(pair, shapes, context):
            yield pair


def _has_no_argument(pair: Pair, path: Path) -> bool:
    """Whether both sides call a tool without arguments."""
    return path == ARGUMENTS and all(each is ABSENT or is_no_argument(each) for each in (pair.a, pair.b))


def _are_ids_of_one_role(pair: Pair, shapes: frozenset[Shape], context: ComparisonContext) -> bool:
    """Whether two items are ids like their neighbours, though one of them may hold no digit, and have one role."""
    if not shapes or get_shape(pair.a) not in shapes or get_shape(pair.b) not in shapes:
        return False
    return context.match_ids((hash_id(pair.a),), (hash_id(pair.b),))


def _pair_members(a: Mapping[str, Any], b: Mapping[str, Any], context: ComparisonContext) -> Iterator[Pair]:
    """Pair members of the same name, then members whose names are ids of one role. The others have no partner."""
    names = _match_names(a, b, context)
    for name, value in a.items():
        yield Pair(name, value, b[name] if name in b else b[names[name]] if name in names else ABSENT)
    matched = set(names.values())
    yield from (Pair(name, ABSENT, value) for name, value in b.items() if name not in a and name not in matched)


def _match_names(a: Mapping[str, Any], b: Mapping[str, Any], context: ComparisonContext) -> dict[str, str]:
    """Match names that only one side has: ids by their known roles, values and order; others by their spelling."""
    lone_a, lone_b = [name for name in a if name not in b], [name for name in b if name not in a]
    if not lone_a or not lone_b:
        return {}
    forms_a, forms_b = ([form_item(name, context.rules) for name in names] for names in (lone_a, lone_b))
    contents_a, contents_b = (
        [form_item(side[name], context.rules).form for name in names] for side, names in ((a, lone_a), (b, lone_b))
    )
    partners = match_forms(forms_a, forms_b, context.ids.expect, (contents_a, contents_b))
    return {
        lone_a[i]: lone_b[j] for i, j in sorted(partners.items()) if context.match_ids(forms_a[i].ids, forms_b[j].ids)
    }
