"""Operators that tell deepdiff what makes no difference, which ids have one role, and which texts are the same. Pure.

deepdiff takes 0.1 to 0.3 s to load, and about 50 µs for each pair of values. So this module is imported only if
several parts of two values differ, and deepdiff gets only these parts.
"""

from collections import deque
from collections.abc import Iterator, Mapping
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
    is_same_leaf,
    is_settled,
    pair_children,
    parse_json_texts,
)

MAX_LEVELS = 30
"""The number of levels that one run of deepdiff gets. It recurses, and its time grows with the square of the depth."""
CHANGED = "values_changed"
"""deepdiff's name for a change of a value."""
CONFLICTS, POSITION = "role_conflicts", "position"
"""The keys of our notes in ``DiffLevel.additional``."""


class DeepPair(NamedTuple):
    """Two values that lie too deep for the run of deepdiff that met them."""

    a: Any
    b: Any
    path: Path


class Position(NamedTuple):
    """The place of a level of deepdiff: in the order of visits, and inside the event."""

    number: int
    path: Path


class Unchanged(NamedTuple):
    """Neighbours that are equal on both sides. Only the roles of their ids are left to compare."""

    pairs: list[Pair]


class LimitReachedError(Exception):
    """The end of a run of deepdiff that has found enough changes."""

    def __init__(self, differences: Mapping[str, Any]) -> None:
        super().__init__("enough changes")
        self.differences = differences


def search_changes(a: Any, b: Any, context: ComparisonContext, path: Path, limit: int) -> list[Change]:
    """Return the changes between two values. The first ``MAX_LEVELS`` levels come first, each level in the order of A.

    Args:
        path: the place of both values inside the event.
        limit: the greatest number of changes to return.
    """
    waiting = deque([DeepPair(a, b, path)])
    changes: list[Change] = []
    while waiting and len(changes) < limit:
        changes += _run_deepdiff(waiting.popleft(), context, limit - len(changes), waiting)
    return changes[:limit]


def _run_deepdiff(pair: DeepPair, context: ComparisonContext, limit: int, waiting: deque[DeepPair]) -> Iterator[Change]:
    operators = [
        LocateOperator(pair.path, limit),
        UnchangedOperator(context),
        LeafOperator(context),
        ContainerOperator(context, len(pair.path) + MAX_LEVELS, waiting),
    ]
    try:
        # Its default skips members whose names begin with two underscores.
        differences: Mapping[str, Any] = DeepDiff(
            pair.a, pair.b, custom_operators=operators, view="tree", ignore_private_variables=False
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

    deepdiff links levels in both directions. The operator unlinks the levels that are done, so that their memory is
    freed: the tools run without garbage collection.

    Args:
        root: the path of the values that deepdiff gets.
        limit: the number of changes that end the search.
    """

    def __init__(self, root: Path, limit: int) -> None:
        super().__init__()
        self._root, self._limit = root, limit
        self._visits, self._next_check = 0, limit
        self._open: list[DiffLevel] = []

    def match(self, level: DiffLevel) -> bool:
        """Note the position. Match if enough changes may have been found: a visit finds one change at most."""
        self._visits += 1
        relation = level.up and (level.up.t1_child_rel or level.up.t2_child_rel)
        path = (*_position(level.up).path, str(relation.param)) if level.up and relation else self._root
        level.additional[POSITION] = Position(self._visits, path)
        while len(self._open) > len(path) - len(self._root):
            _unlink(self._open.pop())
        self._open.append(level)
        return self._visits > self._next_check

    def give_up_diffing(self, level: DiffLevel, diff_instance: DeepDiff) -> bool:  # noqa: ARG002  deepdiff's signature
        """End the search if enough changes are found."""
        missing = self._limit - len(diff_instance.tree)
        if missing <= 0:
            raise LimitReachedError(diff_instance.tree)
        self._next_check = self._visits + missing
        return False


def _unlink(level: DiffLevel) -> None:
    above = level.up
    while above is not None:
        above.down, above = None, above.up


class UnchangedOperator(BaseOperator):
    """Compares the roles of ids in values that are equal on both sides."""

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


class LeafOperator(BaseOperator):
    """Compares texts by their form, free text by its words, JSON texts by their contents, and numbers by their value.

    deepdiff would run difflib on the lines of texts, and doesn't know that an id may be a number.
    """

    def __init__(self, context: ComparisonContext) -> None:
        super().__init__()
        self._context = context

    def match(self, level: DiffLevel) -> bool:
        """Match all values but two objects or two lists."""
        return type(level.t1) is not type(level.t2) or type(level.t1) not in (dict, list)

    def give_up_diffing(self, level: DiffLevel, diff_instance: DeepDiff) -> bool:
        """Report two values that are not the same; go on with the contents of two JSON texts."""
        contents = parse_json_texts(level.t1, level.t2)
        if contents is not None:
            level.t1, level.t2 = contents
            return False
        if not is_same_leaf(level.t1, level.t2, self._context, _position(level).path):
            diff_instance.custom_report_result(CHANGED, level)
        return True


class ContainerOperator(BaseOperator):
    """Pairs the members of two objects and aligns the items of two lists. Only pairs that differ go on to deepdiff.

    So deepdiff sees two objects with the same members, and no list, which it would align in quadratic time.

    Args:
        max_length: the length of the paths at which values are left to another run.
        waiting: where these values are put.
    """

    def __init__(self, context: ComparisonContext, max_length: int, waiting: deque[DeepPair]) -> None:
        super().__init__()
        self._context, self._max_length, self._waiting = context, max_length, waiting

    def match(self, level: DiffLevel) -> bool:  # noqa: ARG002  deepdiff's signature
        """Match two objects or two lists: ``LeafOperator`` has taken everything else."""
        return True

    def give_up_diffing(self, level: DiffLevel, diff_instance: DeepDiff) -> bool:  # noqa: ARG002  deepdiff's signature
        """Go on with the pairs, or leave them to another run if they lie too deep."""
        path = _position(level).path
        if len(path) >= self._max_length:
            self._waiting.append(DeepPair(level.t1, level.t2, path))
            return True
        level.t1, level.t2 = _narrow(level.t1, level.t2, self._context, path)
        return False


def _narrow(a: Any, b: Any, context: ComparisonContext, path: Path) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Return two objects with the same members: the pairs that differ, and unchanged pairs whose ids need a look.

    A pair's key is a text. If two items of a list have the same index, the key of the second is a number. The key of
    unchanged pairs is a tuple. So no two keys are equal.
    """
    members_a: dict[Any, Any] = {}
    members_b: dict[Any, Any] = {}
    unchanged: list[Pair] = []
    for pair in pair_children(a, b, context, path):
        if is_settled(pair, context, path):
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
