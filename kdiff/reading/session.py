"""A session as read; the totals of two sessions, and the limits of their comparison. Pure."""

from collections.abc import Callable, Iterator
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


GOOD_OUTCOME = "succeeded"
MAX_NAMED_UNREADABLE = 3
"""The number of unreadable records that are named; standard error and JSON name the others."""


def _describe_end(session: Session) -> str:
    return "failed" if session.outcome == "failed" else f"ended as {session.outcome!r}"


def list_limitations(a: Session, b: Session) -> list[str]:
    """Return what limits a comparison: the sides may be swapped, a session still runs, or records can't be read."""
    limitations = []
    if a.timeline.outcome not in (None, GOOD_OUTCOME) and b.timeline.outcome == GOOD_OUTCOME:
        limitations.append(f"A {_describe_end(a)} and B succeeded. A should be the good one: are the two swapped?")
    for name, session in (("A", a), ("B", b)):
        if session.timeline.outcome is None:
            limitations.append(f"{name} has no end: it still runs, or was cut off. What is there was compared.")
        if session.coverage.beginning == "trimmed":
            limitations.append(f"{name}'s beginning may be missing: retention has deleted records")
    return limitations + list(_list_unreadable(a, b))


def _list_unreadable(a: Session, b: Session) -> Iterator[str]:
    """Yield what could not be read, with the first places; once if it is the same for both."""
    sides = [("A and B", a.unreadable)] if a.unreadable == b.unreadable else [("A", a.unreadable), ("B", b.unreadable)]
    for name, unreadable in sides:
        if unreadable:
            named = ", ".join(each.where for each in unreadable[:MAX_NAMED_UNREADABLE])
            more = (
                f" and {len(unreadable) - MAX_NAMED_UNREADABLE:,} more"
                if len(unreadable) > MAX_NAMED_UNREADABLE
                else ""
            )
            yield f"{name}: {format_count(len(unreadable), 'record')} could not be read: {named}{more}"


def is_incomplete(session: Session) -> bool:
    """Whether records of the session may be missing from what was read: unreadable ones, or deleted ones."""
    return bool(session.unreadable) or session.coverage.beginning == "trimmed"
