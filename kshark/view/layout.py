"""The layout of a timeline's text: columns, colours, and the length of values."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from agentlog.formatting import format_duration
from agentlog.terminal.style import Paint, Style
from agentlog.terminal.text_width import clip_text

if TYPE_CHECKING:  # a list of sessions takes its columns from here, and needs no timeline
    from agentlog.session.timeline import Lane, Step

OUTCOME_STYLES = {"succeeded": Style.GOOD, "failed": Style.BAD, "cancelled": Style.NOTICE}
WORD_STYLES = {"user": Style.STRONG, "agent": Style.STRONG, "decision": Style.NOTICE, "error": Style.BAD}
DETAIL_STYLES = {"because": Style.NOTICE, "error": Style.BAD}
MAX_DEPTH_SHOWN = 8
MIN_VALUE_WIDTH = 10
NARROW_COLUMNS = 60
WORD_WIDTH = 11


@dataclass(frozen=True)
class Layout:
    """The layout of a timeline's text.

    Attributes:
        columns: the width of the terminal.
        paint: colours a text.
        began_us: the session's start, in microseconds since the epoch.
        step_count: the largest step number; 0 to show no numbers.
        is_full: whether to show every step with all that it recorded, uncut.
        max_chars: the most characters of a value, wrapped; 0 for all, None for what fits on its line.
    """

    columns: int
    paint: Paint
    began_us: int
    step_count: int = 0
    is_full: bool = False
    max_chars: int | None = None

    @property
    def limit(self) -> int | None:
        """The most characters of a value: None for what fits on a line, 0 for all."""
        return 0 if self.is_full and self.max_chars is None else self.max_chars

    @cached_property
    def is_narrow(self) -> bool:
        """Whether the time of day is left out, because less than 60 columns are left beside the numbers."""
        return self.columns - (self.digits + 2 if self.step_count else 0) < NARROW_COLUMNS

    @cached_property
    def times(self) -> int:
        """The width of a step's number and times."""
        return self.digits + (9 if self.is_narrow else 24) + (0 if not self.step_count else 1 if self.is_narrow else 2)

    @cached_property
    def digits(self) -> int:
        """The width of a step's number."""
        return len(str(self.step_count)) if self.step_count else 0

    def number(self, step: "Step | None") -> str:
        """Return the number of a step with the space behind it; without a step, space of the same width."""
        if not self.step_count:
            return ""
        return f"{step.number if step and step.number else '':>{self.digits}}{' ' if self.is_narrow else '  '}"

    def bars(self, lane: "Lane") -> str:
        """Return a bar for each delegation above a step, as far as there is room."""
        room = (self.columns - self.times - WORD_WIDTH - MIN_VALUE_WIDTH) // 2
        return "| " * min(lane.depth, MAX_DEPTH_SHOWN, max(room, 0))


def format_since(step: "Step", layout: Layout) -> str:
    """Return the time since the start, in at most ten columns; on a narrow terminal in eight."""
    seconds = (step.began - layout.began_us) / 1_000_000
    if layout.is_narrow and seconds >= 999.95:
        return (
            f"{seconds:,.0f} s" if seconds < 99_999.5 else clip_text(format_duration(step.began - layout.began_us), 8)
        )
    if seconds < 9_999.95:
        return f"{seconds:,.1f} s"
    return f"{seconds:,.0f} s" if seconds < 999_999.5 else clip_text(format_duration(step.began - layout.began_us), 10)


def choose_word_style(step: "Step") -> Style:
    """Return the style of a step's word."""
    from agentlog.text.step_text import get_step_word  # noqa: PLC0415  as above

    return Style.BAD if step.error is not None else WORD_STYLES.get(get_step_word(step), Style.NAME)
