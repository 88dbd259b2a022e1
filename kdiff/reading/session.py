"""A session as it was read, and what is said of it and of two of them side by side. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from agentlog.event.event import Unreadable
from agentlog.formatting import format_count, format_dollars, format_duration
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Timeline

from .spill import SpillFile


@dataclass(frozen=True, slots=True)
class Session:
    """A session as read, and how far that can be trusted.

    Attributes:
        spill: where its payloads wait.
    """

    timeline: Timeline
    coverage: Coverage
    unreadable: list[Unreadable]
    spill: SpillFile

    @property
    def outcome(self) -> str:
        """How it ended, in a word or three."""
        return self.timeline.outcome or "not ended"


def compare_totals(a: Session, b: Session) -> list[tuple[str, str, str]]:
    """Costs, tokens, latencies and calls side by side: what, in A, in B."""
    rows = []
    for name, format_total in _TOTALS:
        value_a, value_b = format_total(a.timeline), format_total(b.timeline)
        if value_a not in ("0", "$0.00") or value_b not in ("0", "$0.00"):
            rows.append((name, value_a, value_b))
    return rows


_TOTALS: tuple[tuple[str, Callable[[Timeline], str]], ...] = (
    ("steps", lambda own: f"{len(own.steps):,}"),
    ("duration", lambda own: format_duration(own.ended - own.began)),
    ("tool calls", lambda own: f"{own.totals.tool_calls:,}"),
    ("llm calls", lambda own: f"{own.totals.llm_calls:,}"),
    ("errors", lambda own: f"{own.totals.errors:,}"),
    ("tokens in", lambda own: f"{own.totals.input_tokens:,}"),
    ("tokens out", lambda own: f"{own.totals.output_tokens:,}"),
    ("cost", lambda own: format_dollars(own.totals.cost_usd)),
    ("time in calls", lambda own: format_duration(sum(step.duration_us for step in own.steps))),
)


def list_limitations(a: Session, b: Session) -> list[str]:
    """What limits a comparison: a session that still runs, or is only partly there."""
    limitations = []
    for name, session in (("A", a), ("B", b)):
        if session.timeline.outcome is None:
            limitations.append(f"{name} has no end: it still runs, or was cut off; compared as far as it goes")
        if session.coverage.beginning == "trimmed":
            limitations.append(f"{name}'s beginning may be missing, deleted by retention")
        if session.unreadable:
            limitations.append(f"{name}: {format_count(len(session.unreadable), 'record')} could not be read")
    return limitations
