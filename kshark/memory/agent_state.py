"""The state of an agent at a point of its session: the steps it had seen, its memory, its open calls. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec

from agentlog.analysis.causality import CauseGraph, is_thought
from agentlog.analysis.failures import group_by_lane
from agentlog.event.event import Record
from agentlog.event.position import Moment
from agentlog.session.timeline import CALL_TYPES, Lane, Step, Timeline
from agentlog.text.step_text import STEP_WORDS, format_payload_value

Point = Step | Moment | None
"""A point of a session: right before a step; a time, with the events recorded at it; or None for the end."""


class KeyChange(NamedTuple):
    """A key in memory and the steps that wrote its old and new value; ``before`` is None for a new key."""

    key: str
    before: Step | None
    after: Step


@dataclass(frozen=True, slots=True)
class AgentState:
    """The state of one agent, or of one run of a sub-agent.

    Attributes:
        lane: the agent's lane.
        seen: the lane's steps that had ended by then, in order.
        open: the calls and delegations that had begun and not ended.
        memory: the step that wrote each key last.
        last_model_call: the newest model call with a recorded ``input``, also one that just begins; or None.
        answers: the delegation that each delegation result answers.
    """

    lane: Lane
    seen: list[Step] = field(default_factory=list)
    open: list[Step] = field(default_factory=list)
    memory: dict[str, Step] = field(default_factory=dict)
    last_model_call: Step | None = None
    answers: dict[Step, Step] = field(default_factory=dict)

    def filter_seen(self, is_chosen: Callable[[Step], bool]) -> list[Step]:
        """Return the seen steps for which ``is_chosen`` is true."""
        return [step for step in self.seen if is_chosen(step)]


@dataclass(frozen=True, slots=True)
class StateChange:
    """The change of an agent's state from one point to a later one.

    Attributes:
        seen: the steps that it saw since then.
        opened: the calls that began since then and are open.
        closed: the calls that were open and ended since then.
        memory: the keys that were written since then.
    """

    seen: list[Step]
    opened: list[Step]
    closed: list[Step]
    memory: list[KeyChange]


KNOWN_KINDS = frozenset(STEP_WORDS) | {"tool_call", "decision", "error", "call_started"}
SECTIONS: tuple[tuple[str, Callable[[Step], bool]], ...] = (
    ("conversation", lambda step: step.kind in ("user_message", "agent_message")),
    ("documents", lambda step: step.kind == "retrieval"),
    ("results", lambda step: step.kind in ("tool_call", "delegation_result") and not is_thought(step)),
    ("decisions", lambda step: step.kind == "decision" or is_thought(step)),
    ("model", lambda step: step.kind == "llm_call"),
    ("errors", lambda step: step.kind == "error"),
    ("other", lambda step: step.kind not in KNOWN_KINDS),
)
"""The sections of the answer, each with the condition for its steps; a step is in at most one of them."""


def find_states(timeline: Timeline, causes: CauseGraph, lanes: Sequence[Lane], point: Point) -> list[AgentState]:
    """Return the states of the agents of ``lanes`` at ``point``."""
    begun_by_lane, has_ended = group_by_lane(_list_begun_steps(timeline, causes, point)), _make_end_check(causes, point)
    runs = {lane.result: lane.delegation for lane in timeline.lanes if lane.result is not None}
    return [_build_state(lane, begun_by_lane.get(lane, []), has_ended, runs, point) for lane in lanes]


def hide_answer(step: Step) -> Step:
    """Return a call as it was known while it ran, without its later answer."""
    if step.is_open or step.kind not in CALL_TYPES:
        return step
    known_fields = {
        name: value for name, value in step.event.payload.items() if name in ("tool", "model", "input", "query")
    }
    event = msgspec.structs.replace(
        step.event, event_type="call_started", payload={**known_fields, "call_type": step.kind}
    )
    return replace(step, record=Record(event, step.record.place, b""), recorded=step.began, late_us=0)


def _build_state(
    lane: Lane,
    begun_steps: list[Step],
    has_ended: Callable[[Step], bool],
    runs: Mapping[Step, Step | None],
    point: Point,
) -> AgentState:
    seen = sorted((step for step in begun_steps if has_ended(step)), key=lambda step: max(step.began, step.recorded))
    answers = _match_answers(seen, runs)
    came_back = set(answers.values())
    open_steps = [
        step
        for step in begun_steps
        if (step.kind in CALL_TYPES and not has_ended(step)) or (step.kind == "delegation" and step not in came_back)
    ]
    memory = {
        format_payload_value(step.event.payload.get("key", "")): step for step in seen if step.kind == "memory_write"
    }
    candidates = [*begun_steps, point] if isinstance(point, Step) and point.lane is lane else begun_steps
    last_model_call = next(
        (s for s in reversed(candidates) if s.kind == "llm_call" and s.event.payload.get("input")), None
    )
    return AgentState(lane, seen, open_steps, memory, last_model_call, answers)


def compare_states(before: AgentState, after: AgentState) -> StateChange:
    """Return the change from ``before`` to ``after``."""
    seen_before, still_open = set(before.seen), set(after.open)
    was_open = set(before.open)
    keys = (KeyChange(key, before.memory.get(key), step) for key, step in after.memory.items())
    return StateChange(
        [step for step in after.seen if step not in seen_before],
        [step for step in after.open if step not in was_open],
        [step for step in before.open if step not in still_open],
        [key for key in keys if key.before is not key.after],
    )


def find_lanes(timeline: Timeline, causes: CauseGraph, point: Point, agent: str | None) -> list[Lane]:
    """Return the lanes of ``agent``; without one, the lane of a step, or all lanes that had begun at another point."""
    if isinstance(point, Step) and agent is None:
        return [point.lane]
    begun = {step.lane for step in _list_begun_steps(timeline, causes, point)} | {
        step.lane for step in timeline.steps[:1]
    }
    return [lane for lane in timeline.lanes if lane in begun and agent in (None, lane.agent_id)]


def _list_begun_steps(timeline: Timeline, causes: CauseGraph, point: Point) -> Sequence[Step]:
    if point is None:
        return timeline.steps
    if isinstance(point, Moment):
        return [step for step in timeline.steps if step.began <= point.microseconds]
    return timeline.steps[: causes.step_numbers[point] - 1]


def _make_end_check(causes: CauseGraph, point: Point) -> Callable[[Step], bool]:
    """Return a function that says whether a step that had begun by ``point`` had also ended by then."""
    if point is None:
        return lambda step: not step.is_open
    if isinstance(point, Moment):
        return lambda step: not step.is_open and (not step.duration_us or step.recorded <= point.microseconds)
    causing_steps = {link.step for link in causes.build_chain(point)}

    def has_ended(step: Step) -> bool:
        if step.is_open or not step.duration_us or step.recorded <= point.began:
            return not step.is_open
        return step in causing_steps and step.recorded < point.recorded  # a beginning is known to the millisecond only

    return has_ended


def _match_answers(seen: Sequence[Step], runs: Mapping[Step, Step | None]) -> dict[Step, Step]:
    """Return the delegation of each result, found by the run's lane, by the parent, or by the agent's name."""
    open_delegations: list[Step] = []
    answers: dict[Step, Step] = {}
    for step in seen:
        if step.kind == "delegation":
            open_delegations.append(step)
        elif step.kind == "delegation_result":
            delegation = next(_find_delegations(step, runs.get(step), open_delegations), None)
            if delegation is not None:
                open_delegations.remove(delegation)
                answers[step] = delegation
    return answers


def _find_delegations(result: Step, run_delegation: Step | None, open_delegations: Sequence[Step]) -> Iterator[Step]:
    yield from (step for step in open_delegations if step is run_delegation)
    yield from (step for step in open_delegations if step is result.parent)
    agent = result.event.payload.get("from_agent_id")
    yield from (step for step in reversed(open_delegations) if step.event.payload.get("to_agent_id") == agent)
