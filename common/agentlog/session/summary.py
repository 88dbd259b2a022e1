"""A session in one row: when, who, how it ended, what it did and cost. Pure."""

from collections import Counter
from collections.abc import Iterable
from math import fsum

import msgspec

from ..event.event import parse_amount
from .timeline import Step, Timeline

USER = "user"
GOAL_CHARACTERS = 1_000
"""So much of a goal stands in a session's row."""


class Summary(msgspec.Struct, frozen=True, gc=False):
    """What is said of a session among others; the numbers are those of its timeline.

    Attributes:
        agents: who acted in it, the session's own agent first; a user counts only where nobody else did.
        started, ended: microseconds since the epoch, as the timeline's ``began`` and ``ended``.
        input_tokens, output_tokens, cost_usd: None where no event says any.
        unpriced: llm calls that ended without saying what they cost.
        tools: how often each tool was called.
        records: how many records hold its events, copies included.
        goal: what it was asked to do, as far as a row holds it; empty where no event says it.
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
        """The tool that was called most, and how often; of several the first by name."""
        return min(self.tools.items(), key=lambda item: (-item[1], item[0]), default=(None, None))


def summarize_timeline(timeline: Timeline) -> Summary:
    """The row of a timeline that has steps."""
    totals = timeline.totals
    llm_steps = [step for step in timeline.steps if step.kind == "llm_call"]
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
        input_tokens=totals.input_tokens if _has_amount(llm_steps, "input_tokens") else None,
        output_tokens=totals.output_tokens if _has_amount(llm_steps, "output_tokens") else None,
        cost_usd=totals.cost_usd if _has_amount(timeline.steps, "cost_usd") else None,
        unpriced=totals.unpriced,
        tools=dict(Counter(step.label for step in timeline.steps if step.kind == "tool_call" and step.label)),
        records=totals.events + timeline.duplicates,
        goal=timeline.goal[:GOAL_CHARACTERS],
    )


def list_agents(owner: str, agents: Iterable[str]) -> tuple[str, ...]:
    """Who acted, the owner first, users left out unless there is nobody else."""
    acted = sorted({*agents, owner} - {USER}, key=lambda agent: (agent != owner, agent))
    return tuple(acted) or (USER,)


def _has_amount(steps: Iterable[Step], field_name: str) -> bool:
    return any(parse_amount(step.event.payload.get(field_name)) is not None for step in steps)


def sum_tokens(amounts: Iterable[float]) -> int:
    """The exact sum, to the next whole number."""
    return round(fsum(amounts))


def sum_dollars(amounts: Iterable[float]) -> float:
    """The exact sum, to the billionth: neither the order of the amounts nor binary fractions show."""
    return round(fsum(amounts), 9)
