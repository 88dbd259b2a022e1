"""Divergences: places where two aligned timelines differ, and whether that can explain an outcome. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from ..align.payload_diff import Change
from ..align.step_groups import Move
from ..reading.side_effects import Effect

LOOP = 5
"""Done so often in a row, and three times as often as on the other side, a call is a loop."""
MANY = 20
"""So many calls of one tool in a row that the other side hasn't got may be a loop, whatever they are given."""


class Weight(IntEnum):
    """How far a divergence explains an outcome."""

    TEXT = 0
    ANSWER = 1
    MAY = 2
    EXPLAINS = 3


@dataclass(slots=True, eq=False)
class Divergence:
    """A place where two sessions differ.

    Attributes:
        kind: ``changed``, ``extra`` (in B alone), ``missing`` (in A alone), ``moved``, ``repeated``, ``ended`` or
            ``error``.
        at: where it stands in the order of both: B's index; what B misses stands behind the last that both have.
        why: what it means, one sentence.
        also: further moves that it holds, of the side that the first one is from.
    """

    kind: str
    a: Move | None
    b: Move | None
    at: tuple[int, int, int]
    why: str
    weight: Weight
    changes: Sequence[Change] = ()
    also: list[Move] = field(default_factory=list)

    @property
    def move(self) -> Move:
        """B's move, or A's where B has none."""
        found = self.b or self.a
        if found is None:
            raise TypeError("a divergence of nothing")
        return found

    @property
    def shown_b(self) -> Move | None:
        """B's move as it is named: of a loop the first that A hasn't got."""
        if self.kind == "repeated" and self.a is not None and self.b is not None:
            return [self.b, *self.b.again][min(self.a.times, len(self.b.again))]
        return self.b

    @property
    def label(self) -> str:
        """What it is about: a tool, a model, a kind."""
        return (self.a or self.move).label if self.kind in ("missing", "ended") else self.move.label

    @property
    def count(self) -> int:
        """How many moves of one side it holds, repetitions too."""
        return sum(move.times for move in (self.move, *self.also))


def both(  # noqa: PLR0911  one case a line
    a: Move, b: Move, given: list[Change], answered: list[Change], at: tuple[int, int, int]
) -> Divergence | None:
    """What two moves that answer to each other differ in; None where in nothing that matters."""
    if not a.is_call:
        return _said(a, b, given + answered, at)
    if b.step.is_open and not a.step.is_open:
        weight = Weight.EXPLAINS if b.changes_state else Weight.MAY
        return Divergence("error", a, b, at, f"{b.label} never came back in B; in A it did", weight, given)
    if a.succeeded and not b.succeeded and b.sketch.failed:
        why = f"{b.label} failed in B and never succeeded there; in A it did"
        return Divergence("error", a, b, at, why, Weight.EXPLAINS, [*given, *answered])
    found = _repeated(a, b, at)
    if found is not None and (found.weight is Weight.EXPLAINS or not (given or answered)):
        found.changes = [*given, *answered]
        return found
    if given or a.label != b.label or a.kind != b.kind:
        return _changed(a, b, [*given, *answered], at)
    if answered:
        return _answered(a, b, answered, at)
    return found


def _said(a: Move, b: Move, found: list[Change], at: tuple[int, int, int]) -> Divergence | None:
    if not found:
        return None
    if a.kind == "delegation_result":
        failed = b.sketch.failed and not a.sketch.failed
        why = f"{b.label} came back with {'an error' if failed else 'another result'}"
        return Divergence("error" if failed else "changed", a, b, at, why, Weight.EXPLAINS, found)
    if a.kind == "session_start":
        return Divergence("changed", a, b, at, "B was asked for something else", Weight.MAY, found)
    why = {"session_end": "it ended otherwise", "decision": "it decided otherwise"}.get(
        a.kind, "it says something else"
    )
    return Divergence("changed", a, b, at, why, Weight.TEXT, found)


def _changed(a: Move, b: Move, found: list[Change], at: tuple[int, int, int]) -> Divergence:
    swapped = a.label != b.label or a.kind != b.kind
    if swapped:
        found = [Change("payload.tool", a.label, b.label), *found]
    changes_state = a.changes_state or b.changes_state
    worded = not swapped and all(each.is_text for each in found if each.path.startswith("payload.input"))
    what = f"{b.label} in place of {a.label}" if swapped else f"{b.label} with other arguments"
    if a.sketch.failed and b.sketch.failed and not b.succeeded and not a.succeeded:
        return Divergence("changed", a, b, at, f"{what}; it failed on both sides", Weight.ANSWER, found)
    if worded:
        return Divergence(
            "changed", a, b, at, f"{b.label} was given a text that says something else", Weight.ANSWER, found
        )
    if changes_state:
        where = "where A's call failed" if not a.succeeded else "where A did otherwise"
        return Divergence("changed", a, b, at, f"B changed state {where}: {what}", Weight.EXPLAINS, found)
    return Divergence("changed", a, b, at, f"B called {what}", _read(a, b), found)


def _read(*moves: Move) -> Weight:
    """A read may explain what came of it; a thought says something, and no more."""
    return Weight.ANSWER if any(move.is_thought for move in moves) else Weight.MAY


def _answered(a: Move, b: Move, found: list[Change], at: tuple[int, int, int]) -> Divergence:
    if b.succeeded and not a.succeeded and a.sketch.failed:
        weight = Weight.EXPLAINS if b.changes_state else Weight.TEXT
        return Divergence("changed", a, b, at, f"{b.label} went through in B; in A it failed", weight, found)
    if not a.succeeded and not b.succeeded:
        return Divergence(
            "changed", a, b, at, f"{b.label} failed on both sides, for another reason", Weight.ANSWER, found
        )
    return Divergence("changed", a, b, at, f"{b.label} got another answer", Weight.ANSWER, found)


def _repeated(a: Move, b: Move, at: tuple[int, int, int]) -> Divergence | None:
    if a.times == b.times:
        return None
    what = f"{b.label} {b.times} times in a row in B, {a.times} in A"
    if (a.changes_state or b.changes_state) and a.succeeded != b.succeeded and b.succeeded and a.succeeded:
        return Divergence(
            "repeated", a, b, at, f"{what}: it changed state {b.succeeded} times, not {a.succeeded}", Weight.EXPLAINS
        )
    if b.times >= max(LOOP, 3 * a.times):
        failures = b.times - b.succeeded
        told = f", {failures} of them failed" if failures else ""
        return Divergence("repeated", a, b, at, f"a loop: {what}{told}", Weight.EXPLAINS)
    return Divergence("repeated", a, b, at, what, Weight.ANSWER)


def missing(a: Move, at: tuple[int, int, int]) -> Divergence:
    """What A has and B has not."""
    if not a.is_call:
        return Divergence("missing", a, None, at, "B says nothing of the kind", Weight.TEXT)
    if not a.succeeded:
        return Divergence("missing", a, None, at, f"{a.label}, which failed in A, is not in B", Weight.ANSWER)
    if a.sketch.effect is Effect.HANDS_OVER:
        return Divergence("missing", a, None, at, f"A handed over ({a.label}), B did not", Weight.MAY)
    if a.changes_state:
        return Divergence("missing", a, None, at, f"A changed state with {a.label}; B never did", Weight.EXPLAINS)
    return Divergence("missing", a, None, at, f"B never called {a.label} for this", _read(a))


def extra(b: Move, at: tuple[int, int, int]) -> Divergence:  # noqa: PLR0911  one case a line
    """What B has and A has not."""
    if b.kind == "error":
        return Divergence("error", None, b, at, "an error in B that A doesn't have", Weight.MAY)
    if b.kind == "delegation_result" and b.sketch.failed:
        return Divergence("error", None, b, at, f"{b.label} came back with an error", Weight.MAY)
    if not b.is_call:
        return Divergence("extra", None, b, at, "A says nothing of the kind", Weight.TEXT)
    if b.times >= LOOP:
        return Divergence(
            "repeated", None, b, at, f"a loop: {b.label} {b.times} times in a row in B, never in A", Weight.EXPLAINS
        )
    if b.sketch.failed and not b.succeeded:
        return Divergence("error", None, b, at, f"{b.label} failed in B; A never called it here", Weight.ANSWER)
    if b.sketch.effect is Effect.HANDS_OVER:
        return Divergence("extra", None, b, at, f"B handed over ({b.label}), A did not", Weight.MAY)
    if b.changes_state:
        return Divergence("extra", None, b, at, f"B changed state with {b.label}; A never did", Weight.EXPLAINS)
    return Divergence("extra", None, b, at, f"B called {b.label} besides; it only reads", Weight.TEXT)


def moved(a: Move, b: Move, at: tuple[int, int, int]) -> Divergence:
    """The same call in another place."""
    weight = Weight.MAY if a.changes_state and b.changes_state else Weight.TEXT
    return Divergence("moved", a, b, at, f"{b.label} is the same call, in another place", weight)


def grouped(divergences: Sequence[Divergence]) -> Iterator[Divergence]:
    """Neighbours of one kind and label become one; many calls in a row that only B has are a loop."""
    open_groups: dict[tuple[str, str, str, bool], Divergence] = {}
    for found in divergences:
        lone = found.kind in ("extra", "missing") and found.weight is not Weight.EXPLAINS
        if not lone:
            if found.move.is_call:
                yield from _closed(open_groups)
            yield found
            continue
        key = (found.kind, found.move.label, found.move.step.event.agent_id, found.move.is_call)
        if found.move.is_call:
            yield from _closed(open_groups, but=key)
        if key in open_groups:
            open_groups[key].also.append(found.move)
        else:
            open_groups[key] = found
    yield from _closed(open_groups)


def _closed(
    groups: dict[tuple[str, str, str, bool], Divergence], but: tuple[str, str, str, bool] | None = None
) -> Iterator[Divergence]:
    for key in [key for key in groups if key != but and (but is None or key[3])]:
        yield _judged_as_one(groups.pop(key))


def _judged_as_one(found: Divergence) -> Divergence:
    if found.kind == "extra" and found.move.is_call and found.count >= MANY:
        found.kind, found.weight = "repeated", Weight.MAY
        alike = len({move.sketch.act for move in (found.move, *found.also)}) == 1
        how = "with the same arguments" if alike else "each with other arguments"
        found.why = f"{found.label} {found.count} times in a row in B, {how}; not in A"
    elif found.also:
        found.why = f"{found.why} ({found.count} times)"
    return found
