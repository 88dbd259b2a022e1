"""The root of a divergence: the decision, model call or message that led to it. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentlog.session.step import Step

from ..align.payload_compare import Payloads
from ..align.step_groups import StepGroup, StepGroups
from .compare import Comparison
from .divergence import Divergence

REASON_KINDS = frozenset({"decision", "llm_call", "agent_message"})
MAX_REASONS = 200
"""The number of reasons before a call in which the first one that names its wrong details is searched."""
MIN_DISTINCTIVE_WORDS = 2
"""A message with this number of the words that are special to a call is about that call."""
MAX_PARENTS = 50
"""The number of parents that are followed from a step."""
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True, slots=True)
class RootCause:
    """The decision or model call of each side that led to the decisive divergence; None if a side has none."""

    a: StepGroup | None
    b: StepGroup | None


def is_reason(group: StepGroup) -> bool:
    """Whether a step is a decision, a model call, a message of the agent or a thought."""
    return group.kind in REASON_KINDS or group.is_thought


def find_root_cause(decisive: Divergence, comparison: Comparison, payloads: Payloads) -> RootCause:
    """Find the step of each side that led to the decisive divergence."""
    partner_of_b = {pair.b: pair.a for pair in comparison.pairs if pair.b is not None}
    reason_a = _find_reason(decisive.a, comparison.a)
    if decisive.kind == "ended":
        return RootCause(reason_a, _find_reason(decisive.b, comparison.b))
    if decisive.kind == "missing":
        return RootCause(reason_a, _find_turning_point(decisive, comparison, partner_of_b, reason_a))
    start = decisive.shown_b if decisive.a is not None else decisive.b
    reason_b = _find_first_reason(decisive, comparison, partner_of_b, payloads) or _find_reason(start, comparison.b)
    partner_a = partner_of_b.get(reason_b) if reason_b is not None else None
    return RootCause(
        partner_a if partner_a is not None and (reason_a is None or decisive.kind == "repeated") else reason_a, reason_b
    )


def _find_first_reason(
    decisive: Divergence, comparison: Comparison, partner_of_b: dict[StepGroup, StepGroup | None], payloads: Payloads
) -> StepGroup | None:
    """Find B's earliest reason that already names the wrong details of the call.

    The last reason before the call often only repeats them. Words from the part that both sessions share don't count,
    and one word alone isn't enough.
    """
    if decisive.b is None or decisive.kind not in ("changed", "extra"):
        return None
    shared_count = _find_last_shared_call(decisive.b, comparison, partner_of_b)
    reasons = [group for group in comparison.b.groups[shared_count : decisive.b.index - 1] if is_reason(group)][
        -MAX_REASONS:
    ]
    before = comparison.b.groups[max(shared_count - MAX_REASONS, 0) : shared_count]
    distinctive = _find_distinctive_words(decisive, comparison, payloads).difference(
        *(_extract_words(group) for group in before)
    )
    if len(distinctive) < MIN_DISTINCTIVE_WORDS or not reasons:
        return None
    needed_count = max(MIN_DISTINCTIVE_WORDS, len(distinctive & _extract_words(reasons[-1])))
    for group in reasons:
        partner_a = partner_of_b.get(group)
        shared_words = distinctive & _extract_words(group)
        if len(shared_words) >= needed_count and (partner_a is None or not shared_words <= _extract_words(partner_a)):
            return group
    return None


def _find_last_shared_call(
    call: StepGroup, comparison: Comparison, partner_of_b: dict[StepGroup, StepGroup | None]
) -> int:
    """Return the index of the last call before this one that is the same in A; 0 if there is none."""
    differ = {each.b for each in comparison.divergences}
    shared = (
        group
        for group in reversed(comparison.b.groups[: call.index - 1])
        if partner_of_b.get(group) is not None and group not in differ
    )
    return next((group.index for group in shared if group.is_call and not group.is_thought), 0)


def _find_distinctive_words(decisive: Divergence, comparison: Comparison, payloads: Payloads) -> set[str]:
    """Return the words in the arguments of B's call that no similar call of A has."""
    b, a = decisive.b, decisive.a
    similar_calls = (
        [a]
        if a is not None
        else [group for group in comparison.a.groups if b is not None and group.name == b.name][:MAX_REASONS]
    )
    words = set(_extract_argument_words(payloads.read_argument(b))) if b is not None else set()
    return words.difference(*(_extract_argument_words(payloads.read_argument(group)) for group in similar_calls))


def _extract_words(group: StepGroup) -> set[str]:
    """Return all words of a step's event."""
    return {word.lower() for word in _WORD.findall(group.value.decode())}


def _extract_argument_words(argument: Any) -> Iterator[str]:
    """Yield the values of a call's arguments that are one word or number."""
    if isinstance(argument, dict):
        argument = list(argument.values())
    if isinstance(argument, list):
        for value in argument:
            yield from _extract_argument_words(value)
    elif not isinstance(argument, bool) and _WORD.fullmatch(str(argument)):
        yield str(argument).lower()


def _find_turning_point(
    decisive: Divergence,
    comparison: Comparison,
    partner_of_b: dict[StepGroup, StepGroup | None],
    reason_a: StepGroup | None,
) -> StepGroup | None:
    """Find where B left A's way: after the last step that both share, or where the reason differs from A's."""
    partner_b = (
        next((pair.b for pair in comparison.pairs if pair.a is reason_a), None) if reason_a is not None else None
    )
    differs = any(each.b is partner_b for each in comparison.divergences)
    candidates = [_find_first_unshared_reason(decisive, comparison, partner_of_b), partner_b if differs else None]
    return min((group for group in candidates if group is not None), key=lambda group: group.index, default=None)


def _find_first_unshared_reason(
    decisive: Divergence, comparison: Comparison, partner_of_b: dict[StepGroup, StepGroup | None]
) -> StepGroup | None:
    departure = _find_departure(decisive, comparison)
    for group in comparison.b.groups[max(departure - 1, 0) :]:
        if is_reason(group) and (group.index > departure or partner_of_b.get(group) is None):
            return group
    return next((group for group in reversed(comparison.b.groups[:departure]) if is_reason(group)), None)


def _find_departure(decisive: Divergence, comparison: Comparison) -> int:
    """Return the place in B of the first missing call in the row of missing calls that ends with the decisive one."""
    departure = decisive.order_key[0]
    calls = [pair for pair in comparison.pairs if pair.a is not None and pair.a.is_call and not pair.a.is_thought]
    for pair in sorted(calls, key=lambda each: each.a.index if each.a else 0, reverse=True):
        if decisive.a is None or pair.a is None or pair.a.index >= decisive.a.index:
            continue
        if pair.b is not None:
            break
        departure = pair.order_key[0]
    return departure


def _find_reason(group: StepGroup | None, groups: StepGroups) -> StepGroup | None:
    """Find the nearest reason for a step: among its parents, or before it in its lane. A decision goes first."""
    if group is None:
        return None
    by_parents = next(
        (
            groups.by_step[step]
            for step in _walk_parents(group.step)
            if step in groups.by_step and is_reason(groups.by_step[step])
        ),
        None,
    )
    preceding = next(
        (
            each
            for each in reversed(groups.groups[: group.index - 1])
            if is_reason(each) and each.step.lane is group.step.lane
        ),
        None,
    )
    candidates = [each for each in (by_parents, preceding) if each is not None]
    return (
        max(candidates, key=lambda each: (each.kind == "decision" and each.index, each.index)) if candidates else None
    )


def _walk_parents(step: Step) -> Iterator[Step]:
    seen: set[Step] = set()
    parent = step.parent
    while parent is not None and parent not in seen and len(seen) < MAX_PARENTS:
        yield parent
        seen.add(parent)
        parent = parent.parent
