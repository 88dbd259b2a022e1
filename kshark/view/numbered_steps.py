"""Numbered steps for `kshark why` and `kshark memory`, in text and JSON. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentlog.event.escape import escape_controls, split_lines
from agentlog.formatting import format_count
from agentlog.session.timeline import Step
from agentlog.terminal.style import Style
from agentlog.terminal.text_width import flow_items, wrap_text
from agentlog.text.step_text import CallRun, Detail, format_payload_value, get_step_word, list_details

from .chat_messages import parse_messages
from .layout import Layout
from .step_lines import MAX_WRAPPED_LINES, format_details, format_headline_lines, format_run, format_value_lines

NAME_WIDTH = 9
WORDY_KINDS = frozenset({"llm_call", "decision"})
MAX_VALUE_LINES = 3
"""The most lines for each value of a model call or a decision; values of other steps have one line."""


@dataclass(frozen=True, slots=True)
class NumberedStepWriter:
    """A writer of steps with their numbers in the left margin."""

    number: Mapping[Step, int]
    layout: Layout

    @property
    def margin(self) -> int:
        """The width of the margin: a mark, the number and two spaces."""
        return len(str(len(self.number))) + 3

    def render_step(self, item: Step | CallRun, step_details: Sequence[Detail], mark: str = " ") -> Iterator[str]:
        """Yield the lines of a step or a run; ``mark`` stands before the number."""
        inner_layout = replace(self.layout, columns=self.layout.columns - self.margin)
        first = item.first if isinstance(item, CallRun) else item
        number = f"{mark}{self.number[first]:>{self.margin - 3}}  "
        max_lines = MAX_VALUE_LINES if first.kind in WORDY_KINDS else 1
        lines = [
            *format_headline_lines(first, inner_layout),
            *format_details(first, step_details, inner_layout, max_lines),
        ]
        yield self.layout.paint(number, Style.STRONG if mark == ">" else Style.FAINT) + lines[0]
        yield from (" " * self.margin + line for line in lines[1:])
        if isinstance(item, CallRun):
            yield from (" " * self.margin + line for line in format_run(item, inner_layout))

    def render_skipped(self, steps: Sequence[Step]) -> str:
        """Return a line that says how many steps are skipped, and of which kinds."""
        kinds = Counter(get_step_word(step) for step in steps)
        kind_counts = ", ".join(f"{name} {count}" for name, count in kinds.most_common(5))
        summary = next(
            flow_items(
                [f"... {format_count(len(steps), 'step')}: {escape_controls(kind_counts)}"],
                " ",
                self.layout.columns - 8,
            )
        )
        return self.layout.paint(" " * self.margin + summary, Style.FAINT)

    def render_named(self, name: str, text: str, style: Style = Style.FAINT) -> Iterator[str]:
        """Yield a name and its text, wrapped; a text of several lines is shortened like a value."""
        room = self.layout.columns - NAME_WIDTH
        lines = wrap_text(escape_controls(text), room)
        if len(split_lines(text)) > 1:
            lines = format_value_lines(Detail("", text), MAX_WRAPPED_LINES, room, self.layout)
        first, *others = lines
        yield self.layout.paint(f"{name:<{NAME_WIDTH}}", style) + first
        yield from (" " * NAME_WIDTH + line for line in others)


def describe_step(step: Step, full: bool, known_reasoning: object = None) -> list[Detail]:
    """Return the details below a step; of a model's input messages the last one, because the others repeat."""
    step_details = list(list_details(step, full, known_reasoning))
    messages = parse_messages(step.event.payload.get("input")) if step.kind == "llm_call" and not full else None
    if not messages:
        return step_details
    last = messages[-1]
    content = format_payload_value(last.get("content") or "")
    text = f"{format_count(len(messages), 'message')}, the last from {last['role']}: {content}"
    return [detail._replace(text=text, parts=()) if detail.key == "in" else detail for detail in step_details]


def list_steps(item: Step | CallRun) -> list[Step]:
    """Return the step, or all steps of a run."""
    return [item.first, *item.others] if isinstance(item, CallRun) else [item]


def build_step_reference(step: Step, number: Mapping[Step, int]) -> dict[str, Any]:
    """Return the fields of a JSON document that identify a step."""
    return {"step": number[step], "event_id": step.event.event_id, "kind": step.kind, "label": step.label}
