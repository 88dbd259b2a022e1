"""Steps with their numbers, as `kshark why` and `kshark memory` show them: in the margin of text, or in JSON. Pure."""

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
from .step_lines import MAX_WRAPPED_LINES, format_details, format_headline_of_step, format_run, format_value_lines

NAME_WIDTH = 9
WORDY_KINDS = frozenset({"llm_call", "decision"})
MAX_VALUE_LINES = 3
"""What a model was given and said, and what else it might have done, may take so many lines."""


@dataclass(frozen=True, slots=True)
class NumberedStepWriter:
    """Writes steps with their numbers."""

    number: Mapping[Step, int]
    layout: Layout

    @property
    def margin(self) -> int:
        """The columns that a number takes, with what stands around it."""
        return len(str(len(self.number))) + 3

    def render_step(self, item: Step | CallRun, step_details: Sequence[Detail], mark: str = " ") -> Iterator[str]:
        """A step's lines, or those of a run; ``mark`` stands before the number."""
        inner_layout = replace(self.layout, columns=self.layout.columns - self.margin)
        first = item.first if isinstance(item, CallRun) else item
        number = f"{mark}{self.number[first]:>{self.margin - 3}}  "
        max_lines = MAX_VALUE_LINES if first.kind in WORDY_KINDS else 1
        lines = [
            *format_headline_of_step(first, inner_layout),
            *format_details(first, step_details, inner_layout, max_lines),
        ]
        yield self.layout.paint(number, Style.STRONG if mark == ">" else Style.FAINT) + lines[0]
        yield from (" " * self.margin + line for line in lines[1:])
        if isinstance(item, CallRun):
            yield from (" " * self.margin + line for line in format_run(item, inner_layout))

    def render_skipped(self, steps: Sequence[Step]) -> str:
        """How many steps aren't shown, and of which kinds."""
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
        """A name and what is to be said of it, wrapped; of several lines as many as of a value."""
        room = self.layout.columns - NAME_WIDTH
        lines = wrap_text(escape_controls(text), room)
        if len(split_lines(text)) > 1:
            lines = format_value_lines(Detail("", text), MAX_WRAPPED_LINES, room, self.layout)
        first, *others = lines
        yield self.layout.paint(f"{name:<{NAME_WIDTH}}", style) + first
        yield from (" " * NAME_WIDTH + line for line in others)


def describe_step(step: Step, full: bool, known_reasoning: object = None) -> list[Detail]:
    """The lines below a step; of the messages that a model was given the last, as they all begin alike."""
    step_details = list(list_details(step, full, known_reasoning))
    messages = parse_messages(step.event.payload.get("input")) if step.kind == "llm_call" and not full else None
    if not messages:
        return step_details
    last = messages[-1]
    text = f"{format_count(len(messages), 'message')}, the last from {last['role']}: {format_payload_value(last.get('content') or '')}"
    return [detail._replace(text=text, parts=()) if detail.key == "in" else detail for detail in step_details]


def list_steps(item: Step | CallRun) -> list[Step]:
    """The steps that an item of a folded row stands for."""
    return [item.first, *item.others] if isinstance(item, CallRun) else [item]


def build_step_reference(step: Step, number: Mapping[Step, int]) -> dict[str, Any]:
    """The members of a JSON document that say which step is meant."""
    return {"step": number[step], "event_id": step.event.event_id, "kind": step.kind, "label": step.label}
