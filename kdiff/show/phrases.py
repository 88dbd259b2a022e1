"""Steps, divergences and changes in words, for all formats. Renderers must escape the text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from rapidfuzz.distance import Prefix

from agentlog.event.event import parse_amount
from agentlog.formatting import format_count, shorten_name
from agentlog.session.step import Step
from agentlog.text.condensed_value import condense_value
from agentlog.text.step_text import format_headline, format_payload_value, get_step_word

from ..align.payload_compare import Payloads
from ..align.payload_diff import ABSENT, Change
from ..align.step_groups import StepGroup
from ..judge.compare import Comparison
from ..judge.divergence import Divergence
from ..judge.root_cause import RootCause
from ..reading.normalize import to_text
from ..reading.side_effects import Effect

MAX_TEXT_CHARS = 2_000
"""Longer texts are cut."""
MARKS = {"changed": "~", "moved": "~", "error": "~", "repeated": "~", "extra": ">", "missing": "<", "ended": "<"}


class StepText(NamedTuple):
    """A step in words.

    Attributes:
        position: its number in the timeline; for a loop, the first and the last number.
        word: its kind in one word: ``tool``, ``llm``, ``decision``.
        text: its action or message, in one line.
        reasoning: the reasoning; empty if it has none.
    """

    position: str
    word: str
    text: str
    reasoning: str


class Row(NamedTuple):
    """A row of two columns: the step of each side, None if a side has none; and the divergence there, if any."""

    a: StepText | None
    b: StepText | None
    divergence: Divergence | None


@dataclass(frozen=True, slots=True)
class StepDescriber:
    """Describes the steps of one comparison in words."""

    payloads: Payloads

    def load_step(self, group: StepGroup) -> Step:
        """Load a step with its whole event."""
        return self.payloads.load_step(group)

    def describe_step(self, group: StepGroup, times: int = 0) -> StepText:
        """Describe a step. ``times`` is the number of times that it was done, if it isn't that of the group."""
        step = self.load_step(group)
        position = str(group.index)
        count = times or group.times
        text = " ".join(
            filter(
                None,
                [format_headline(step), f"x{count}" if count > 1 else "", _describe_error(step), _describe_input(step)],
            )
        )
        return StepText(position, get_step_word(step), _to_one_line(text), self.describe_reasoning(group))

    def describe_sides(self, divergence: Divergence) -> Iterator[tuple[str, StepText | None]]:
        """Yield the step of A and that of B, None if a side has none. For a missing call stands what B did instead."""
        yield "A", self.describe_step(divergence.a) if divergence.a is not None else None
        shown_b = divergence.shown_b or divergence.alternative
        if shown_b is None:
            yield "B", None
            return
        step_text = self.describe_step(shown_b, divergence.count_b if divergence.kind == "repeated" else 0)
        yield "B", step_text._replace(position=describe_position(divergence, is_b_alone=True) or step_text.position)

    def describe_root(self, root_cause: RootCause) -> Iterator[tuple[str, StepText | None]]:
        """Yield the step of B that led to the decisive divergence, and that of A."""
        for name, group in (("B", root_cause.b), ("A", root_cause.a)):
            yield name, self.describe_step(group) if group is not None else None

    def describe_reasoning(self, group: StepGroup) -> str:
        """Return the model's reasoning for a step, with its confidence; empty if there is none."""
        step = self.load_step(group)
        recorded_reasoning = step.event.context.get("reasoning")
        reason = format_payload_value(recorded_reasoning) if recorded_reasoning not in (None, "") else ""
        if not reason and group.kind == "llm_call":
            reason = format_payload_value(step.event.payload.get("output") or "")
        if not reason and group.is_thought:
            arguments = step.event.payload.get("input")
            reason = format_payload_value(
                next(iter(arguments.values()), "") if isinstance(arguments, dict) else arguments or ""
            )
        confidence = step.event.context.get("confidence")
        confidence_text = f" (confidence {confidence:g})" if reason and parse_amount(confidence) is not None else ""
        return _to_one_line(reason) + confidence_text

    def build_rows(self, comparison: Comparison) -> Iterator[Row]:
        """Yield all steps in the order of both sessions. The steps of a merged divergence become one row."""
        divergence_by_group = {id(d.b or d.a): d for d in comparison.divergences if d.kind != "ended"}
        early_end_by_group = {id(d.a): d for d in comparison.divergences if d.kind == "ended"}
        merged_groups = {id(group) for d in comparison.divergences for group in d.further_groups}
        for pair in comparison.pairs:
            group = pair.b or pair.a
            if group is None or id(group) in merged_groups or (pair.b is None and id(pair.a) in merged_groups):
                continue
            divergence = early_end_by_group.get(id(pair.a)) or divergence_by_group.get(id(group))
            times = (
                divergence.count
                if divergence is not None and divergence.further_groups and divergence.kind != "ended"
                else 0
            )
            yield Row(
                self.describe_step(pair.a, times if pair.b is None else 0) if pair.a is not None else None,
                self.describe_step(pair.b, times) if pair.b is not None else None,
                divergence,
            )


def _describe_input(step: Step) -> str:
    value = step.event.payload.get("input") if step.kind == "tool_call" else None
    return format_payload_value(value) if value not in (None, "", {}, []) else ""


def _describe_error(step: Step) -> str:
    error = step.error
    return (
        f"failed: {format_payload_value(error)}"
        if error is not None and step.kind in ("tool_call", "llm_call", "retrieval")
        else ""
    )


def _to_one_line(text: str) -> str:
    return " ".join(text[:MAX_TEXT_CHARS].split())


def format_change(change: Change, max_chars: int = MAX_TEXT_CHARS) -> tuple[str, str]:
    """Format both values of a change, so that the difference is seen; ``(absent)`` if a side has none.

    Values of different types, and values that would look alike or like nothing, are written as JSON. Of longer values
    than ``max_chars``, the start that both have is left out.
    """
    a, b = _format_plain(change.a), _format_plain(change.b)
    is_one_text = isinstance(change.a, str) != isinstance(change.b, str)
    if not a or not b or a.split() == b.split() or (is_one_text and _is_scalar(change.a, change.b)):
        a, b = (_format_json(value) for value in (change.a, change.b))
    if a == b:  # two pictures of one kind and size
        a, b = (f"{mark} {_hash(value)}" for mark, value in ((a, change.a), (b, change.b)))
    if max(len(a), len(b)) > max_chars:
        a, b = skip_common_start(a, b, max_chars)
    return _to_one_line(a), _to_one_line(b)


def skip_common_start(a: str, b: str, columns: int) -> tuple[str, str]:
    """Cut the start that two long texts share, except a few characters before the first difference."""
    common_length = Prefix.similarity(a, b)
    start = max(common_length - columns // 3, 0)
    before = "..." if start else ""
    return before + a[start:], before + b[start:]


def _hash(value: Any) -> str:
    return f"sha256 {sha256(to_text(value).encode(errors='surrogatepass')).hexdigest()[:8]}"


def _format_plain(value: Any) -> str:
    return "(absent)" if value is ABSENT else format_payload_value(value)


def _format_json(value: Any) -> str:
    """Format a value as JSON. Spaces that would melt into one are escaped."""
    if value is ABSENT:
        return "(absent)"
    return to_text([condense_value(value)])[1:-1].replace("  ", " \\u0020")


def _is_scalar(*values: Any) -> bool:
    return all(not isinstance(value, dict | list) and value is not ABSENT for value in values)


def describe_position(divergence: Divergence, *, is_b_alone: bool = False) -> str:
    """Return the step numbers of a divergence: ``A 10, B 13 to 175``, or ``A 3, B after 2`` if B lacks the step."""
    b = divergence.shown_b
    indexes = [
        group.index
        for group in ([b, *b.repeats, *divergence.further_groups] if b and divergence.kind == "repeated" else [])
    ]
    range_text = f" to {max(indexes)}" if len(indexes) > 1 else ""
    position_b = f"{b.index}{range_text}" if b is not None else ""
    if is_b_alone:
        return position_b
    if divergence.kind == "missing":
        position_b = f"after {divergence.order_key[0]}" if divergence.order_key[0] else "before 1"
    a = f"A {divergence.a.index}" if divergence.a is not None else ""
    return ", ".join(filter(None, [a, f"B {position_b}" if position_b else ""]))


def describe_chain(decisive: Divergence | None, chain: Sequence[StepGroup], ending: str) -> Iterator[str]:
    """Yield the steps of the chain, each with its number and its name."""
    for group in chain:
        times = decisive.count_b if decisive is not None and group is decisive.shown_b else group.times
        label = (
            shorten_name(group.label)
            if group.is_call
            else ending
            if group.kind == "session_end"
            else shorten_name(group.kind.replace("_", " "))
        )
        yield f"{group.index} {label}" + (f" x{times}" if times > 1 else "")


def describe_rule(divergence: Divergence) -> str:
    """Return the effect of the call and the rule that says so; empty if the step is no call."""
    group = divergence.b if divergence.b is not None and divergence.b.is_call else divergence.a
    if group is None or not group.is_call or group.signature.effect is Effect.TELLS:
        return ""
    return f"{shorten_name(group.label)} {group.signature.effect.value}: {group.signature.rule}"


def select_changes(changes: Sequence[Change], max_count: int) -> Iterator[Change]:
    """Yield the most important changes: those in the arguments, or those in the result if there are no others."""
    input_changes = [
        change for change in changes if not change.path.startswith(("payload.output", "payload.documents"))
    ]
    yield from (input_changes or list(changes))[:max_count]


def summarize_kinds(divergences: Sequence[Divergence], reworded_count: int) -> str:
    """Return the number of divergences of each kind, in one line."""
    names = {
        "changed": "changed",
        "extra": "extra in B",
        "missing": "missing in B",
        "moved": "moved",
        "ended": "ended early",
    }
    names |= {"repeated": "repeated", "error": "failed in B"}
    count = Counter(names.get(divergence.kind, divergence.kind) for divergence in divergences)
    parts = [f"{number:,} {name}" for name, number in count.most_common()]
    if reworded_count:
        parts.append(format_count(reworded_count, "reworded text", "reworded texts"))
    return ", ".join(parts)
