"""Divergences: places where two aligned sessions differ, and how far each explains the outcome. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from ..align.payload_diff import Change
from ..align.step_groups import StepGroup
from ..reading.side_effects import Effect

MIN_LOOP_REPEATS = 5
"""A call that is repeated this often, and three times as often as on the other side, is a loop."""
NAME_PATHS = ("payload.tool", "payload.key", "payload.to_agent_id")
"""The paths of what a call is made to: a memory's key, an agent."""
TEXT_PATHS = ("payload.task", "payload.query", "payload.value")
"""The paths of what a sub-agent, a search or a memory is given: mostly text."""
MIN_LOOP_CALLS = 20
"""This number of calls of one tool in a row, which the other side doesn't have, may be a loop."""


class Weight(IntEnum):
    """The degree to which a divergence explains an outcome."""

    TEXT = 0
    ANSWER = 1
    MAY_EXPLAIN = 2
    EXPLAINS = 3


@dataclass(slots=True, eq=False)
class Divergence:
    """A place where two sessions differ.

    Attributes:
        kind: ``changed``, ``extra`` (only in B), ``missing`` (only in A), ``moved``, ``repeated``, ``ended`` or
            ``error``.
        order_key: the place in the order of both sessions: the index in B. A step that B doesn't have comes after the
            last one that both have.
        why: the meaning, in one sentence.
        further_groups: further steps of the same side that it holds.
        alternative: of the decisive one, if B lacks a call: what B did there.
    """

    kind: str
    a: StepGroup | None
    b: StepGroup | None
    order_key: tuple[int, int, int]
    why: str
    weight: Weight
    changes: Sequence[Change] = ()
    further_groups: list[StepGroup] = field(default_factory=list)
    alternative: StepGroup | None = None

    @property
    def group(self) -> StepGroup:
        """The step of B, or of A if B has none."""
        group = self.b or self.a
        if group is None:
            raise TypeError("a divergence without a step")
        return group

    @property
    def shown_b(self) -> StepGroup | None:
        """The step of B that is shown; of a loop, the first repetition that A doesn't have."""
        if self.kind == "repeated" and self.a is not None and self.b is not None:
            return [self.b, *self.b.repeats][min(self.a.times, len(self.b.repeats))]
        return self.b

    @property
    def _own_group(self) -> StepGroup:
        """The first step of the side that it is about: of A if B lacks something, else of B."""
        return self.a if self.a is not None and self.kind in ("missing", "ended") else self.group

    @property
    def label(self) -> str:
        """The name of the tool or model, or the kind of the step."""
        return self._own_group.label

    @property
    def count(self) -> int:
        """The number of steps of the side that it is about, repetitions included."""
        return sum(group.times for group in (self._own_group, *self.further_groups))

    @property
    def count_b(self) -> int:
        """The number of steps of B from the one that is shown on, repetitions included."""
        if self.b is None:
            return 0
        shared_count = [self.b, *self.b.repeats].index(self.shown_b or self.b)
        further_groups = self.further_groups if self.kind not in ("missing", "ended") else []
        return sum(group.times for group in (self.b, *further_groups)) - shared_count


def classify_pair(  # noqa: PLR0911  one case a line
    a: StepGroup,
    b: StepGroup,
    input_changes: list[Change],
    output_changes: list[Change],
    order_key: tuple[int, int, int],
) -> Divergence | None:
    """Return the divergence of two matching steps; None if no difference matters."""
    if not a.is_call:
        return _classify_statement(a, b, input_changes + output_changes, order_key)
    if b.step.is_open and not a.step.is_open:
        weight = Weight.EXPLAINS if b.changes_state else Weight.MAY_EXPLAIN
        return Divergence(
            "error", a, b, order_key, f"{b.label} never returned in B; it did in A", weight, input_changes
        )
    if a.success_count and not b.success_count and b.signature.has_failed:
        why = f"{b.label} failed in B and never succeeded there; it did in A"
        return Divergence("error", a, b, order_key, why, Weight.EXPLAINS, [*input_changes, *output_changes])
    divergence = _classify_repeats(a, b, order_key)
    if divergence is not None and (divergence.weight is Weight.EXPLAINS or not (input_changes or output_changes)):
        divergence.changes = [*input_changes, *output_changes]
        return divergence
    if input_changes or a.name != b.name or a.kind != b.kind:
        return _classify_changed_call(a, b, [*input_changes, *output_changes], order_key)
    if output_changes:
        return _classify_changed_answer(a, b, output_changes, order_key)
    return divergence


def _classify_statement(
    a: StepGroup, b: StepGroup, changes: list[Change], order_key: tuple[int, int, int]
) -> Divergence | None:
    if not changes:
        return None
    if a.kind == "delegation_result":
        has_failed = b.signature.has_failed and not a.signature.has_failed
        why = f"{b.label} returned {'an error' if has_failed else 'another result'}"
        return Divergence("error" if has_failed else "changed", a, b, order_key, why, Weight.EXPLAINS, changes)
    if a.kind == "session_start":
        return Divergence("changed", a, b, order_key, "B was asked for something else", Weight.MAY_EXPLAIN, changes)
    why = {"session_end": "B ended differently", "decision": "B decided differently"}.get(
        a.kind, "B says something else"
    )
    return Divergence("changed", a, b, order_key, why, Weight.TEXT, changes)


def _classify_changed_call(
    a: StepGroup, b: StepGroup, changes: list[Change], order_key: tuple[int, int, int]
) -> Divergence:
    is_other_tool = a.name != b.name or a.kind != b.kind
    if is_other_tool:
        changes = [Change("payload.tool", a.label, b.label), *changes]
    changes_state = a.changes_state or b.changes_state
    is_only_text = not is_other_tool and all(map(_is_text, changes))
    description = f"{b.label} in place of {a.label}" if is_other_tool else f"{b.label} with other arguments"
    if a.signature.has_failed and b.signature.has_failed and not b.success_count and not a.success_count:
        return Divergence("changed", a, b, order_key, f"{description}; it failed on both sides", Weight.ANSWER, changes)
    if is_only_text:
        return Divergence("changed", a, b, order_key, f"{b.label} was given another text", Weight.ANSWER, changes)
    if changes_state:
        context = "where A's call failed" if not a.success_count else "in another way than A"
        return Divergence(
            "changed", a, b, order_key, f"B changed state {context}: {description}", Weight.EXPLAINS, changes
        )
    return Divergence("changed", a, b, order_key, f"B called {description}", _weigh_read(a, b), changes)


def _is_text(change: Change) -> bool:
    """Whether a change of a call is none, or only other words, in what it was given: the same thing is meant."""
    if change.path.startswith("payload.input"):
        return change.is_text
    return change.path not in NAME_PATHS and not (change.path in TEXT_PATHS and change.is_other_id)


def _weigh_read(*groups: StepGroup) -> Weight:
    """Return the weight of a read that differs. A thought explains nothing by itself, so it weighs less."""
    return Weight.ANSWER if any(group.is_thought for group in groups) else Weight.MAY_EXPLAIN


def _classify_changed_answer(
    a: StepGroup, b: StepGroup, changes: list[Change], order_key: tuple[int, int, int]
) -> Divergence:
    if b.success_count and not a.success_count and a.signature.has_failed:
        weight = Weight.EXPLAINS if b.changes_state else Weight.TEXT
        return Divergence("changed", a, b, order_key, f"{b.label} succeeded in B; it failed in A", weight, changes)
    if not a.success_count and not b.success_count:
        return Divergence(
            "changed", a, b, order_key, f"{b.label} failed on both sides, for different reasons", Weight.ANSWER, changes
        )
    return Divergence("changed", a, b, order_key, f"{b.label} returned another answer", Weight.ANSWER, changes)


def _classify_repeats(a: StepGroup, b: StepGroup, order_key: tuple[int, int, int]) -> Divergence | None:
    if a.times == b.times:
        return None
    description = f"{b.label} {b.times} times in a row in B, {a.times} in A"
    if (
        (a.changes_state or b.changes_state)
        and a.success_count != b.success_count
        and b.success_count
        and a.success_count
    ):
        return Divergence(
            "repeated",
            a,
            b,
            order_key,
            f"{description}: it changed state {b.success_count} times, not {a.success_count}",
            Weight.EXPLAINS,
        )
    if b.times >= max(MIN_LOOP_REPEATS, 3 * a.times):
        failures = b.times - b.success_count
        failure_text = f", {failures} of them failed" if failures else ""
        return Divergence("repeated", a, b, order_key, f"a loop: {description}{failure_text}", Weight.EXPLAINS)
    return Divergence("repeated", a, b, order_key, description, Weight.ANSWER)


def has_made_progress(group: StepGroup) -> bool:
    """Whether a read was repeated until it had another answer, as a poll is: that is no loop. A retry is no poll."""
    answers = [each.signature.result_form_hash for each in (group, *group.repeats)[-2:]]
    return len(set(answers)) > 1 and not group.changes_state and group.success_count == group.times


def classify_longer_poll(a: StepGroup, b: StepGroup, order_key: tuple[int, int, int]) -> Divergence:
    """Return the divergence of a poll, or a wait, that took one side longer and ended alike."""
    why = f"{b.label} {b.times} times in a row in B, {a.times} in A; both ended with the same answer"
    return Divergence("repeated", a, b, order_key, why, Weight.TEXT)


def classify_missing(a: StepGroup, order_key: tuple[int, int, int]) -> Divergence:
    """Return the divergence of a step that only A has."""
    if not a.is_call:
        return Divergence("missing", a, None, order_key, "B says nothing like it", Weight.TEXT)
    if not a.success_count:
        return Divergence(
            "missing", a, None, order_key, f"{a.label} failed in A; B never called it here", Weight.ANSWER
        )
    if a.signature.effect is Effect.HANDS_OVER:
        return Divergence("missing", a, None, order_key, f"A handed over ({a.label}), B did not", Weight.MAY_EXPLAIN)
    if a.changes_state:
        return Divergence(
            "missing", a, None, order_key, f"A changed state with {a.label}; B never did", Weight.EXPLAINS
        )
    return Divergence("missing", a, None, order_key, f"B never called {a.label} here", _weigh_read(a))


def classify_extra(b: StepGroup, order_key: tuple[int, int, int]) -> Divergence:  # noqa: PLR0911  one case a line
    """Return the divergence of a step that only B has."""
    if b.kind == "error":
        return Divergence("error", None, b, order_key, "an error in B that A doesn't have", Weight.MAY_EXPLAIN)
    if b.kind == "delegation_result" and b.signature.has_failed:
        return Divergence("error", None, b, order_key, f"{b.label} returned an error", Weight.MAY_EXPLAIN)
    if not b.is_call:
        return Divergence("extra", None, b, order_key, "A says nothing like it", Weight.TEXT)
    if b.times >= MIN_LOOP_REPEATS and not has_made_progress(b):
        return Divergence(
            "repeated",
            None,
            b,
            order_key,
            f"a loop: {b.label} {b.times} times in a row in B, never in A",
            Weight.EXPLAINS,
        )
    if b.signature.has_failed and not b.success_count:
        return Divergence("error", None, b, order_key, f"{b.label} failed in B; A never called it here", Weight.ANSWER)
    if b.signature.effect is Effect.HANDS_OVER:
        return Divergence("extra", None, b, order_key, f"B handed over ({b.label}), A did not", Weight.MAY_EXPLAIN)
    if b.changes_state:
        return Divergence("extra", None, b, order_key, f"B changed state with {b.label}; A never did", Weight.EXPLAINS)
    return Divergence("extra", None, b, order_key, f"B also called {b.label}; it only reads", Weight.TEXT)


def classify_moved(a: StepGroup, b: StepGroup, order_key: tuple[int, int, int]) -> Divergence:
    """Return the divergence of a call that is in another place."""
    weight = Weight.MAY_EXPLAIN if a.changes_state and b.changes_state else Weight.TEXT
    return Divergence("moved", a, b, order_key, f"{b.label} is the same call, in another place", weight)


def merge_neighbours(divergences: Sequence[Divergence]) -> Iterator[Divergence]:
    """Merge neighbours of one kind and label. Many calls in a row that only B has are a loop."""
    open_merged: dict[tuple[str, str, str, bool], Divergence] = {}
    for divergence in divergences:
        is_mergeable = divergence.kind in ("extra", "missing") and divergence.weight is not Weight.EXPLAINS
        if not is_mergeable:
            if divergence.group.is_call:
                yield from _close_merged(open_merged)
            yield divergence
            continue
        key = (divergence.kind, divergence.group.label, divergence.group.step.event.agent_id, divergence.group.is_call)
        if divergence.group.is_call:
            yield from _close_merged(open_merged, kept_key=key)
        if key in open_merged:
            open_merged[key].further_groups.append(divergence.group)
        else:
            open_merged[key] = divergence
    yield from _close_merged(open_merged)


def _close_merged(
    open_merged: dict[tuple[str, str, str, bool], Divergence], kept_key: tuple[str, str, str, bool] | None = None
) -> Iterator[Divergence]:
    for key in [key for key in open_merged if key != kept_key and (kept_key is None or key[3])]:
        yield _describe_merged(open_merged.pop(key))


def _describe_merged(divergence: Divergence) -> Divergence:
    if divergence.kind == "extra" and divergence.group.is_call and divergence.count >= MIN_LOOP_CALLS:
        divergence.kind, divergence.weight = "repeated", Weight.MAY_EXPLAIN
        is_same_call = len({group.signature.call_hash for group in (divergence.group, *divergence.further_groups)}) == 1
        argument_text = "with the same arguments" if is_same_call else "each with other arguments"
        divergence.why = f"{divergence.label} {divergence.count} times in a row in B, {argument_text}; not in A"
    elif divergence.further_groups:
        divergence.why = f"{divergence.why} ({divergence.count} times)"
    return divergence
