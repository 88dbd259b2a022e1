"""One-line texts of events, for `kshark tail`. Pure."""

from dataclasses import dataclass
from datetime import date
from zlib import crc32

from agentlog.event.escape import join_lines
from agentlog.event.event import to_datetime
from agentlog.session.timeline import Step
from agentlog.terminal.style import Paint, Style
from agentlog.terminal.text_width import cell_width, clip_text, elide_middle
from agentlog.text.step_text import KINDS_WITH_ERROR_IN_HEADLINE, format_payload_value, get_step_word

from ..view.layout import choose_word_style
from ..view.step_lines import fit_headline

SESSION_COLOURS = ("32", "33", "34", "35", "36", "92", "93", "94", "95", "96")
"""The terminal's colours without red, which marks errors."""
WIDE_COLUMNS, NARROW_COLUMNS = 100, 60


def choose_colour(session_id: str) -> str:
    """Return the colour of a session, which is always the same."""
    return SESSION_COLOURS[crc32(session_id.encode()) % len(SESSION_COLOURS)]


@dataclass
class EventLineFormatter:
    """A formatter of events as lines of a terminal.

    Attributes:
        columns: the width of the terminal.
        today: events of another day show their day.
        session_width: the width of the column of session ids, which grows with them up to a limit.
    """

    columns: int
    paint: Paint
    today: date
    session_width: int = 8

    def format_event(self, step: Step) -> str:
        """Return the line of an event, no wider than the terminal."""
        session = self._format_session(step.event.session_id)
        cells = [self._format_time(step), session]
        if self.columns >= WIDE_COLUMNS:
            cells.append(_pad(elide_middle(step.event.agent_id, 18), 18))
        name = _pad(clip_text(get_step_word(step), 9), 9)
        room = self.columns - sum(cell_width(part) + 2 for part in [*cells, name])
        painted = [
            self.paint(cells[0], Style.FAINT),
            self.paint(session, choose_colour(step.event.session_id)),
            *cells[2:],
        ]
        return "  ".join([*painted, self.paint(name, choose_word_style(step)), self._format_text(step, room)]).rstrip()

    def _format_time(self, step: Step) -> str:
        recorded, is_narrow = to_datetime(step.recorded), self.columns < NARROW_COLUMNS
        if recorded.date() == self.today:
            return f"{recorded:%H:%M:%S}" if is_narrow else f"{recorded:%H:%M:%S.%f}"[:12]
        return f"{recorded:%m-%d}   " if is_narrow else f"{recorded:%m-%d %H:%M} "

    def _format_session(self, session_id: str) -> str:
        """Return a session's id; a long id keeps its end, where ids differ."""
        max_width = 12 if self.columns < NARROW_COLUMNS else 24
        text = clip_text(session_id, len(session_id) * 6)
        if cell_width(text) > max_width:
            text = ".." + text[-(max_width - 2) :] if text.isascii() else elide_middle(session_id, max_width)
        self.session_width = max(self.session_width, cell_width(text))
        return _pad(text, self.session_width)

    def _format_text(self, step: Step, room: int) -> str:
        room = max(room, 4)
        detail = _choose_detail(step)
        behind = f"  {join_lines(detail[: room * 4])}" if detail and step.error is not None else ""
        text = clip_text(join_lines(fit_headline(step, behind, room)[: room * 4]), room)
        detail_width = room - cell_width(text) - 2
        if not detail or detail_width < 8:
            return text
        style = Style.BAD if step.error is not None else Style.FAINT
        return f"{text}  {self.paint(clip_text(join_lines(detail[: detail_width * 4]), detail_width), style)}"


def _choose_detail(step: Step) -> str:
    """Return the error, else the input of a tool call, else an empty text."""
    if step.kind in KINDS_WITH_ERROR_IN_HEADLINE:
        return ""
    value = step.error if step.error is not None else step.event.payload.get("input")
    return format_payload_value(value) if step.error is not None or (step.kind == "tool_call" and value) else ""


def _pad(text: str, columns: int) -> str:
    return text + " " * (columns - cell_width(text))
