"""Calls that ran at once: their order means nothing, so B's are put into the order of A's. Pure."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice

from .step_groups import StepGroup


def order_parallel_calls(a: Sequence[StepGroup], b: Sequence[StepGroup]) -> list[StepGroup]:
    """Return ``b`` with the calls of each parallel batch in the order in which A made them.

    A call that A's batch doesn't have takes the place of one that B's batch doesn't have.
    """
    batches_b = list(_find_batches(b))
    if not batches_b:
        return list(b)
    batches_a = list(_find_batches(a))
    numbers_by_call: dict[int, deque[int]] = defaultdict(deque)
    for number, batch in enumerate(batches_a):
        for call_hash in {group.signature.call_hash for group in batch}:
            numbers_by_call[call_hash].append(number)
    position_b = {group: position for position, group in enumerate(b)}
    ordered = list(b)
    used: set[int] = set()
    for batch in batches_b:
        partner = _find_partner(batch, numbers_by_call, used)
        if partner is not None:
            used.add(partner)
            start = position_b[batch[0]]
            ordered[start : start + len(batch)] = _order_like(batches_a[partner], batch)
    return ordered


def _find_batches(groups: Sequence[StepGroup]) -> Iterator[list[StepGroup]]:
    """Yield neighbouring calls that follow from one step, and of which each began before the others had ended."""
    batch: list[StepGroup] = []
    end = 0
    for group in groups:
        is_parallel = (
            bool(batch) and group.is_call and group.step.parent is batch[0].step.parent and group.step.began < end
        )
        if not is_parallel:
            if len(batch) > 1:
                yield batch
            batch, end = [group] if group.is_call else [], 0
        else:
            batch.append(group)
        end = max(end, group.last_recorded)
    if len(batch) > 1:
        yield batch


def _find_partner(batch: list[StepGroup], numbers_by_call: dict[int, deque[int]], used: set[int]) -> int | None:
    """Return the number of A's batch that shares the most calls with a batch of B; of several, the first."""
    votes: Counter[int] = Counter()
    for call_hash in {group.signature.call_hash for group in batch}:
        numbers = numbers_by_call[call_hash]
        while numbers and numbers[0] in used:
            numbers.popleft()
        votes.update(islice(numbers, 1))
    return min(votes, key=lambda number: (-votes[number], number)) if votes else None


def _order_like(batch_a: list[StepGroup], batch_b: list[StepGroup]) -> list[StepGroup]:
    """Put B's calls into A's order: equal calls, then those that differ in ids, then those of one tool."""
    partner: dict[StepGroup, StepGroup] = {}
    waiting_b = batch_b
    for key in _KEYS:
        by_key: dict[Hashable, list[StepGroup]] = defaultdict(list)
        for group in reversed(waiting_b):
            by_key[key(group)].append(group)
        for group in batch_a:
            if group not in partner and by_key.get(key(group)):
                partner[group] = by_key[key(group)].pop()
        matched = set(partner.values())
        waiting_b = [group for group in waiting_b if group not in matched]
    others = iter(waiting_b)
    in_order = [partner[group] if group in partner else next(others, None) for group in batch_a]
    return [group for group in in_order if group is not None] + list(others)


_KEYS: tuple[Callable[[StepGroup], Hashable], ...] = (
    lambda group: group.signature.call_hash,
    lambda group: group.signature.call_form_hash,
    lambda group: group.label,
)
