"""Which step each step of a timeline follows from, and what came of it. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from ..session.timeline import Lane, Step, Timeline
from .call_outcome import THOUGHT_TOOLS

REASON_KINDS = frozenset({"decision", "llm_call", "agent_message"})


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


class CauseGraph:
    """What each step of a timeline follows from.

    A step follows from its parent, one without a parent from the step before it in its lane: always from one that
    stands before it, so no chain has a circle. What a sub-agent came back with follows from the last that it did.

    Attributes:
        step_numbers: each step's number, the first being 1.
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
        """The nearest decision, model call, message or thought of an agent that ``step`` follows from."""
        return self._reasons[step]

    def get_children(self, step: Step) -> list[Step]:
        """The steps that follow from ``step``, in order."""
        return self._children.get(step, [])

    def build_chain(self, step: Step) -> list[Link]:
        """The steps that led to ``step``, from the session's first down to itself, through sub-agents and back."""
        links = self._build_links(step, self._last_steps_of_runs)
        return (links if links is not None else self._build_links(step, {}) or [])[::-1]

    def _build_links(self, step: Step, last_steps_of_runs: Mapping[Step, Step]) -> list[Link] | None:
        """From ``step`` up; None where a sub-agent's last step follows from what it came back with, as it can't be."""
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
    """For what a sub-agent came back with, the last that it had done by then, where no parent leads into its lane."""
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
    """Whether a step says why: a decision, a model call, a message of the agent or a thought."""
    return step.kind in REASON_KINDS or is_thought(step)


def is_thought(step: Step) -> bool:
    """Whether it is a call of a tool that merely takes down what the model thinks."""
    return step.kind == "tool_call" and step.label.lower() in THOUGHT_TOOLS
