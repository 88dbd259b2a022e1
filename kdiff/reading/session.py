"""A session as it was read, and what is said of it and of two of them side by side. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from agentlog.event.event import Unreadable
from agentlog.formatting import counted, dollars, duration
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Timeline

from .spill import Shelf


@dataclass(frozen=True, slots=True)
class Session:
    """A session as read, and how far that can be trusted.

    Attributes:
        shelf: where its payloads wait.
    """

    timeline: Timeline
    found: Coverage
    unreadable: list[Unreadable]
    shelf: Shelf

    @property
    def outcome(self) -> str:
        """How it ended, in a word or three."""
        return self.timeline.outcome or "not ended"


def totals(a: Session, b: Session) -> list[tuple[str, str, str]]:
    """Costs, tokens, latencies and calls side by side: what, in A, in B."""
    rows = []
    for name, get in _TOTALS:
        one, other = get(a.timeline), get(b.timeline)
        if one not in ("0", "$0.00") or other not in ("0", "$0.00"):
            rows.append((name, one, other))
    return rows


_TOTALS: tuple[tuple[str, Callable[[Timeline], str]], ...] = (
    ("steps", lambda own: f"{len(own.steps):,}"),
    ("duration", lambda own: duration(own.ended - own.began)),
    ("tool calls", lambda own: f"{own.totals.tool_calls:,}"),
    ("llm calls", lambda own: f"{own.totals.llm_calls:,}"),
    ("errors", lambda own: f"{own.totals.errors:,}"),
    ("tokens in", lambda own: f"{own.totals.input_tokens:,}"),
    ("tokens out", lambda own: f"{own.totals.output_tokens:,}"),
    ("cost", lambda own: dollars(own.totals.cost_usd)),
    ("time in calls", lambda own: duration(sum(step.duration_us for step in own.steps))),
)


def limits(a: Session, b: Session) -> list[str]:
    """What limits a comparison: a session that still runs, or is only partly there."""
    said = []
    for name, own in (("A", a), ("B", b)):
        if own.timeline.outcome is None:
            said.append(f"{name} has no end: it still runs, or was cut off; compared as far as it goes")
        if own.found.beginning == "trimmed":
            said.append(f"{name}'s beginning may be missing, deleted by retention")
        if own.unreadable:
            said.append(f"{name}: {counted(len(own.unreadable), 'record')} could not be read")
    return said
