"""Records -> steps in order: the same for all readers, however Kafka interleaved, doubled or spread them. Pure.

1. Of several records with one ``event_id`` the first by partition and offset counts; but one that stands behind what
   its process recorded later, as a copy sent again does, counts only when no other lies in its own time.
2. A process's recorded times never run backwards within a partition; an earlier one is raised to the one before it.
3. Steps stand in the order of their beginning, but a child stands behind its parent, and what the child's process
   recorded later stays behind the child; where the two contradict, the parent wins.
4. What arrived much later than its time says is marked, not moved.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import NamedTuple

from ..event.event import Event, Record, microseconds
from .step import Step

LATE_US = 10_000_000
"""A record that stands behind one recorded ten seconds after it, or more, arrived late."""

_Key = tuple[int, int, int, str, str]


class _Process(NamedTuple):
    agent_id: str
    name: str | int


class _Clocked(NamedTuple):
    """A record with its time as its process's clock allows it."""

    record: Record
    recorded: int
    late_us: int


def in_order(records: Iterable[Record]) -> tuple[list[Step], int]:
    """The steps of ``records``, all of one session, and how many of the records were copies of another."""
    placed = sorted(records, key=_place_key)
    unique = {record.event.event_id: record for record in reversed(placed)}
    if len(unique) < len(placed):
        unique = _first_copies(placed)
    clocked = _clocked([record for record in placed if unique[record.event.event_id] is record])
    return _ordered(_folded(clocked)), len(placed) - len(unique)


def _first_copies(placed: list[Record]) -> dict[str, Record]:
    """Of each event's copies the one whose time has to be raised least, of several such the first."""
    least: dict[str, int] = {}
    found: dict[str, Record] = {}
    for c in _clocked(placed):
        event_id = c.record.event.event_id
        raised = c.recorded - microseconds(c.record.event.timestamp)
        if event_id not in least or raised < least[event_id]:
            least[event_id], found[event_id] = raised, c.record
    return found


def _place_key(record: Record) -> tuple[int, int, str, str]:
    place = record.place
    return place.partition, place.offset, place.topic or "", record.event.event_id


def _process(record: Record) -> _Process:
    name = record.place.process if record.place.headers else None
    return _Process(record.event.agent_id, record.place.partition if name is None else name)


def _clocked(placed: list[Record]) -> list[_Clocked]:
    """Times that never run backwards in a process's part of a partition, and how late each record came."""
    raised: dict[tuple[str | None, int, _Process], int] = {}
    latest: dict[tuple[str | None, int], int] = {}
    found = []
    for record in placed:
        partition = record.place.topic, record.place.partition
        process = *partition, _process(record)
        recorded = microseconds(record.event.timestamp)
        before = raised.get(process, recorded)
        recorded = max(recorded, before)
        newest = latest.get(partition, recorded)
        late_us = newest - recorded
        found.append(_Clocked(record, recorded, late_us if late_us >= LATE_US else 0))
        raised[process] = recorded
        if recorded >= newest:
            latest[partition] = recorded
    return found


BEFORE_ALL = microseconds(datetime.min.replace(tzinfo=UTC))


def _folded(clocked: list[_Clocked]) -> dict[str, Step]:
    """Steps by the ids that a child may name as its parent, each call one with its announcements."""
    announced: dict[str, list[_Clocked]] = defaultdict(list)
    steps: dict[str, Step] = {}
    for c in sorted((c for c in clocked if c.record.event.event_type == "call_started"), key=_recorded_first):
        announced[announces(c.record.event)].append(c)
    for c in clocked:
        event = c.record.event
        if event.event_type != "call_started":
            starts = announced.get(event.event_id, ())
            began = min(_began(starts[0]), c.recorded) if starts else _began(c)
            steps[event.event_id] = _step(c, starts, event.event_type, began)
    for call_id, starts in announced.items():
        if call_id not in steps:
            first = starts[0]
            steps[call_id] = _step(first, starts, call_type(first.record.event), _began(first))
    for call_id, starts in announced.items():
        for start in starts:
            steps.setdefault(start.record.event.event_id, steps[call_id])
    return steps


def _recorded_first(c: _Clocked) -> _Key:
    return c.recorded, *_place_key(c.record)


def _began(c: _Clocked) -> int:
    """When a call began; a ``call_started`` too may say how long its call had run by then."""
    return max(c.recorded - c.record.event.latency_us, BEFORE_ALL)


def _step(c: _Clocked, starts: Sequence[_Clocked], kind: str, began: int) -> Step:
    return Step(c.record, tuple(start.record for start in starts), kind, began, c.recorded, c.late_us)


def announces(event: Event) -> str:
    """The id that the call's own event will have, as a ``call_started`` says it."""
    return announced_id(event.payload.get("call_id"), event.event_id)


def announced_id(call_id: object, event_id: str) -> str:
    """The id of the call that a ``call_started`` of ``event_id`` announces, from the ``call_id`` in its payload."""
    return call_id if isinstance(call_id, str) and call_id else event_id


def call_type(started: Event) -> str:
    """The event type of the call that ``started`` announces."""
    return announced_type(started.payload.get("call_type"), names_model="model" in started.payload)


def announced_type(call_type: object, *, names_model: bool) -> str:
    """The event type of an announced call, from its payload's ``call_type``, else from whether that has a ``model``."""
    guess = "llm_call" if names_model else "tool_call"
    return call_type if isinstance(call_type, str) else guess


def _key(step: Step) -> _Key:
    return step.began, *_place_key(step.record)


def _ordered(by_id: dict[str, Step]) -> list[Step]:
    steps = sorted(dict.fromkeys(by_id.values()), key=_key)
    for step in steps:
        step.parent = by_id.get(step.event.parent_event_id or "")
    _cut_circles(steps)
    return _Ordering().run(steps)


def _cut_circles(steps: list[Step]) -> None:
    """Of parents that form a circle, the one that began first has none."""
    settled: set[Step | None] = {None}
    for step in steps:
        if step.parent in settled:
            settled.add(step)
            continue
        path: dict[Step, None] = {}
        at: Step | None = step
        while at is not None and at not in settled and at not in path:
            path[at] = None
            at = at.parent
        if at is not None and at in path:
            members = list(path)
            min(members[members.index(at) :], key=_key).parent = None
        settled.update(path)


class _Ordering:
    """Takes steps by their beginning; one whose parent isn't out yet waits, and its process's later ones with it."""

    def __init__(self) -> None:
        self.out: dict[Step, None] = {}
        self.waits_for: dict[Step, Step] = {}
        self.followers: dict[Step, list[Step]] = defaultdict(list)
        self.displaced: dict[_Process, list[tuple[_Key, Step]]] = defaultdict(list)
        self.way: dict[Step, None] = {}

    def run(self, steps: list[Step]) -> list[Step]:
        out, followers = self.out, self.followers
        for step in steps:
            if followers or (step.parent is not None and step.parent not in out):
                self._take(step)
            else:
                out[step] = None
        return list(out)

    def _take(self, step: Step) -> None:
        """Let ``step`` out, and behind it all that waited for it, each as soon as its own beginning allows."""
        ready: list[tuple[_Key, Step]] = []
        at: Step | None = step
        while at is not None:
            behind = self._held_back(at)
            if behind is None:
                self._let_out(at)
                for follower in self.followers.pop(at, ()):
                    heappush(ready, (_key(follower), follower))
            else:
                self.waits_for[at] = behind
                self.followers[behind].append(at)
            at = heappop(ready)[1] if ready else None

    def _held_back(self, step: Step) -> Step | None:
        """What ``step`` has to wait for: its parent, or a displaced step that its process recorded before it."""
        if step.parent is not None and step.parent not in self.out:
            heappush(self.displaced[_process(step.record)], (recorded_key(step), step))
            return step.parent
        displaced = self.displaced.get(_process(step.record), []) if self.displaced else []
        while displaced and displaced[0][1] in self.out:
            heappop(displaced)
        if not displaced or displaced[0][0] >= recorded_key(step) or self._awaited(displaced[0][1]) is step:
            return None
        return displaced[0][1]

    def _let_out(self, step: Step) -> None:
        if step in self.waits_for:
            step.moved, step.began = True, max(step.began, self.waits_for[step].began)
        self.out[step] = None

    def _awaited(self, step: Step) -> Step:
        """What ``step`` waits for in the end. The way there is kept, as who asks next mostly goes along it too."""
        if step not in self.way:
            self.way = {step: None}
        while (end := next(reversed(self.way))) in self.out:
            del self.way[end]
        while (further := self.waits_for.get(end, end.parent)) is not None and further not in self.out:
            self.way[further] = None
            end = further
        return end


def recorded_key(step: Step) -> _Key:
    """What steps are sorted by for the order in which they were recorded."""
    return step.recorded, *_place_key(step.record)
