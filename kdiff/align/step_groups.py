"""A timeline as moves: steps of one lane and agent, a repeated call folded into its first. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agentlog.analysis.call_outcome import THOUGHT_TOOLS, find_period
from agentlog.session.step import Lane, Step
from agentlog.session.timeline import Timeline

from ..reading.side_effects import Effect
from ..reading.signature import CALL_KINDS, RecordSignature, get_signature
from ..reading.spill import SpillFile

ABSORBED_KINDS = frozenset({"llm_call", "decision", "error"})
"""What an agent does between two tries of one call. A message in between makes the second one a new call."""
LABELLED_KINDS = CALL_KINDS | {"llm_call", "decision", "delegation_result"}


@dataclass(slots=True, eq=False)
class StepGroup:
    """A step, together with the repetitions of it that follow.

    Attributes:
        index: its place in the timeline, the first being 1.
        spill: where its payload waits.
        repeats: the repetitions, in order.
        is_call: whether it does something, in place of saying something.
    """

    step: Step
    index: int
    signature: RecordSignature
    spill: SpillFile
    repeats: list["StepGroup"] = field(default_factory=list)
    is_call: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_call = self.step.kind in CALL_KINDS

    @property
    def kind(self) -> str:
        """The event type; of an open call that of the call."""
        return self.step.kind

    @property
    def is_thought(self) -> bool:
        """Whether the call is to a tool that merely takes down what the model thinks."""
        return self.step.kind == "tool_call" and self.step.label.lower() in THOUGHT_TOOLS

    @property
    def changes_state(self) -> bool:
        """Whether it changes the world, as far as we can tell."""
        return self.signature.effect is Effect.CHANGES

    @property
    def times(self) -> int:
        """How often it was done in a row."""
        return 1 + len(self.repeats)

    @property
    def success_count(self) -> int:
        """How many of the times didn't end in an error, and aren't still open."""
        return sum(not each.signature.has_failed and not each.step.is_open for each in (self, *self.repeats))

    @property
    def last_recorded(self) -> int:
        """When the last of the repetitions was recorded."""
        return max(each.step.recorded for each in (self, *self.repeats)) if self.repeats else self.step.recorded

    @property
    def value(self) -> bytes:
        """The event as stored."""
        return self.spill.read_value(self.signature.value_offset, self.signature.value_size)

    @property
    def call_ids(self) -> Sequence[int]:
        """The marks of the ids in what it was given."""
        return self.spill.get_id_hashes(self.signature.ids_start, self.signature.call_id_count)

    @property
    def result_ids(self) -> Sequence[int]:
        """The marks of the ids in what it answered, or holds besides."""
        return self.spill.get_id_hashes(
            self.signature.ids_start + self.signature.call_id_count, self.signature.result_id_count
        )

    @property
    def label(self) -> str:
        """What names it: the tool, the model, the agent; of a message its kind."""
        return (self.step.label if self.step.kind in LABELLED_KINDS else "") or self.step.kind


class Stream(NamedTuple):
    """What one agent did in one lane."""

    lane: Lane
    agent: str


@dataclass(frozen=True, slots=True)
class StepGroups:
    """All moves of a session.

    Attributes:
        groups: in the timeline's order, repetitions too.
        streams: of each lane and agent, in order, repetitions folded into the first.
        by_step: by step.
    """

    timeline: Timeline
    groups: list[StepGroup]
    streams: dict[Stream, list[StepGroup]]
    by_step: dict[Step, StepGroup]


def group_steps(timeline: Timeline, spill: SpillFile) -> StepGroups:
    """The moves of a timeline that was made of sketches, their payloads being on ``spill``."""
    groups = [StepGroup(step, n, get_signature(step), spill) for n, step in enumerate(timeline.steps, 1)]
    acting_agents = {group.step.event.agent_id for group in groups if group.is_call or group.kind == "llm_call"}
    streams: dict[Stream, list[StepGroup]] = defaultdict(list)
    for group in groups:
        agent, lane = group.step.event.agent_id, group.step.lane
        streams[Stream(lane, agent if agent in acting_agents else lane.agent_id)].append(group)
    folded = {stream: list(_fold_repeats(stream_groups)) for stream, stream_groups in streams.items()}
    return StepGroups(timeline, groups, folded, {group.step: group for group in groups})


def _fold_repeats(groups: Sequence[StepGroup]) -> Iterator[StepGroup]:
    folded: set[StepGroup] = set()
    for run in _split_into_runs(groups):
        for first, repeated in _find_repeats(run):
            first.repeats.extend(repeated)
            folded.update(repeated)
    return (group for group in groups if group not in folded)


def _split_into_runs(groups: Iterable[StepGroup]) -> Iterator[list[StepGroup]]:
    """Calls in a row, what is merely thought between them left out."""
    run: list[StepGroup] = []
    for group in groups:
        if group.is_call and group.kind != "delegation" and not group.is_thought:
            run.append(group)
        elif group.kind not in ABSORBED_KINDS and not group.is_thought:
            yield run
            run = []
    yield run


def _find_repeats(run: list[StepGroup]) -> Iterator[tuple[StepGroup, list[StepGroup]]]:
    call_hashes = [group.signature.call_hash for group in run]
    start = 0
    while start < len(run):
        length, times = find_period(call_hashes, start)
        if times > 1:
            for first in range(start, start + length):
                yield run[first], run[first + length : start + length * times : length]
        start += length * times
