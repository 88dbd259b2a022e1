"""Which step each step of a timeline follows from, and what came of it. Pure."""

from collections import defaultdict
from enum import StrEnum
from typing import NamedTuple

from agentlog.calls import THOUGHTS
from agentlog.session import Lane, Step, Timeline

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

    A step follows from its parent; what a sub-agent came back with, from the last that it did; a step without a parent
    from the one before it in its lane. What a step follows from always stands before it, so no chain has a circle.

    Attributes:
        number: each step's number, the first being 1.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.steps = timeline.steps
        self.number = {step: number for number, step in enumerate(timeline.steps, 1)}
        self._cause: dict[Step, tuple[Step | None, Tie]] = {}
        self._reason: dict[Step, Step | None] = {}
        self._children: dict[Step, list[Step]] = defaultdict(list)
        results = {lane.result: lane for lane in timeline.lanes if lane.result is not None}
        newest: dict[Lane, Step] = {}
        for step in timeline.steps:
            self._add(step, newest.get(step.lane), newest.get(results[step]) if step in results else None)
            newest[step.lane] = step

    def _add(self, step: Step, before: Step | None, last_of_run: Step | None) -> None:
        cause, _ = self._cause[step] = _followed(step, before, last_of_run)
        if cause is None:
            self._reason[step] = None
        else:
            self._children[cause].append(step)
            self._reason[step] = cause if is_reason(cause) else self._reason[cause]

    def cause(self, step: Step) -> Step | None:
        """The step that ``step`` follows from; None for the session's first."""
        return self._cause[step][0]

    def reason(self, step: Step) -> Step | None:
        """The nearest decision, model call, message or thought of an agent that ``step`` follows from."""
        return self._reason[step]

    def children(self, step: Step) -> list[Step]:
        """The steps that follow from ``step``, in order."""
        return self._children.get(step, [])

    def chain(self, step: Step) -> list[Link]:
        """The steps that led to ``step``, from the session's first down to itself."""
        links: list[Link] = []
        at: Step | None = step
        while at is not None:
            cause, tie = self._cause[at]
            links.append(Link(at, tie, at.event.parent_event_id if at.parent is None else None))
            at = cause
        return links[::-1]


def _followed(step: Step, before: Step | None, last_of_run: Step | None) -> tuple[Step | None, Tie]:
    if last_of_run is not None and (step.parent is None or step.parent.kind == "delegation"):
        return last_of_run, Tie.SUB_AGENT
    if step.parent is not None:
        return step.parent, Tie.PARENT
    return before, Tie.BEGINNING if before is None else Tie.SEQUENCE


def is_reason(step: Step) -> bool:
    """Whether a step says why: a decision, a model call, a message of the agent or a thought."""
    return step.kind in REASONS or is_thought(step)


def is_thought(step: Step) -> bool:
    """Whether it is a call of a tool that merely takes down what the model thinks."""
    return step.kind == "tool_call" and step.label.lower() in THOUGHTS
