"""An event of any session in one line. Pure."""

from dataclasses import dataclass
from datetime import date
from zlib import crc32

from agentlog.session.timeline import Step
from agentlog.terminal.output import Paint, Style, cell_width, clipped
from agentlog.text.step_text import TELL_THEIR_ERROR, headline, shown, word

from ..render import moment, word_style

TINTS = ("32", "33", "34", "35", "36", "92", "93", "94", "95", "96")
"""The terminal's own colours but for red, which is what went wrong."""
WIDE, NARROW = 100, 60


def tint(session_id: str) -> str:
    """The colour of a session, always the same one."""
    return TINTS[crc32(session_id.encode()) % len(TINTS)]


@dataclass
class EventLines:
    """Writes events as lines of a terminal.

    Attributes:
        columns: of the terminal.
        today: events of other days show theirs.
        session_room: the columns that session ids take, as wide as the widest so far, within bounds.
    """

    columns: int
    paint: Paint
    today: date
    session_room: int = 8

    def line(self, step: Step) -> str:
        """The line of one event, no wider than the terminal."""
        session = self._session(step.event.session_id)
        left = [self._time(step), session]
        if self.columns >= WIDE:
            left.append(_padded(clipped(step.event.agent_id, 18), 18))
        name = _padded(clipped(word(step), 9), 9)
        room = self.columns - sum(cell_width(part) + 2 for part in [*left, name])
        painted = [self.paint(left[0], Style.FAINT), self.paint(session, tint(step.event.session_id)), *left[2:]]
        return "  ".join([*painted, self.paint(name, word_style(step)), self._said(step, room)]).rstrip()

    def _time(self, step: Step) -> str:
        at, narrow = moment(step.recorded), self.columns < NARROW
        if at.date() == self.today:
            return f"{at:%H:%M:%S}" if narrow else f"{at:%H:%M:%S.%f}"[:12]
        return f"{at:%m-%d}   " if narrow else f"{at:%m-%d %H:%M} "

    def _session(self, session_id: str) -> str:
        """A session's id; of a long one its end, where ids differ."""
        most = 12 if self.columns < NARROW else 24
        text = clipped(session_id, len(session_id) * 6)
        if cell_width(text) > most:
            text = ".." + text[-(most - 2) :] if text.isascii() else clipped(session_id, most)
        self.session_room = max(self.session_room, cell_width(text))
        return _padded(text, self.session_room)

    def _said(self, step: Step, room: int) -> str:
        said = clipped(headline(step), max(room, 4))
        more = _more(step)
        left = room - cell_width(said) - 2
        if not more or left < 8:
            return said
        return f"{said}  {self.paint(clipped(more, left), Style.BAD if step.error is not None else Style.FAINT)}"


def _more(step: Step) -> str:
    """What went wrong, else what a call was given."""
    if step.kind in TELL_THEIR_ERROR:
        return ""
    found = step.error if step.error is not None else step.event.payload.get("input")
    return shown(found) if step.error is not None or (step.kind == "tool_call" and found) else ""


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - cell_width(text))
