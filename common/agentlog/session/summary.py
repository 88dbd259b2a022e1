"""The summary of a session in one row: times, agents, outcome, totals. Pure."""

from collections import Counter
from collections.abc import Iterable
from math import fsum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # a list of known sessions needs no timeline, and loading it takes a tenth of the command
    from .timeline import Timeline

USER = "user"
GOAL_CHARACTERS = 1_000
"""A row holds at most this many characters of a goal."""


class Summary(msgspec.Struct, frozen=True, gc=False):
    """The row of a session in a list; its numbers are those of the timeline.

    Attributes:
        agents: the agents that acted, the session's own agent first. A user counts only if nobody else acted.
        started, ended: microseconds since the epoch, as the timeline's ``began`` and ``ended``.
        input_tokens, output_tokens, cost_usd: None if no event states any.
        unpriced: the number of llm calls that ended without a cost.
        tools: the number of calls of each tool.
        records: the number of records that hold its events, copies included.
        goal: the session's goal, cut to ``GOAL_CHARACTERS``; empty if no event states it.
    """

    session_id: str
    agents: tuple[str, ...]
    started: int
    ended: int
    outcome: str | None
    events: int
    tool_calls: int
    llm_calls: int
    errors: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    unpriced: int
    tools: dict[str, int]
    records: int
    goal: str

    @property
    def top_tool(self) -> tuple[str, int] | tuple[None, None]:
        """The tool with the most calls, and their number; of several tools the first by name."""
        return min(self.tools.items(), key=lambda item: (-item[1], item[0]), default=(None, None))


def summarize_timeline(timeline: "Timeline") -> Summary:
    """Make the row of a timeline that has steps."""
    totals = timeline.totals
    owner = timeline.lanes[0].agent_id
    return Summary(
        session_id=timeline.session_id,
        agents=list_agents(owner, {record.event.agent_id for record in timeline.records()}),
        started=timeline.began,
        ended=timeline.ended,
        outcome=timeline.outcome,
        events=totals.events,
        tool_calls=totals.tool_calls,
        llm_calls=totals.llm_calls,
        errors=totals.errors,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        cost_usd=totals.cost_usd,
        unpriced=totals.unpriced,
        tools=dict(Counter(step.label for step in timeline.steps if step.kind == "tool_call" and step.label)),
        records=totals.events + timeline.duplicates,
        goal=timeline.goal[:GOAL_CHARACTERS],
    )


def list_agents(owner: str, agents: Iterable[str]) -> tuple[str, ...]:
    """List the agents that acted, the owner first, without users unless nobody else acted."""
    others = sorted({*agents} - {owner, USER})
    return tuple(others) or (USER,) if owner == USER else (owner, *others)


def sum_tokens(amounts: Iterable[float]) -> int:
    """Return the exact sum, rounded to a whole number."""
    return round(fsum(amounts))


def sum_dollars(amounts: Iterable[float]) -> float:
    """Return the exact sum, rounded to nine places, so that neither order nor binary fractions show."""
    return round(fsum(amounts), 9)
