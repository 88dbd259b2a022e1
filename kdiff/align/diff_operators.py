"""deepdiff, taught what makes no difference, which ids have one role, and which texts say the same. Pure.

deepdiff takes some 0.3 s to load, and 50 µs for each pair of values. So this module is imported only where several
parts of two values differ, and deepdiff gets these parts alone.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from deepdiff import DeepDiff
from deepdiff.model import DiffLevel
from deepdiff.operator import BaseOperator

from .payload_diff import (
    Change,
    ComparisonContext,
    Pair,
    Path,
    find_role_conflicts,
    is_equal,
    is_number,
    is_same_number,
    is_same_text,
    is_settled,
    pair_children,
    parse_json_texts,
)

MAX_LEVELS = 30
"""deepdiff gets so many levels at once: it recurses, and its time grows with the square of the depth."""
CHANGED = "values_changed"
CONFLICTS, POSITION = "role_conflicts", "position"


@dataclass(slots=True)
class Search:
    """A search for the changes between two values.

    Attributes:
        limit: the number of changes that end the search.
        waiting: pairs of values that lie too deep for one run of deepdiff, and their paths.
    """

    context: ComparisonContext
    limit: int
    waiting: deque[tuple[Any, Any, Path]] = field(default_factory=deque)


class Position(NamedTuple):
    """The place of a level of deepdiff: in the order of visits, and inside the event."""

    number: int
    path: Path


class Unchanged(NamedTuple):
    """Neighbours that are equal on both sides: only the roles of their ids are left to compare."""

    pairs: list[Pair]


class LimitReachedError(Exception):
    """Ends a run of deepdiff that has found enough."""

    def __init__(self, differences: Mapping[str, Any]) -> None:
        super().__init__("enough changes")
        self.differences = differences


def search_changes(a: Any, b: Any, context: ComparisonContext, path: Path, limit: int) -> list[Change]:
    """Search for what differs between two values: ``MAX_LEVELS`` levels in the order of A, then those below them.

    Args:
        path: the place of both inside the event.
        limit: the greatest number of changes to find.
    """
    search = Search(context, limit, deque([(a, b, path)]))
    changes: list[Change] = []
    while search.waiting and search.limit > 0:
        changes += _run_deepdiff(*search.waiting.popleft(), search)
        search.limit = limit - len(changes)
    return changes[:limit]


def _run_deepdiff(a: Any, b: Any, path: Path, search: Search) -> Iterator[Change]:
    operators = [
        LocateOperator(search, path),
        UnchangedOperator(search.context),
        TextOperator(search.context),
        NumberOperator(search.context),
        ContainerOperator(search, len(path) + MAX_LEVELS),
    ]
    try:
        # Its default skips members whose names begin with two underscores.
        differences: Mapping[str, Any] = DeepDiff(
            a, b, custom_operators=operators, view="tree", ignore_private_variables=False
        )
    except LimitReachedError as reached:
        differences = reached.differences
    for level in sorted((level for levels in differences.values() for level in levels), key=_position):
        yield from level.additional.get(CONFLICTS) or [Change(".".join(_position(level).path), level.t1, level.t2)]


def _position(level: DiffLevel) -> Position:
    position: Position = level.additional[POSITION]
    return position


class LocateOperator(BaseOperator):
    """Notes the position of each level, and ends the search at its limit.

    deepdiff links levels in both directions. The operator unlinks those that are done with, for their memory would be
    kept otherwise: the tools run without garbage collection.
    """

    def __init__(self, search: Search, path: Path) -> None:
        super().__init__()
        self._search, self._root = search, path
        self._visits, self._next_check = 0, search.limit
        self._open: list[DiffLevel] = []

    def match(self, level: DiffLevel) -> bool:
        """Match every level."""
        self._visits += 1
        relation = level.up and (level.up.t1_child_rel or level.up.t2_child_rel)
        path = (*_position(level.up).path, str(relation.param)) if level.up and relation else self._root
        level.additional[POSITION] = Position(self._visits, path)
        while len(self._open) > len(path) - len(self._root):
            _unlink(self._open.pop())
        self._open.append(level)
        return self._visits > self._next_check  # a visit finds one change at most

    def give_up_diffing(self, level: DiffLevel, diff_instance: DeepDiff) -> bool:  # noqa: ARG002  deepdiff's signature
        """End the search when enough changes are found."""
        missing = self._search.limit - len(diff_instance.tree)
        if missing <= 0:
            raise LimitReachedError(diff_instance.tree)
        self._next_check = self._visits + missing
        return False


def _unlink(level: DiffLevel) -> None:
    above = level.up
    while above is not None:
        above.down, above = None, above.up


class UnchangedOperator(BaseOperator):
    """Compares the roles of ids in what is equal on both sides."""

    def __init__(self, context: ComparisonContext) -> None:
        super().__init__()
        self._context = context

    def match(self, level: DiffLevel) -> bool:
        """Match equal neighbours."""
        return isinstance(level.t1, Unchanged)

    def give_up_diffing(self, level: DiffLevel, diff_instance: DeepDiff) -> bool:
        """Report the texts whose ids have different roles."""
        parent = _position(level).path[:-1]
        conflicts = [
            conflict
            for pair in level.t1.pairs
            for conflict in find_role_conflicts(pair.a, self._context, (*parent, pair.key))
        ]
        if conflicts:
            level.additional[CONFLICTS] = conflicts
            diff_instance.custom_report_result(CHANGED, level)
        return True


class TextOperator(BaseOperator):
    """Compares texts by their form, free text by its words, and JSON texts by what they hold.

    deepdiff would run difflib on their lines.
    """

    def __init__(self, context: ComparisonContext) -> None:
        super().__init__()
        self._context = context

    def match(self, level: DiffLevel) -> bool:
        """Match two texts."""
        return type(level.t1) is str and type(level.t2) is str

    def give_up_diffing(self, level: DiffLevel, diff_instance: DeepDiff) -> bool:
        """Report two texts that don't say the same; go on with what two JSON texts hold."""
        contents = parse_json_texts(level.t1, level.t2)
        if contents is not None:
            level.t1, level.t2 = contents
            return False
        if not is_same_text(level.t1, level.t2, self._context, _position(level).path[-1]):
            diff_instance.custom_report_result(CHANGED, level)
        return True


class NumberOperator(BaseOperator):
    """Skips equal numbers whatever their type, and numbers that are ids of one role."""

    def __init__(self, context: ComparisonContext) -> None:
        super().__init__()
        self._context = context

    def match(self, level: DiffLevel) -> bool:
        """Match two numbers; true and false are none."""
        return is_number(level.t1) and is_number(level.t2)

    def give_up_diffing(self, level: DiffLevel, diff_instance: DeepDiff) -> bool:  # noqa: ARG002  deepdiff's signature
        """Leave different numbers to deepdiff."""
        return is_same_number(level.t1, level.t2, self._context, _position(level).path[-1])


class ContainerOperator(BaseOperator):
    """Pairs the members of two objects and aligns the items of two lists. Only pairs that differ go on to deepdiff.

    So deepdiff sees two objects with the same members, and no list, which it would align in quadratic time.
    """

    def __init__(self, search: Search, deepest: int) -> None:
        super().__init__()
        self._search, self._deepest = search, deepest

    def match(self, level: DiffLevel) -> bool:
        """Match two objects or two lists."""
        return type(level.t1) is type(level.t2) and type(level.t1) in (dict, list)

    def give_up_diffing(self, level: DiffLevel, diff_instance: DeepDiff) -> bool:  # noqa: ARG002  deepdiff's signature
        """Go on with the pairs, or let them wait for another run where they lie too deep."""
        path = _position(level).path
        if len(path) >= self._deepest:
            self._search.waiting.append((level.t1, level.t2, path))
            return True
        level.t1, level.t2 = _narrow(level.t1, level.t2, self._search.context, path)
        return False


def _narrow(a: Any, b: Any, context: ComparisonContext, path: Path) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Make two objects with the same members: the pairs that differ, and between them what is unchanged but holds ids.

    The key of a pair is a text; where two items of a list have one index, that of the second is a number. The key of
    what is unchanged is a tuple. So no keys clash.
    """
    members_a: dict[Any, Any] = {}
    members_b: dict[Any, Any] = {}
    unchanged: list[Pair] = []
    for pair in pair_children(a, b, context, path):
        if is_settled(pair, context):
            continue
        if is_equal(pair.a, pair.b):
            if not unchanged:
                members_a[len(members_a),] = members_b[len(members_b),] = Unchanged(unchanged)
            unchanged.append(pair)
        else:
            unchanged = []
            key = int(pair.key) if pair.key in members_a else pair.key
            members_a[key], members_b[key] = pair.a, pair.b
    return members_a, members_b
