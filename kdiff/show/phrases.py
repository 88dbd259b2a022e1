"""A move, a divergence and a difference in words, whatever they are then written as. Renderers must escape the text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from agentlog.event.event import Record, number
from agentlog.formatting import counted
from agentlog.session.step import Step
from agentlog.text.step_text import headline, shown, word

from ..align.payload_compare import Payloads
from ..align.payload_diff import ABSENT, Change
from ..align.step_groups import Move
from ..judge.compare import Comparison
from ..judge.divergence import Divergence
from ..reading.side_effects import Effect

LONGEST = 2_000
MARKS = {"changed": "~", "moved": "~", "error": "~", "repeated": "~", "extra": ">", "missing": "<", "ended": "<"}


class Told(NamedTuple):
    """A move in words.

    Attributes:
        place: its number in its timeline; of a loop, from which to which.
        word: what it is: ``tool``, ``llm``, ``decision``.
        text: what it did or said, in one line.
        because: the reasoning, where it has one.
    """

    place: str
    word: str
    text: str
    because: str


class Row(NamedTuple):
    """A line of two columns: what both have, or what one of them has; and the divergence that stands there."""

    a: Told | None
    b: Told | None
    divergence: Divergence | None


@dataclass(frozen=True, slots=True)
class Words:
    """Puts moves of one comparison into words."""

    payloads: Payloads

    def whole(self, move: Move) -> Step:
        """A move's step with its event whole."""
        event = self.payloads.event(move)
        return replace(move.step, record=Record(event, move.sketch.place, b""))

    def told(self, move: Move, times: int = 0) -> Told:
        """A move in words. ``times``: how often it was done, when more than the move itself knows."""
        step = self.whole(move)
        place = str(move.index)
        many = max(times, move.times)
        text = " ".join(filter(None, [headline(step), f"x{many}" if many > 1 else "", _failed(step), _given(step)]))
        return Told(place, word(step), _one_line(text), self.because(move))

    def because(self, move: Move) -> str:
        """Why a move was made, in the model's own words, with its confidence; empty when it says nothing."""
        step = self.whole(move)
        said = step.event.context.get("reasoning")
        reason = shown(said) if said not in (None, "") else ""
        if not reason and move.kind == "llm_call":
            reason = shown(step.event.payload.get("output") or "")
        if not reason and move.is_thought:
            given = step.event.payload.get("input")
            reason = shown(next(iter(given.values()), "") if isinstance(given, dict) else given or "")
        confidence = step.event.context.get("confidence")
        sure = f" (confidence {confidence:g})" if reason and number(confidence) is not None else ""
        return _one_line(reason) + sure

    def rows(self, compared: Comparison) -> Iterator[Row]:
        """All moves in the order of both, what is held by a divergence of several folded into its first."""
        at = {id(d.b or d.a): d for d in compared.divergences if d.kind != "ended"}
        ends = {id(d.a): d for d in compared.divergences if d.kind == "ended"}
        held = {id(move) for d in compared.divergences for move in d.also}
        for pair in compared.pairs:
            move = pair.b or pair.a
            if move is None or id(move) in held or (pair.b is None and id(pair.a) in held):
                continue
            divergence = ends.get(id(pair.a)) or at.get(id(move))
            times = divergence.count if divergence is not None and divergence.also and divergence.kind != "ended" else 0
            yield Row(
                self.told(pair.a, times if pair.b is None else 0) if pair.a is not None else None,
                self.told(pair.b, times) if pair.b is not None else None,
                divergence,
            )


def _given(step: Step) -> str:
    value = step.event.payload.get("input") if step.kind == "tool_call" else None
    return shown(value) if value not in (None, "", {}, []) else ""


def _failed(step: Step) -> str:
    error = step.event.payload.get("error")
    return f"failed: {shown(error)}" if error and step.kind in ("tool_call", "llm_call", "retrieval") else ""


def _one_line(text: str) -> str:
    return " ".join(text[:LONGEST].split())


def value_text(value: Any) -> str:
    """A value in a difference; an absent one says so."""
    return "(absent)" if value is ABSENT else _one_line(shown(value))


def place(divergence: Divergence) -> str:
    """Where a divergence stands: ``A 10, B 13 to 175``."""
    a = f"A {divergence.a.index}" if divergence.a is not None else ""
    b = divergence.shown_b
    ends = [move.index for move in ([b, *b.again, *divergence.also] if b and divergence.kind == "repeated" else [])]
    span = f" to {max(ends)}" if len(ends) > 1 else ""
    return ", ".join(filter(None, [a, f"B {b.index}{span}" if b is not None else ""]))


def links(decisive: Divergence | None, chain: Sequence[Move], ending: str) -> Iterator[str]:
    """The chain's moves, each with its number and its name."""
    for move in chain:
        times = decisive.count if decisive is not None and move is decisive.shown_b else move.times
        label = move.label if move.is_call else ending if move.kind == "session_end" else move.kind.replace("_", " ")
        yield f"{move.index} {label}" + (f" x{times}" if times > 1 else "")


def rule(divergence: Divergence) -> str:
    """By which rule a call counts as changing state, where that matters; else empty."""
    move = divergence.b if divergence.b is not None and divergence.b.is_call else divergence.a
    if move is None or not move.is_call or move.sketch.effect is Effect.TELLS:
        return ""
    return f"{move.label} {move.sketch.effect.value}: {move.sketch.rule}"


def first_changes(changes: Sequence[Change], most: int) -> Iterator[Change]:
    """The differences that say most: what was given before what was answered; none that repeats another."""
    given = [c for c in changes if not c.path.startswith(("payload.output", "payload.documents"))]
    yield from (given or list(changes))[:most]


def kinds(divergences: Sequence[Divergence], worded: int) -> str:
    """How many divergences of each kind, in one line."""
    names = {
        "changed": "changed",
        "extra": "extra in B",
        "missing": "missing in B",
        "moved": "moved",
        "ended": "ended early",
    }
    names |= {"repeated": "repeated", "error": "failed in B"}
    count = Counter(names.get(each.kind, each.kind) for each in divergences)
    told = [f"{number:,} {name}" for name, number in count.most_common()]
    if worded:
        told.append(counted(worded, "text worded otherwise", "texts worded otherwise"))
    return ", ".join(told)
