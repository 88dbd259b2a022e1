"""A query for sessions of a catalogue: conditions and order, as SQL."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agentlog.event.event import PLAUSIBLE_MS
from agentlog.event.position import Moment, Position, PositionRange
from agentlog.session.summary import Summary

from .store import STARTED, Store
from .text import fold_case

MAX_INTEGER = 2**63 - 1
"""The largest number that SQLite takes."""
RUNNING_WINDOW_US = 30 * 60 * 1_000_000
"""A session without an end counts as running for 30 minutes after its last event."""

ORDERS: Mapping[str, str] = {
    "start": STARTED,
    "duration": "ended - started",
    "events": "events",
    "calls": "tool_calls",
    "errors": "errors",
    "tokens": "iif(input_tokens IS NULL, output_tokens, input_tokens + ifnull(output_tokens, 0))",
    "cost": "cost_usd",
}
IS_RUNNING = f"(outcome IS NULL AND ended >= :alive AND ended < {PLAUSIBLE_MS[1]}000)"
IS_UNENDED = f"(outcome IS NULL AND (ended < :alive OR ended >= {PLAUSIBLE_MS[1]}000))"
STATUSES: Mapping[str, str] = {
    "running": IS_RUNNING,
    "never-ended": IS_UNENDED,
    "succeeded": "outcome = 'succeeded'",
    "failed": "outcome = 'failed'",
    "cancelled": "outcome = 'cancelled'",
    "other": "outcome NOT IN ('succeeded', 'failed', 'cancelled')",
}
_TOTALS = f"""
    count(*), count(*) FILTER (WHERE outcome = 'succeeded'), count(*) FILTER (WHERE outcome = 'failed'),
    count(*) FILTER (WHERE outcome = 'cancelled'), count(*) FILTER (WHERE {STATUSES["other"]}),
    count(*) FILTER (WHERE {STATUSES["running"]}), count(*) FILTER (WHERE {STATUSES["never-ended"]}),
    sum(events), sum(tool_calls), sum(llm_calls), sum(errors), sum(input_tokens), sum(output_tokens), sum(cost_usd),
    sum(unpriced)
"""


class Totals(NamedTuple):
    """Sums over the selected sessions; None for an amount that no session knows."""

    sessions: int
    succeeded: int
    failed: int
    cancelled: int
    other: int
    running: int
    never_ended: int
    events: int
    tool_calls: int
    llm_calls: int
    errors: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    unpriced: int


@dataclass(frozen=True)
class Query:
    """The sessions that overlap ``span`` and meet all other conditions.

    Attributes:
        text: words that the goal must have, all of them.
        now_us: the current time in microseconds since the epoch; decides which sessions still run.
    """

    span: PositionRange = field(default_factory=PositionRange)
    agents: Sequence[str] = ()
    tools: Sequence[str] = ()
    statuses: Sequence[str] = ()
    min_cost: float | None = None
    min_calls: int | None = None
    text: str | None = None
    sort: str = "start"
    now_us: int = field(default_factory=lambda: time.time_ns() // 1000)

    def select_rows(self, store: Store, limit: int | None = None) -> Iterator[Summary]:
        """Yield the sessions, the largest value of ``sort`` first, sessions without a value last; at most ``limit``."""
        order = f"{STARTED} DESC, session_id"
        if self.sort != "start":  # in the order of the start, an index finds the newest sessions
            order = f"{ORDERS[self.sort]} DESC NULLS LAST, {order}"
        return store.query_rows(self._build_condition(), order, self._build_parameters(), limit)

    def select_totals(self, store: Store) -> Totals:
        """Return the sums over all selected sessions."""
        return Totals(*store.query_totals(_TOTALS, self._build_condition(), self._build_parameters()))

    def describe_status(self, row: Summary) -> str:
        """Return how a session ended, or ``running`` or ``never-ended``."""
        is_running = self.now_us - RUNNING_WINDOW_US <= row.ended < PLAUSIBLE_MS[1] * 1000
        return row.outcome or ("running" if is_running else "never-ended")

    def find_crossed_edge(self, row: Summary) -> str | None:
        """Return which edge of the span a session runs across: ``from``, ``to``, ``both`` or None."""
        start, end = map(_get_microseconds, self.span)
        starts_before, ends_after = start is not None and row.started < start, end is not None and row.ended > end
        return "both" if starts_before and ends_after else "from" if starts_before else "to" if ends_after else None

    def _build_condition(self) -> str:
        bounds_by_condition = {
            "ended >= :from": self.span.start,
            "started <= :to": self.span.end,
            "cost_usd >= :min_cost": self.min_cost,
            "tool_calls >= :min_calls": self.min_calls,
            "has_words(goal, :text)": self.text,
        }
        conditions = [condition for condition, value in bounds_by_condition.items() if value is not None]
        if self.agents:
            names = _list_placeholders("agent", self.agents)
            conditions.append(f"EXISTS (SELECT 1 FROM json_each(agents) WHERE value IN ({names}))")  # noqa: S608  names
        if self.tools:
            names = _list_placeholders("tool", self.tools)
            conditions.append(f"EXISTS (SELECT 1 FROM json_each(tools) WHERE key IN ({names}))")  # noqa: S608  of ours
        if self.statuses:
            conditions.append(" OR ".join(STATUSES[status] for status in self.statuses))
        return " AND ".join(f"({condition})" for condition in conditions) or "TRUE"

    def _build_parameters(self) -> dict[str, object]:
        start, end = map(_get_microseconds, self.span)
        min_calls = min(self.min_calls or 0, MAX_INTEGER)
        bounds = {"from": start, "to": end, "min_cost": self.min_cost, "min_calls": min_calls}
        names = {f"agent{n}": _make_storable(agent) for n, agent in enumerate(self.agents)}
        names |= {f"tool{n}": _make_storable(tool) for n, tool in enumerate(self.tools)}
        words = None if self.text is None else _make_storable(fold_case(self.text))
        return {"alive": self.now_us - RUNNING_WINDOW_US, "text": words, **bounds, **names}


def _list_placeholders(name: str, values: Sequence[str]) -> str:
    return ", ".join(f":{name}{number}" for number, _ in enumerate(values))


def _make_storable(text: str) -> str:
    """Return ``text`` in UTF-8, as SQLite requires it; other bytes are escaped, and match no event."""
    return text.encode(errors="backslashreplace").decode()


def _get_microseconds(bound: Position | None) -> int | None:
    return bound.microseconds if isinstance(bound, Moment) else None
