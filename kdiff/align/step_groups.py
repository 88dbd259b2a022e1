"""A timeline as moves: steps of one lane and agent, a repeated call folded into its first. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agentlog.analysis.call_outcome import THOUGHTS, period
from agentlog.session.step import Lane, Step
from agentlog.session.timeline import Timeline

from ..reading.side_effects import Effect
from ..reading.signature import CALLS, Sketch, sketched
from ..reading.spill import Shelf

ABSORBED = frozenset({"llm_call", "decision", "error"})
"""What an agent does between two tries of one call. A message in between makes the second one a new call."""
NAMED = CALLS | {"llm_call", "decision", "delegation_result"}


@dataclass(slots=True, eq=False)
class Move:
    """A step, together with the repetitions of it that follow.

    Attributes:
        index: its place in the timeline, the first being 1.
        shelf: where its payload waits.
        again: the repetitions, in order.
        is_call: whether it does something, in place of saying something.
    """

    step: Step
    index: int
    sketch: Sketch
    shelf: Shelf
    again: list["Move"] = field(default_factory=list)
    is_call: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_call = self.step.kind in CALLS

    @property
    def kind(self) -> str:
        """The event type; of an open call that of the call."""
        return self.step.kind

    @property
    def is_thought(self) -> bool:
        """Whether the call is to a tool that merely takes down what the model thinks."""
        return self.step.kind == "tool_call" and self.step.label.lower() in THOUGHTS

    @property
    def changes_state(self) -> bool:
        """Whether it changes the world, as far as we can tell."""
        return self.sketch.effect is Effect.CHANGES

    @property
    def times(self) -> int:
        """How often it was done in a row."""
        return 1 + len(self.again)

    @property
    def succeeded(self) -> int:
        """How many of the times didn't end in an error, and aren't still open."""
        return sum(not each.sketch.failed and not each.step.is_open for each in (self, *self.again))

    @property
    def recorded(self) -> int:
        """When the last of the repetitions was recorded."""
        return max(each.step.recorded for each in (self, *self.again)) if self.again else self.step.recorded

    @property
    def value(self) -> bytes:
        """The event as stored."""
        return self.shelf.value(self.sketch.at, self.sketch.size)

    @property
    def given_ids(self) -> Sequence[int]:
        """The marks of the ids in what it was given."""
        return self.shelf.marks(self.sketch.ids_at, self.sketch.given_ids)

    @property
    def other_ids(self) -> Sequence[int]:
        """The marks of the ids in what it answered, or holds besides."""
        return self.shelf.marks(self.sketch.ids_at + self.sketch.given_ids, self.sketch.rest_ids)

    @property
    def label(self) -> str:
        """What names it: the tool, the model, the agent; of a message its kind."""
        return (self.step.label if self.step.kind in NAMED else "") or self.step.kind


class Stream(NamedTuple):
    """What one agent did in one lane."""

    lane: Lane
    agent: str


@dataclass(frozen=True, slots=True)
class Moves:
    """All moves of a session.

    Attributes:
        all: in the timeline's order, repetitions too.
        streams: of each lane and agent, in order, repetitions folded into the first.
        of: by step.
    """

    timeline: Timeline
    all: list[Move]
    streams: dict[Stream, list[Move]]
    of: dict[Step, Move]


def moves(timeline: Timeline, shelf: Shelf) -> Moves:
    """The moves of a timeline that was made of sketches, their payloads being on ``shelf``."""
    every = [Move(step, n, sketched(step), shelf) for n, step in enumerate(timeline.steps, 1)]
    acting = {move.step.event.agent_id for move in every if move.is_call or move.kind == "llm_call"}
    streams: dict[Stream, list[Move]] = defaultdict(list)
    for move in every:
        agent, lane = move.step.event.agent_id, move.step.lane
        streams[Stream(lane, agent if agent in acting else lane.agent_id)].append(move)
    folded = {stream: list(_folded(own)) for stream, own in streams.items()}
    return Moves(timeline, every, folded, {move.step: move for move in every})


def _folded(own: Sequence[Move]) -> Iterator[Move]:
    again: set[Move] = set()
    for run in _runs(own):
        for first, repeated in _repeats(run):
            first.again.extend(repeated)
            again.update(repeated)
    return (move for move in own if move not in again)


def _runs(own: Iterable[Move]) -> Iterator[list[Move]]:
    """Calls in a row, what is merely thought between them left out."""
    run: list[Move] = []
    for move in own:
        if move.is_call and move.kind != "delegation" and not move.is_thought:
            run.append(move)
        elif move.kind not in ABSORBED and not move.is_thought:
            yield run
            run = []
    yield run


def _repeats(run: list[Move]) -> Iterator[tuple[Move, list[Move]]]:
    acts = [move.sketch.act for move in run]
    at = 0
    while at < len(run):
        length, times = period(acts, at)
        if times > 1:
            for n in range(at, at + length):
                yield run[n], run[n + length : at + length * times : length]
        at += length * times
