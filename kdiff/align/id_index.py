"""Where the ids of two sessions stand: on which sides, from which step on, and what was read about them. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from ..reading.id_words import is_random_id
from ..reading.signature import READ_KINDS
from .step_groups import StepGroup, collect_ids

ReadForms = tuple[int, int]


class Occurrences(NamedTuple):
    """The ids that stand in the steps of two sessions.

    Attributes:
        repeated: those that several steps hold, of one side or of both.
    """

    a: set[int]
    b: set[int]
    repeated: set[int]


class IdIndex:
    """The places of the ids of two sessions. Each part is made when it is first needed."""

    def __init__(self, a: Sequence[StepGroup], b: Sequence[StepGroup]) -> None:
        self._a, self._b = a, b

    def find_sides(self, id_hash: int) -> tuple[bool, bool]:
        """Return whether an id occurs in A, and whether it occurs in B."""
        return id_hash in self._occurrences.a, id_hash in self._occurrences.b

    def is_fresh(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether all ids of two steps are random, no other step holds any of them, and nothing was read about them."""
        fresh_a, fresh_b = self._fresh_steps
        return a.index in fresh_a and b.index in fresh_b

    def find_read(self, a: int, b: int, steps: tuple[int, int]) -> tuple[bool, bool]:
        """Return whether ``a`` was read in A before a step of A, and ``b`` in B before a step of B."""
        first_a, first_b = self._first_reads
        return first_a.get(a, steps[0]) < steps[0], first_b.get(b, steps[1]) < steps[1]

    def find_alike(self, a: int) -> int | None:
        """Return the id of B about which the same was read as about ``a``; None if that isn't certain."""
        return self._alike.get(a)

    def is_another(self, a: int, b: int) -> bool:
        """Whether ``a`` and ``b`` have different roles, as far as the results of steps of one form tell."""
        b_of_a, a_of_b = self._probable_roles
        if a in b_of_a or b in a_of_b:
            return b_of_a.get(a) != b
        return a != b and (self.find_sides(a)[1] or self.find_sides(b)[0])

    def is_counterpart(self, a: int, b: int) -> bool:
        """Whether ``a`` and ``b`` have one role, as far as the results of steps of one form tell."""
        return self._probable_roles[0].get(a, a) == b

    @cached_property
    def _probable_roles(self) -> tuple[dict[int, int], dict[int, int]]:
        """Pair the ids in the results of steps of one form, in order: ids of A to those of B, and back.

        What was read about an id goes before its place in a result.
        """
        b_of_a = dict(self._alike)
        a_of_b = {b: a for a, b in b_of_a.items()}
        steps_b = _collect_results(self._b)
        for form, steps in _collect_results(self._a).items():
            if len(steps) != len(steps_b.get(form, ())):
                continue
            for a, b in zip(steps, steps_b[form], strict=True):
                for x, y in zip(a.result_ids, b.result_ids, strict=True):
                    is_possible = x == y or a.changes_state or not (self.find_sides(x)[1] or self.find_sides(y)[0])
                    if is_possible and x not in b_of_a and y not in a_of_b:
                        b_of_a[x], a_of_b[y] = y, x
        return b_of_a, a_of_b

    @cached_property
    def _occurrences(self) -> Occurrences:
        (ids_a, repeated_a), (ids_b, repeated_b) = collect_ids(self._a), collect_ids(self._b)
        return Occurrences(ids_a, ids_b, repeated_a | repeated_b | (ids_a & ids_b))

    @cached_property
    def _first_reads(self) -> tuple[dict[int, int], dict[int, int]]:
        repeated = self._occurrences.repeated
        return _find_first_reads(self._a, repeated), _find_first_reads(self._b, repeated)

    @cached_property
    def _fresh_steps(self) -> tuple[set[int], set[int]]:
        """The numbers of the steps of A, and of B, all of whose ids are random and stand in no other step."""
        ids_a, ids_b, repeated = self._occurrences
        others = {*repeated, *self._alike, *self._alike.values()}
        others.update(each for ids in (ids_a, ids_b) for each in ids if not is_random_id(each))
        return _find_free_of(others, self._a), _find_free_of(others, self._b)

    @cached_property
    def _alike(self) -> dict[int, int]:
        """Pair ids by the answers to one and the same question, if these tell the things apart on both sides."""
        reads_a, reads_b = _collect_reads(self._a), _collect_reads(self._b)
        answers_a, answers_b = _count_answers(reads_a), _count_answers(reads_b)
        b_of_a: dict[int, int] = {}
        a_of_b: dict[int, int] = {}
        for forms, groups in reads_a.items():
            others = reads_b.get(forms, ())
            if len(groups) != 1 or len(others) != 1 or min(answers_a[forms[0]], answers_b[forms[0]]) < 2:
                continue
            for a, b in zip(groups[0].call_ids, others[0].call_ids, strict=True):
                if not (self.find_sides(a)[1] or self.find_sides(b)[0]):
                    b_of_a.setdefault(a, b)
                    a_of_b.setdefault(b, a)
        return {a: b for a, b in b_of_a.items() if a_of_b[b] == a}


def _find_free_of(ids: set[int], groups: Iterable[StepGroup]) -> set[int]:
    return {group.index for group in groups if ids.isdisjoint(group.all_ids)}


def _find_first_reads(groups: Iterable[StepGroup], repeated: set[int]) -> dict[int, int]:
    """Return the number of the step that first read each id. Ids that no other step of both holds are left out."""
    first_reads: dict[int, int] = {}
    for group in groups:
        if group.kind in READ_KINDS:
            for id_hash in repeated.intersection(group.result_ids):
                first_reads.setdefault(id_hash, group.index)
    return first_reads


def _collect_results(groups: Iterable[StepGroup]) -> dict[ReadForms, list[StepGroup]]:
    """Return the steps whose results hold ids, by their forms."""
    results: dict[ReadForms, list[StepGroup]] = defaultdict(list)
    for group in groups:
        if group.signature.result_id_count and group.kind in READ_KINDS:
            results[group.signature.call_form_hash, group.signature.result_form_hash].append(group)
    return results


def _collect_reads(groups: Iterable[StepGroup]) -> dict[ReadForms, list[StepGroup]]:
    """Return the reads that are asked by an id, by the forms of their question and of their answer."""
    reads: dict[ReadForms, list[StepGroup]] = defaultdict(list)
    for group in groups:
        if group.is_call and not group.changes_state and group.signature.call_id_count:
            reads[group.signature.call_form_hash, group.signature.result_form_hash].append(group)
    return reads


def _count_answers(reads: Iterable[ReadForms]) -> dict[int, int]:
    """Return the number of different answers to each question."""
    count: dict[int, int] = defaultdict(int)
    for question, _ in reads:
        count[question] += 1
    return count
