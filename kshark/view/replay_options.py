"""The options of replay: the steps to show, and their format."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from agentlog.session.timeline import Step
from agentlog.terminal.output import get_width
from agentlog.terminal.style import choose_paint, paint_plain
from agentlog.text.step_text import get_step_word

from .layout import Layout


@dataclass(frozen=True)
class ReplayOptions:
    """Filters for steps, and options for the output."""

    types: Sequence[str] = ()
    agents: Sequence[str] = ()
    errors: bool = False
    format: str = "text"
    full: bool = False
    max_chars: int | None = None
    pager: bool = True

    def matches(self, step: Step) -> bool:
        """Return whether a step passes the filters. A type is an event type, or the word that the text shows for it."""
        by_type = not self.types or not {step.kind, step.event.event_type, get_step_word(step)}.isdisjoint(self.types)
        by_agent = not self.agents or step.event.agent_id in self.agents
        return by_type and by_agent and (not self.errors or (step.error is not None and step.kind != "session_end"))

    def make_layout(self, began: int, steps: int) -> Layout:
        """Return the layout for standard output; ``began`` is in microseconds, ``steps`` the largest step number."""
        is_for_terminal = self.format in ("text", "tree")
        return Layout(
            get_width(),
            choose_paint(sys.stdout) if is_for_terminal else paint_plain,
            began,
            steps,
            self.full,
            self.max_chars,
        )
