"""Which step each step of a timeline follows from, and what came of it. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from ..session.timeline import Lane, Step, Timeline
from .call_outcome import THOUGHTS

REASONS = frozenset({"decision", "llm_call", "agent_message"})


class Tie(StrEnum):
    """What says that a step follows from another."""

    PARENT = "parent"
    SUB_AGENT = "sub-agent"
    SEQUENCE = "sequence"
    BEGINNING = "beginning"


class Link(NamedTuple):
    """A step of a chain, and what ties it to the step before it.

    Attributes:
        lost: the ``parent_event_id`` that the step names and that leads nowhere; None where it names none.
    """

    step: Step
    tie: Tie
    lost: str | None = None


class Causes:
    """What each step of a timeline follows from.

    A step follows from its parent, one without a parent from the step before it in its lane: always from one that
    stands before it, so no chain has a circle. What a sub-agent came back with follows from the last that it did.

    Attributes:
        number: each step's number, the first being 1.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.steps = timeline.steps
        self.number = {step: number for number, step in enumerate(timeline.steps, 1)}
        self._cause: dict[Step, Step | None] = {}
        self._reason: dict[Step, Step | None] = {}
        self._children: dict[Step, list[Step]] = defaultdict(list)
        newest: dict[Lane, Step] = {}
        for step in timeline.steps:
            self._add(step, step.parent or newest.get(step.lane))
            newest[step.lane] = step
        self._ran = _last_of_runs(timeline)

    def _add(self, step: Step, cause: Step | None) -> None:
        self._cause[step] = cause
        if cause is None:
            self._reason[step] = None
        else:
            self._children[cause].append(step)
            self._reason[step] = cause if is_reason(cause) else self._reason[cause]

    def reason(self, step: Step) -> Step | None:
        """The nearest decision, model call, message or thought of an agent that ``step`` follows from."""
        return self._reason[step]

    def children(self, step: Step) -> list[Step]:
        """The steps that follow from ``step``, in order."""
        return self._children.get(step, [])

    def chain(self, step: Step) -> list[Link]:
        """The steps that led to ``step``, from the session's first down to itself, through sub-agents and back."""
        links = self._links(step, self._ran)
        return (links if links is not None else self._links(step, {}) or [])[::-1]

    def _links(self, step: Step, ran: Mapping[Step, Step]) -> list[Link] | None:
        """From ``step`` up; None where a sub-agent's last step follows from what it came back with, as it can't be."""
        links: dict[Step, Link] = {}
        at: Step | None = step
        while at is not None:
            if at in links:
                return None
            tie = Tie.SUB_AGENT if at in ran else _tie(at, self._cause[at])
            links[at] = Link(at, tie, at.event.parent_event_id if at.parent is None else None)
            at = ran.get(at, self._cause[at])
        return list(links.values())


def _tie(step: Step, cause: Step | None) -> Tie:
    if cause is None:
        return Tie.BEGINNING
    return Tie.PARENT if step.parent is not None else Tie.SEQUENCE


def _last_of_runs(timeline: Timeline) -> dict[Step, Step]:
    """For what a sub-agent came back with, the last that it had done by then, where no parent leads into its lane."""
    results = {lane: lane.result for lane in timeline.lanes if lane.result is not None}
    found: dict[Step, Step] = {}
    for step in timeline.steps:
        result = results.get(step.lane)
        if result is None or result is step or (result.parent is not None and result.parent.lane is step.lane):
            continue
        if result not in found or found[result].recorded <= step.recorded <= result.recorded:
            found[result] = step
    return found


def is_reason(step: Step) -> bool:
    """Whether a step says why: a decision, a model call, a message of the agent or a thought."""
    return step.kind in REASONS or is_thought(step)


def is_thought(step: Step) -> bool:
    """Whether it is a call of a tool that merely takes down what the model thinks."""
    return step.kind == "tool_call" and step.label.lower() in THOUGHTS
