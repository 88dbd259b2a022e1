"""The causes of steps: which step of a timeline follows from which. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from ..session.timeline import Lane, Step, Timeline
from .call_outcome import THOUGHT_TOOLS

REASON_KINDS = frozenset({"decision", "llm_call", "agent_message"})
"""Kinds of steps that say why other steps follow."""


class Tie(StrEnum):
    """The evidence that a step follows from another."""

    PARENT = "parent"
    SUB_AGENT = "sub-agent"
    SEQUENCE = "sequence"
    BEGINNING = "beginning"


class Link(NamedTuple):
    """A step of a chain, and its tie to the step before it.

    Attributes:
        lost: the ``parent_event_id`` of the step if that event is unknown, else None.
    """

    step: Step
    tie: Tie
    lost: str | None = None


class CauseGraph:
    """The causes of each step of a timeline.

    A step follows from its parent. A step without a parent follows from the step before it in its lane. A cause always
    stands before its step, so no chain has a circle. The result of a sub-agent follows from the sub-agent's last step.

    Attributes:
        step_numbers: each step's number, from 1.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.steps = timeline.steps
        self.step_numbers = {step: number for number, step in enumerate(timeline.steps, 1)}
        self._causes: dict[Step, Step | None] = {}
        self._reasons: dict[Step, Step | None] = {}
        self._children: dict[Step, list[Step]] = defaultdict(list)
        newest: dict[Lane, Step] = {}
        for step in timeline.steps:
            self._add(step, step.parent or newest.get(step.lane))
            newest[step.lane] = step
        self._last_steps_of_runs = _find_last_steps_of_runs(timeline)

    def _add(self, step: Step, cause: Step | None) -> None:
        self._causes[step] = cause
        if cause is None:
            self._reasons[step] = None
        else:
            self._children[cause].append(step)
            self._reasons[step] = cause if is_reason(cause) else self._reasons[cause]

    def get_reason(self, step: Step) -> Step | None:
        """Return the nearest decision, model call, message or thought of an agent that ``step`` follows from."""
        return self._reasons[step]

    def get_children(self, step: Step) -> list[Step]:
        """Return the steps that follow from ``step``, in order."""
        return self._children.get(step, [])

    def build_chain(self, step: Step) -> list[Link]:
        """Return the chain of steps from the session's first to ``step``, through the runs of sub-agents."""
        links = self._build_links(step, self._last_steps_of_runs)
        return (links if links is not None else self._build_links(step, {}) or [])[::-1]

    def _build_links(self, step: Step, last_steps_of_runs: Mapping[Step, Step]) -> list[Link] | None:
        """Return the chain from ``step`` up, or None if ``last_steps_of_runs`` closes a circle.

        A circle would mean that a sub-agent's last step follows from the sub-agent's own result.
        """
        links: dict[Step, Link] = {}
        current: Step | None = step
        while current is not None:
            if current in links:
                return None
            tie = Tie.SUB_AGENT if current in last_steps_of_runs else _classify_tie(current, self._causes[current])
            links[current] = Link(current, tie, current.event.parent_event_id if current.parent is None else None)
            current = last_steps_of_runs.get(current, self._causes[current])
        return list(links.values())


def _classify_tie(step: Step, cause: Step | None) -> Tie:
    if cause is None:
        return Tie.BEGINNING
    return Tie.PARENT if step.parent is not None else Tie.SEQUENCE


def _find_last_steps_of_runs(timeline: Timeline) -> dict[Step, Step]:
    """Map the result of each sub-agent to the last step of its run, unless the result's parent is in that run."""
    results = {lane: lane.result for lane in timeline.lanes if lane.result is not None}
    last_steps: dict[Step, Step] = {}
    for step in timeline.steps:
        result = results.get(step.lane)
        if result is None or result is step or (result.parent is not None and result.parent.lane is step.lane):
            continue
        if result not in last_steps or last_steps[result].recorded <= step.recorded <= result.recorded:
            last_steps[result] = step
    return last_steps


def is_reason(step: Step) -> bool:
    """Whether a step can be a reason: a decision, a model call, a message of an agent or a thought."""
    return step.kind in REASON_KINDS or is_thought(step)


def is_thought(step: Step) -> bool:
    """Whether a step is a call of a tool that only notes down the model's thoughts."""
    return step.kind == "tool_call" and step.label.lower() in THOUGHT_TOOLS
