"""Steps with their numbers, as `kshark why` and `kshark memory` show them: in the margin of text, or in JSON. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentlog.event.escape import escaped
from agentlog.formatting import counted
from agentlog.session.timeline import Step
from agentlog.terminal.output import Style, flowing, wrapped
from agentlog.text.step_text import Detail, Run, details, shown, word

from ..render import Look, detail_lines, own_lines, run_lines
from .chat_messages import as_messages

NAME = 9
WORDY = frozenset({"llm_call", "decision"})
VALUE_LINES = 3
"""What a model was given and said, and what else it might have done, may take so many lines."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """Writes steps with their numbers."""

    number: Mapping[Step, int]
    look: Look

    @property
    def margin(self) -> int:
        """The columns that a number takes, with what stands around it."""
        return len(str(len(self.number))) + 3

    def lines(self, item: Step | Run, told: Sequence[Detail], mark: str = " ") -> Iterator[str]:
        """A step's lines, or those of a run; ``mark`` stands before the number."""
        beside = replace(self.look, columns=self.look.columns - self.margin)
        first = item.first if isinstance(item, Run) else item
        number = f"{mark}{self.number[first]:>{self.margin - 3}}  "
        most = VALUE_LINES if first.kind in WORDY else 1
        lines = [*own_lines(first, beside), *detail_lines(first, told, beside, most)]
        yield self.look.paint(number, Style.STRONG if mark == ">" else Style.FAINT) + lines[0]
        yield from (" " * self.margin + line for line in lines[1:])
        if isinstance(item, Run):
            yield from (" " * self.margin + line for line in run_lines(item, beside))

    def skipped(self, steps: Sequence[Step]) -> str:
        """How many steps aren't shown, and of which kinds."""
        kinds = Counter(word(step) for step in steps)
        told = ", ".join(f"{name} {count}" for name, count in kinds.most_common(5))
        said = next(flowing([f"... {counted(len(steps), 'step')}: {escaped(told)}"], " ", self.look.columns - 8))
        return self.look.paint(" " * self.margin + said, Style.FAINT)

    def named(self, name: str, said: str, style: Style = Style.FAINT) -> Iterator[str]:
        """A name and what is to be said of it, wrapped."""
        first, *others = wrapped(escaped(said), self.look.columns - NAME)
        yield self.look.paint(f"{name:<{NAME}}", style) + first
        yield from (" " * NAME + line for line in others)


def told(step: Step, full: bool, known: object = None) -> list[Detail]:
    """The lines below a step; of the messages that a model was given the last, as they all begin alike."""
    found = list(details(step, full, known))
    messages = as_messages(step.event.payload.get("input")) if step.kind == "llm_call" and not full else None
    if not messages:
        return found
    last = messages[-1]
    said = f"{counted(len(messages), 'message')}, the last from {last['role']}: {shown(last.get('content') or '')}"
    return [detail._replace(text=said) if detail.key == "in" else detail for detail in found]


def steps_of(item: Step | Run) -> list[Step]:
    """The steps that an item of a folded row stands for."""
    return [item.first, *item.others] if isinstance(item, Run) else [item]


def named_step(step: Step, number: Mapping[Step, int]) -> dict[str, Any]:
    """The members of a JSON document that say which step is meant."""
    return {"step": number[step], "event_id": step.event.event_id, "kind": step.kind, "label": step.label}
