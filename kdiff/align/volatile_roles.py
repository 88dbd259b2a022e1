"""Times and other volatile values that name one of several things: which of A stands for which of B. Pure.

The ``ts`` of a message, a checkpoint or a version may be a time. A call that is given one that its session had read
means the thing that stood there. A time that nobody had read is the agent's own clock, and makes no difference.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

from ..reading.signature import READ_KINDS
from .step_groups import StepGroup, find_first_reads

Roles = set[tuple[int, int]]


class VolatileRoles:
    """The roles of the volatile values that calls name. Two stand for each other if they stood in one place of answers.

    One may stand for several: two things may have been made in one second.
    """

    def __init__(self, a: Sequence[StepGroup] = (), b: Sequence[StepGroup] = ()) -> None:
        self._a, self._b = a, b
        self._roles: Roles = set()
        self._renamed: set[int] = set()

    @cached_property
    def _first_reads(self) -> tuple[dict[int, int], dict[int, int]]:
        """The number of the step that first read each value that a call of either session names."""
        named = {each for group in (*self._a, *self._b) if group.has_volatiles for each in group.call_volatiles}
        return find_first_reads(self._a, named), find_first_reads(self._b, named)

    @property
    def are_named(self) -> bool:
        """Whether any call names a value that was read."""
        return any(self._first_reads)

    def learn(self, a: Sequence[int], b: Sequence[int]) -> None:
        """Learn from one place of two answers that the values of A stand for those of B."""
        if self.are_named:
            roles = set(self._pair_named(a, b))
            self._roles |= roles
            self._renamed.update(each for role in roles if role[0] != role[1] for each in role)

    def _pair_named(self, a: Sequence[int], b: Sequence[int]) -> Iterable[tuple[int, int]]:
        reads_a, reads_b = self._first_reads
        return ((x, y) for x, y in zip(a, b, strict=False) if x in reads_a or y in reads_b)

    def match(self, a: Sequence[int], b: Sequence[int], steps: tuple[int, int], *, may_be_own: bool = False) -> bool:
        """Whether two calls name the same things.

        Args:
            steps: the numbers of the calls in A and in B.
            may_be_own: a value that only one side had read may still be its own, such as the time of the call.
        """
        if not self.are_named:
            return True
        return len(a) == len(b) and all(
            self._is_same(x, y, steps, may_be_own=may_be_own) for x, y in zip(a, b, strict=True)
        )

    def _is_same(self, a: int, b: int, steps: tuple[int, int], *, may_be_own: bool) -> bool:
        if (a, b) in self._roles:
            return True
        if a == b:
            return a not in self._renamed
        was_read = [reads.get(x, step) < step for reads, x, step in zip(self._first_reads, (a, b), steps, strict=True)]
        return not all(was_read) if may_be_own else not any(was_read)

    def are_probably_others(self, a: StepGroup, b: StepGroup) -> bool:
        """Whether two calls name different things, as far as the results of steps of one form tell."""
        if not (a.has_volatiles and b.has_volatiles and self.are_named):
            return False
        roles = self._probable_roles
        known_a, known_b = self._probably_known
        pairs = zip(a.call_volatiles, b.call_volatiles, strict=False)
        return any((x in known_a or y in known_b) and (x, y) not in roles for x, y in pairs)

    @cached_property
    def _probably_known(self) -> tuple[set[int], set[int]]:
        return {a for a, _ in self._probable_roles}, {b for _, b in self._probable_roles}

    @cached_property
    def _probable_roles(self) -> Roles:
        results_b = _collect_results(self._b)
        return {
            role
            for form, results in _collect_results(self._a).items()
            for a, b in zip(results, results_b.get(form, ()), strict=False)
            for role in self._pair_named(a.result_volatiles, b.result_volatiles)
        }


def _collect_results(groups: Iterable[StepGroup]) -> dict[tuple[int, int], list[StepGroup]]:
    """Return the steps whose results hold volatile values, by their forms."""
    results: dict[tuple[int, int], list[StepGroup]] = defaultdict(list)
    for group in groups:
        if group.signature.result_volatile_count and group.kind in READ_KINDS:
            results[group.signature.call_form_hash, group.signature.result_form_hash].append(group)
    return results
