"""A session as read; the totals of two sessions, and the limits of their comparison. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from agentlog.event.event import Unreadable
from agentlog.formatting import format_count, format_dollars, format_duration
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Timeline

from .spill import SpillFile


@dataclass(frozen=True, slots=True)
class Session:
    """A session as read, and what was read of it.

    Attributes:
        unreadable: records that could not be read.
        spill: the file that holds its payloads.
    """

    timeline: Timeline
    coverage: Coverage
    unreadable: list[Unreadable]
    spill: SpillFile

    @property
    def outcome(self) -> str:
        """How it ended, in one to three words."""
        return self.timeline.outcome or "not ended"


def compare_totals(a: Session, b: Session) -> list[tuple[str, str, str]]:
    """Return the totals side by side, except those that are 0 or unknown in both: name, value of A, value of B."""
    rows = []
    for name, format_total in _TOTALS:
        value_a, value_b = format_total(a.timeline), format_total(b.timeline)
        if not {value_a, value_b} <= {"0", "$0.00", UNKNOWN}:
            rows.append((name, value_a, value_b))
    return rows


UNKNOWN = "unknown"


def _format_amount(amount: int | None) -> str:
    return UNKNOWN if amount is None else f"{amount:,}"


def _format_time_in_calls(timeline: Timeline) -> str:
    durations = [duration for step in timeline.steps if (duration := step.duration_us) is not None]
    return format_duration(sum(durations)) if durations else UNKNOWN


_TOTALS: tuple[tuple[str, Callable[[Timeline], str]], ...] = (
    ("steps", lambda timeline: f"{len(timeline.steps):,}"),
    ("duration", lambda timeline: format_duration(timeline.ended - timeline.began)),
    ("tool calls", lambda timeline: f"{timeline.totals.tool_calls:,}"),
    ("llm calls", lambda timeline: f"{timeline.totals.llm_calls:,}"),
    ("errors", lambda timeline: f"{timeline.totals.errors:,}"),
    ("tokens in", lambda timeline: _format_amount(timeline.totals.input_tokens)),
    ("tokens out", lambda timeline: _format_amount(timeline.totals.output_tokens)),
    ("cost", lambda timeline: UNKNOWN if (cost := timeline.totals.cost_usd) is None else format_dollars(cost)),
    ("time in calls", _format_time_in_calls),
)


def list_limitations(a: Session, b: Session) -> list[str]:
    """Return what limits a comparison: a session still runs, or records are missing or unreadable."""
    limitations = []
    for name, session in (("A", a), ("B", b)):
        if session.timeline.outcome is None:
            limitations.append(f"{name} has no end: it still runs, or was cut off. What is there was compared.")
        if session.coverage.beginning == "trimmed":
            limitations.append(f"{name}'s beginning may be missing: retention has deleted records")
        if session.unreadable:
            limitations.append(f"{name}: {format_count(len(session.unreadable), 'record')} could not be read")
    return limitations
