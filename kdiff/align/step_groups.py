"""The step groups of a timeline: each repeated call is folded into the first. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from agentlog.analysis.call_outcome import THOUGHT_TOOLS, find_period
from agentlog.analysis.loops import is_wait
from agentlog.event import codec
from agentlog.event.event import Event, Record, Unreadable
from agentlog.session.step import Lane, Step
from agentlog.session.timeline import Timeline

from ..reading.normalize import IgnoreRules, mask_random_ids
from ..reading.side_effects import Effect
from ..reading.signature import CALL_KINDS, RecordSignature, get_signature
from ..reading.spill import SpillFile

ABSORBED_KINDS = frozenset({"llm_call", "decision", "error"})
"""Kinds of steps that may lie between two tries of one call. Any other step makes the second try a new call."""
NO_RULES = IgnoreRules()
MAX_WAITS = 2
"""The number of waits between two reads of a poll, at most."""
THINKING_KINDS = frozenset({"llm_call", "decision", "agent_message"})
"""Kinds of steps that repeat a call's arguments in words, and do nothing."""
LABELLED_KINDS = CALL_KINDS | {"llm_call", "decision", "delegation_result"}
"""Kinds of steps that are named by their label. Others are named by their kind."""


@dataclass(slots=True, eq=False)
class StepGroup:
    """A step, together with the repetitions of it that follow.

    Attributes:
        index: the number of the step in the timeline, from 1.
        spill: the file that holds its payload.
        repeats: the repetitions, in order.
        is_call: whether it does something. Other steps say something.
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
        """The event type; for an open call, the type of the call."""
        return self.step.kind

    @property
    def is_thought(self) -> bool:
        """Whether it calls a tool that only notes the model's thoughts."""
        return self.step.kind == "tool_call" and self.step.label.lower() in THOUGHT_TOOLS

    @property
    def changes_state(self) -> bool:
        """Whether it counts as a change of state."""
        return self.signature.effect is Effect.CHANGES

    @property
    def times(self) -> int:
        """The number of times it was done in a row."""
        return 1 + len(self.repeats)

    @property
    def success_count(self) -> int:
        """The number of times that ended without an error. Open calls don't count."""
        return sum(not each.signature.has_failed and not each.step.is_open for each in (self, *self.repeats))

    @property
    def last(self) -> "StepGroup":
        """The last repetition; itself if there is none."""
        return self.repeats[-1] if self.repeats else self

    @property
    def last_recorded(self) -> int:
        """The time when the last repetition was recorded."""
        return max(each.step.recorded for each in (self, *self.repeats)) if self.repeats else self.step.recorded

    @property
    def value(self) -> bytes:
        """The event as stored."""
        return self.spill.read_value(self.signature.value_offset, self.signature.value_size)

    @property
    def call_ids(self) -> Sequence[int]:
        """The hashes of the ids in its arguments."""
        return self.spill.get_id_hashes(self.signature.ids_start, self.signature.call_id_count)

    @property
    def result_ids(self) -> Sequence[int]:
        """The hashes of the ids in its result and in all other members."""
        return self.spill.get_id_hashes(
            self.signature.ids_start + self.signature.call_id_count, self.signature.result_id_count
        )

    @property
    def all_ids(self) -> Sequence[int]:
        """The hashes of all its ids, those in its arguments first."""
        signature = self.signature
        return self.spill.get_id_hashes(signature.ids_start, signature.call_id_count + signature.result_id_count)

    @property
    def has_volatiles(self) -> bool:
        """Whether its arguments hold a time or another volatile value."""
        return self.signature.call_volatile_count > 0

    @property
    def call_volatiles(self) -> Sequence[int]:
        """The hashes of the times and other volatile values in its arguments."""
        signature = self.signature
        start = signature.ids_start + signature.call_id_count + signature.result_id_count
        return self.spill.get_id_hashes(start, signature.call_volatile_count)

    @property
    def result_volatiles(self) -> Sequence[int]:
        """The hashes of those that the agent read in its result."""
        signature = self.signature
        start = signature.ids_start + signature.call_id_count + signature.result_id_count
        return self.spill.get_id_hashes(start + signature.call_volatile_count, signature.result_volatile_count)

    @property
    def label(self) -> str:
        """The name of the tool, the model or the agent; of a message its kind."""
        return (self.step.label if self.step.kind in LABELLED_KINDS else "") or self.step.kind

    @property
    def name(self) -> str:
        """The label without random ids: that by which a call is called alike on both sides."""
        return mask_random_ids(self.label, NO_RULES)


def load_step(group: StepGroup) -> Step:
    """Load a step with its whole event."""
    return replace(group.step, record=Record(read_event(group), group.signature.place, b""))


def read_event(group: StepGroup) -> Event:
    """Read a step's event with its whole payload."""
    record = codec.decode(group.value, group.signature.place, "")
    if isinstance(record, Unreadable):
        raise TypeError(record.reason)
    return record.event


class Stream(NamedTuple):
    """The key of the steps of one agent in one lane."""

    lane: Lane
    agent: str


@dataclass(frozen=True, slots=True)
class StepGroups:
    """All step groups of a session.

    Attributes:
        groups: one for each step of the timeline, in its order, with the repetitions.
        streams: the groups of each lane and agent, in order, without the repetitions.
        by_step: the group of each step.
    """

    timeline: Timeline
    groups: list[StepGroup]
    streams: dict[Stream, list[StepGroup]]
    by_step: dict[Step, StepGroup]


def group_steps(timeline: Timeline, spill: SpillFile) -> StepGroups:
    """Group the steps of a timeline. Its records are signatures; ``spill`` holds the payloads."""
    groups = [StepGroup(step, n, get_signature(step), spill) for n, step in enumerate(timeline.steps, 1)]
    acting_agents = {group.step.event.agent_id for group in groups if group.is_call or group.kind == "llm_call"}
    streams: dict[Stream, list[StepGroup]] = defaultdict(list)
    for group in groups:
        agent, lane = group.step.event.agent_id, group.step.lane
        streams[Stream(lane, agent if agent in acting_agents else lane.agent_id)].append(group)
    keys = _RepeatKeys(groups)
    folded = {stream: list(_fold_repeats(stream_groups, keys)) for stream, stream_groups in streams.items()}
    return StepGroups(timeline, groups, folded, {group.step: group for group in groups})


class _RepeatKeys:
    """The keys by which a call is the repetition of another one: equal arguments, about the same things.

    A random id that no other step holds is fresh, such as the key of a request. One that others hold names a thing.
    """

    def __init__(self, groups: Sequence[StepGroup]) -> None:
        self._groups = groups
        self._waits: dict[int, bool] = {}

    def get_key(self, group: StepGroup) -> int:
        """Return the key of a call."""
        if not group.signature.call_id_count and not group.has_volatiles:
            return group.signature.call_hash
        things = tuple(each for each in group.call_ids if each in self._names_of_things)
        if group.has_volatiles:
            reads = self._first_reads
            things += tuple(each for each in group.call_volatiles if reads.get(each, group.index) < group.index)
        return hash((group.signature.call_hash, things)) if things else group.signature.call_hash

    def is_wait(self, group: StepGroup) -> bool:
        """Whether a call only lets time pass."""
        key = group.signature.call_hash
        if key not in self._waits:
            self._waits[key] = is_wait(load_step(group))
        return self._waits[key]

    @cached_property
    def _first_reads(self) -> dict[int, int]:
        named = {each for group in self._groups if group.has_volatiles for each in group.call_volatiles}
        return find_first_reads(self._groups, named)

    @cached_property
    def _names_of_things(self) -> set[int]:
        return collect_ids(group for group in self._groups if group.kind not in THINKING_KINDS)[1]


def collect_ids(groups: Iterable[StepGroup]) -> tuple[set[int], set[int]]:
    """Return the ids of all steps, and those that several steps hold."""
    every: set[int] = set()
    repeated: set[int] = set()
    for group in groups:
        ids = group.all_ids
        if not every.isdisjoint(ids):
            repeated |= every.intersection(ids)
        every.update(ids)
    return every, repeated


def find_first_reads(groups: Iterable[StepGroup], named: AbstractSet[int]) -> dict[int, int]:
    """Return the number of the step that first read each of the volatile values that calls name."""
    first_reads: dict[int, int] = {}
    for group in groups if named else ():
        if group.signature.result_volatile_count and not named.isdisjoint(volatiles := group.result_volatiles):
            for each in named & set(volatiles):
                first_reads.setdefault(each, group.index)
    return first_reads


def _fold_repeats(groups: Sequence[StepGroup], keys: _RepeatKeys) -> Iterator[StepGroup]:
    folded: set[StepGroup] = set()
    for run in _split_into_runs(groups):
        for first, repeated in _find_polls(run, keys):
            first.repeats.extend(repeated)
            folded.update(repeated)
        unfolded = [group for group in run if group not in folded] if folded else run
        for first, repeated in _find_repeats(unfolded, keys):
            first.repeats.extend(each for group in repeated for each in (group, *group.repeats))
            folded.update(repeated)
    return (group for group in groups if group not in folded)


def _split_into_runs(groups: Iterable[StepGroup]) -> Iterator[list[StepGroup]]:
    """Yield runs of calls. Thoughts between the calls are left out."""
    run: list[StepGroup] = []
    for group in groups:
        if group.is_call and group.kind != "delegation" and not group.is_thought:
            run.append(group)
        elif group.kind not in ABSORBED_KINDS and not group.is_thought:
            yield run
            run = []
    yield run


def _find_polls(run: list[StepGroup], keys: _RepeatKeys) -> Iterator[tuple[StepGroup, list[StepGroup]]]:
    """Yield reads that were repeated after waits, and those waits: each first one with its repetitions."""
    call_keys = [keys.get_key(group) for group in run]
    start = 0
    while start < len(run) - 2:
        reads = [start]
        waits: list[int] = []
        while (following := _find_next_read(run, call_keys, reads[-1], keys)) is not None:
            waits += range(reads[-1] + 1, following)
            reads.append(following)
        if waits:
            yield run[start], [run[n] for n in reads[1:]]
            for key in dict.fromkeys(call_keys[n] for n in waits):
                first, *repeated = (run[n] for n in waits if call_keys[n] == key)
                yield first, repeated
        start = reads[-1] + 1


def _find_next_read(run: list[StepGroup], call_keys: Sequence[int], index: int, keys: _RepeatKeys) -> int | None:
    """Return the index of the same read again, if there are only waits between the two."""
    for following in range(index + 1, min(index + MAX_WAITS + 2, len(run))):
        if call_keys[following] == call_keys[index]:
            is_poll = not run[index].changes_state and not keys.is_wait(run[index])
            return following if is_poll and all(map(keys.is_wait, run[index + 1 : following])) else None
    return None


def _find_repeats(run: list[StepGroup], keys: _RepeatKeys) -> Iterator[tuple[StepGroup, list[StepGroup]]]:
    call_keys = [keys.get_key(group) for group in run]
    start = 0
    while start < len(run):
        length, times = find_period(call_keys, start)
        if times > 1:
            for first in range(start, start + length):
                yield run[first], run[first + length : start + length * times : length]
        start += length * times
