"""What an agent knew at a point of its session: what its lane had seen, and what was still open. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec

from agentlog.analysis.causality import Causes, is_thought
from agentlog.analysis.failures import lanes_of
from agentlog.event.event import Record
from agentlog.event.position import Moment
from agentlog.session.timeline import CALL_TYPES, Lane, Step, Timeline
from agentlog.text.step_text import WORDS, shown

Point = Step | Moment | None
"""Right before a step began; a time, what was recorded then included; or the end."""


class Keys(NamedTuple):
    """A key in memory that was written anew: the writes before and after; ``before`` is None for a new key."""

    key: str
    before: Step | None
    after: Step


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What one agent, or one run of a sub-agent, knew.

    Attributes:
        seen: what its lane had recorded and what had ended by then, in order.
        open: calls and delegations that had begun and not ended.
        memory: the newest write of each key.
        given: the newest model call, also one that is just being made, whose ``input`` was recorded; or None.
        answers: of what delegations came back with, the delegation.
    """

    lane: Lane
    seen: list[Step] = field(default_factory=list)
    open: list[Step] = field(default_factory=list)
    memory: dict[str, Step] = field(default_factory=dict)
    given: Step | None = None
    answers: dict[Step, Step] = field(default_factory=dict)

    def of(self, chosen: Callable[[Step], bool]) -> list[Step]:
        """Those of the steps seen that are chosen."""
        return [step for step in self.seen if chosen(step)]


@dataclass(frozen=True, slots=True)
class Change:
    """What came to what an agent knew from one point to a later one.

    Attributes:
        seen: what it saw since.
        opened: what had begun since, and not ended.
        closed: what was open, and ended since.
        memory: the keys written since.
    """

    seen: list[Step]
    opened: list[Step]
    closed: list[Step]
    memory: list[Keys]


KINDS = frozenset(WORDS) | {"tool_call", "decision", "error", "call_started"}
SECTIONS: tuple[tuple[str, Callable[[Step], bool]], ...] = (
    ("conversation", lambda step: step.kind in ("user_message", "agent_message")),
    ("documents", lambda step: step.kind == "retrieval"),
    ("results", lambda step: step.kind in ("tool_call", "delegation_result") and not is_thought(step)),
    ("decisions", lambda step: step.kind == "decision" or is_thought(step)),
    ("model", lambda step: step.kind == "llm_call"),
    ("errors", lambda step: step.kind == "error"),
    ("other", lambda step: step.kind not in KINDS),
)
"""What was seen, by what it is; each step stands in one of them at most."""


def known(timeline: Timeline, causes: Causes, lanes: Sequence[Lane], at: Point) -> list[Knowledge]:
    """What the agents of ``lanes`` knew at ``at``."""
    begun, ended = lanes_of(_begun(timeline, causes, at)), _ended(causes, at)
    runs = {lane.result: lane.delegation for lane in timeline.lanes if lane.result is not None}
    return [_known(lane, begun.get(lane, []), ended, runs, at) for lane in lanes]


def as_begun(step: Step) -> Step:
    """An open call as it was known while it ran: without what it answered later."""
    if step.is_open or step.kind not in CALL_TYPES:
        return step
    told = {name: value for name, value in step.event.payload.items() if name in ("tool", "model", "input", "query")}
    event = msgspec.structs.replace(step.event, event_type="call_started", payload={**told, "call_type": step.kind})
    return replace(step, record=Record(event, step.record.place, b""), recorded=step.began, late_us=0)


def _known(
    lane: Lane, begun: list[Step], ended: Callable[[Step], bool], runs: Mapping[Step, Step | None], at: Point
) -> Knowledge:
    seen = sorted((step for step in begun if ended(step)), key=lambda step: max(step.began, step.recorded))
    answers = _answers(seen, runs)
    came_back = set(answers.values())
    waiting = [
        step
        for step in begun
        if (step.kind in CALL_TYPES and not ended(step)) or (step.kind == "delegation" and step not in came_back)
    ]
    memory = {shown(step.event.payload.get("key", "")): step for step in seen if step.kind == "memory_write"}
    asked = [*begun, at] if isinstance(at, Step) and at.lane is lane else begun
    given = next((s for s in reversed(asked) if s.kind == "llm_call" and s.event.payload.get("input")), None)
    return Knowledge(lane, seen, waiting, memory, given, answers)


def change(before: Knowledge, after: Knowledge) -> Change:
    """What came to ``before`` until ``after``."""
    had, still = set(before.seen), set(after.open)
    was_open = set(before.open)
    keys = (Keys(key, before.memory.get(key), step) for key, step in after.memory.items())
    return Change(
        [step for step in after.seen if step not in had],
        [step for step in after.open if step not in was_open],
        [step for step in before.open if step not in still],
        [key for key in keys if key.before is not key.after],
    )


def lanes_at(timeline: Timeline, causes: Causes, at: Point, agent: str | None) -> list[Lane]:
    """The lanes that are meant: of a step its own, of an agent all its own, else all that had begun."""
    if isinstance(at, Step) and agent is None:
        return [at.lane]
    begun = {step.lane for step in _begun(timeline, causes, at)} | {step.lane for step in timeline.steps[:1]}
    return [lane for lane in timeline.lanes if lane in begun and agent in (None, lane.agent_id)]


def _begun(timeline: Timeline, causes: Causes, at: Point) -> Sequence[Step]:
    if at is None:
        return timeline.steps
    if isinstance(at, Moment):
        return [step for step in timeline.steps if step.began <= at.microseconds]
    return timeline.steps[: causes.number[at] - 1]


def _ended(causes: Causes, at: Point) -> Callable[[Step], bool]:
    """Whether a step that had begun by ``at`` had ended too."""
    if at is None:
        return lambda step: not step.is_open
    if isinstance(at, Moment):
        return lambda step: not step.is_open and (not step.duration_us or step.recorded <= at.microseconds)
    led_there = {link.step for link in causes.chain(at)}

    def ended(step: Step) -> bool:
        if step.is_open or not step.duration_us or step.recorded <= at.began:
            return not step.is_open
        return step in led_there and step.recorded < at.recorded  # a beginning is only known to the millisecond

    return ended


def _answers(seen: Sequence[Step], runs: Mapping[Step, Step | None]) -> dict[Step, Step]:
    """Of each result its delegation: by the run's lane, by its parent, else by the agent's name."""
    waiting: list[Step] = []
    answers: dict[Step, Step] = {}
    for step in seen:
        if step.kind == "delegation":
            waiting.append(step)
        elif step.kind == "delegation_result":
            delegation = next(_asked(step, runs.get(step), waiting), None)
            if delegation is not None:
                waiting.remove(delegation)
                answers[step] = delegation
    return answers


def _asked(result: Step, of_run: Step | None, waiting: Sequence[Step]) -> Iterator[Step]:
    yield from (step for step in waiting if step is of_run)
    yield from (step for step in waiting if step is result.parent)
    agent = result.event.payload.get("from_agent_id")
    yield from (step for step in reversed(waiting) if step.event.payload.get("to_agent_id") == agent)
