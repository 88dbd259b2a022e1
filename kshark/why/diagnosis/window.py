"""The window of a session that was read: whether its beginning or its end lies outside. Pure."""

from typing import NamedTuple

from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Timeline


class Window(NamedTuple):
    """The part of a session that was read.

    Attributes:
        is_beginning_cut: earlier events may exist: ``--from`` was given, or the log no longer has them.
        is_end_cut: ``--to`` was given, and the session hadn't ended by then.
    """

    is_beginning_cut: bool = False
    is_end_cut: bool = False


WHOLE = Window()


def find_window(timeline: Timeline, coverage: Coverage) -> Window:
    """Return the window that was read of a session."""
    is_end_cut = coverage.position_range.end is not None and timeline.outcome is None
    return Window(coverage.beginning != "whole", is_end_cut)
