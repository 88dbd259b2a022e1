"""The order of a session's steps: the same for every reader, wherever Kafka put the records. Pure.

1. If several records have the same ``event_id``, the first by partition and offset counts. A copy that was sent again
   lies behind later records of its process. It counts only if there is no copy at the right place.
2. The recorded times of a process never run backwards within a partition. An earlier time is raised to the one before.
3. Steps are ordered by their beginning, but a child follows its parent, and later records of the child's process
   follow the child. If both rules contradict each other, the parent comes first.
4. A record that arrived much later than its time says is marked, not moved.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import NamedTuple

from ..event.event import Event, Record, to_microseconds
from .step import Step

LATE_AFTER_US = 10_000_000
"""A record arrived late if it lies behind a record whose time is ten seconds later, or more."""

_SortKey = tuple[int, int, int, str, str]


class _Process(NamedTuple):
    agent_id: str
    name: str | int


class _ClockedRecord(NamedTuple):
    """A record with its corrected time (rule 2), and how late it arrived (rule 4)."""

    record: Record
    recorded: int
    late_us: int


def order_records(records: Iterable[Record]) -> tuple[list[Step], int]:
    """Return the ordered steps of ``records``, all of one session, and the number of records that were copies."""
    by_place = sorted(records, key=_get_place_key)
    unique = {record.event.event_id: record for record in reversed(by_place)}
    if len(unique) < len(by_place):
        unique = _choose_copies(by_place)
    clocked_records = _apply_clocks([record for record in by_place if unique[record.event.event_id] is record])
    return _order_steps(_fold_calls(clocked_records)), len(by_place) - len(unique)


def _choose_copies(records: list[Record]) -> dict[str, Record]:
    """Choose, for each event, the copy whose time is raised least; of several such copies the first."""
    least: dict[str, int] = {}
    chosen: dict[str, Record] = {}
    for c in _apply_clocks(records):
        event_id = c.record.event.event_id
        raised = c.recorded - to_microseconds(c.record.event.timestamp)
        if event_id not in least or raised < least[event_id]:
            least[event_id], chosen[event_id] = raised, c.record
    return chosen


def _get_place_key(record: Record) -> tuple[int, int, str, str]:
    place = record.place
    return place.partition, place.offset, place.topic or "", record.event.event_id


def _get_process(record: Record) -> _Process:
    name = record.place.process if record.place.headers else None
    return _Process(record.event.agent_id, record.place.partition if name is None else name)


def _apply_clocks(records: list[Record]) -> list[_ClockedRecord]:
    """Correct the recorded times, so that they never run backwards, and measure how late each record arrived."""
    raised: dict[tuple[str | None, int, _Process], int] = {}
    latest: dict[tuple[str | None, int], int] = {}
    clocked_records = []
    for record in records:
        partition = record.place.topic, record.place.partition
        process = *partition, _get_process(record)
        recorded = to_microseconds(record.event.timestamp)
        process_time = raised.get(process, recorded)
        recorded = max(recorded, process_time)
        newest = latest.get(partition, recorded)
        late_us = newest - recorded
        clocked_records.append(_ClockedRecord(record, recorded, late_us if late_us >= LATE_AFTER_US else 0))
        raised[process] = recorded
        if recorded >= newest:
            latest[partition] = recorded
    return clocked_records


MIN_TIME_US = to_microseconds(datetime.min.replace(tzinfo=UTC))
"""No step begins before the calendar does."""


def _fold_calls(clocked_records: list[_ClockedRecord]) -> dict[str, Step]:
    """Make the steps, each call together with its announcements. The keys are the ids that a child may name."""
    announced: dict[str, list[_ClockedRecord]] = defaultdict(list)
    steps: dict[str, Step] = {}
    for c in sorted((c for c in clocked_records if c.record.event.event_type == "call_started"), key=_get_clocked_key):
        announced[get_announced_id(c.record.event)].append(c)
    for c in clocked_records:
        event = c.record.event
        if event.event_type != "call_started":
            starts = announced.get(event.event_id, ())
            began = min(_find_beginning(starts[0]), c.recorded) if starts else _find_beginning(c)
            steps[event.event_id] = _make_step(c, starts, event.event_type, began)
    for call_id, starts in announced.items():
        if call_id not in steps:
            first = starts[0]
            steps[call_id] = _make_step(first, starts, get_announced_type(first.record.event), _find_beginning(first))
    for call_id, starts in announced.items():
        for start in starts:
            steps.setdefault(start.record.event.event_id, steps[call_id])
    return steps


def _get_clocked_key(c: _ClockedRecord) -> _SortKey:
    return c.recorded, *_get_place_key(c.record)


def _find_beginning(c: _ClockedRecord) -> int:
    """Return when a call began. A ``call_started`` may also say how long its call had run."""
    return max(c.recorded - c.record.event.latency_us, MIN_TIME_US)


def _make_step(c: _ClockedRecord, starts: Sequence[_ClockedRecord], kind: str, began: int) -> Step:
    return Step(c.record, tuple(start.record for start in starts), kind, began, c.recorded, c.late_us)


def get_announced_id(event: Event) -> str:
    """Return the id of the call's own event, which a ``call_started`` names."""
    return resolve_call_id(event.payload.get("call_id"), event.event_id)


def resolve_call_id(call_id: object, event_id: str) -> str:
    """Return the id of the call that a ``call_started`` announces: its ``call_id``, else its own ``event_id``."""
    return call_id if isinstance(call_id, str) and call_id else event_id


def get_announced_type(started: Event) -> str:
    """Return the event type of the call that ``started`` announces."""
    return resolve_call_type(started.payload.get("call_type"), names_model="model" in started.payload)


def resolve_call_type(call_type: object, *, names_model: bool) -> str:
    """Return the event type of an announced call: its ``call_type``, else a guess from whether it names a model."""
    guess = "llm_call" if names_model else "tool_call"
    return call_type if isinstance(call_type, str) else guess


def _get_begin_key(step: Step) -> _SortKey:
    return step.began, *_get_place_key(step.record)


def _order_steps(by_id: dict[str, Step]) -> list[Step]:
    steps = sorted(dict.fromkeys(by_id.values()), key=_get_begin_key)
    for step in steps:
        step.parent = by_id.get(step.event.parent_event_id or "")
    _cut_cycles(steps)
    return _StepSorter().sort(steps)


def _cut_cycles(steps: list[Step]) -> None:
    """Cut each circle of parents at the step that began first: it gets no parent."""
    settled: set[Step | None] = {None}
    for step in steps:
        if step.parent in settled:
            settled.add(step)
            continue
        path: dict[Step, None] = {}
        current: Step | None = step
        while current is not None and current not in settled and current not in path:
            path[current] = None
            current = current.parent
        if current is not None and current in path:
            members = list(path)
            min(members[members.index(current) :], key=_get_begin_key).parent = None
        settled.update(path)


class _StepSorter:
    """A queue that releases steps by their beginning.

    A step waits until its parent is released, and the later steps of its process wait for it.
    """

    def __init__(self) -> None:
        self.ordered: dict[Step, None] = {}
        self.waits_for: dict[Step, Step] = {}
        self.followers: dict[Step, list[Step]] = defaultdict(list)
        self.displaced: dict[_Process, list[tuple[_SortKey, Step]]] = defaultdict(list)
        self.blocker_path: dict[Step, None] = {}

    def sort(self, steps: list[Step]) -> list[Step]:
        out, followers = self.ordered, self.followers
        for step in steps:
            if followers or (step.parent is not None and step.parent not in out):
                self._add(step)
            else:
                out[step] = None
        return list(out)

    def _add(self, step: Step) -> None:
        """Release ``step`` and the steps that waited for it, in the order of their beginnings; or let ``step`` wait."""
        ready: list[tuple[_SortKey, Step]] = []
        current: Step | None = step
        while current is not None:
            blocker = self._find_blocker(current)
            if blocker is None:
                self._append(current)
                for follower in self.followers.pop(current, ()):
                    heappush(ready, (_get_begin_key(follower), follower))
            else:
                self.waits_for[current] = blocker
                self.followers[blocker].append(current)
            current = heappop(ready)[1] if ready else None

    def _find_blocker(self, step: Step) -> Step | None:
        """Return the step that ``step`` must wait for: its parent, or an earlier step of its process that waits."""
        if step.parent is not None and step.parent not in self.ordered:
            heappush(self.displaced[_get_process(step.record)], (get_recorded_key(step), step))
            return step.parent
        displaced = self.displaced.get(_get_process(step.record), []) if self.displaced else []
        while displaced and displaced[0][1] in self.ordered:
            heappop(displaced)
        if (
            not displaced
            or displaced[0][0] >= get_recorded_key(step)
            or self._find_last_blocker(displaced[0][1]) is step
        ):
            return None
        return displaced[0][1]

    def _append(self, step: Step) -> None:
        if step in self.waits_for:
            step.was_moved, step.began = True, max(step.began, self.waits_for[step].began)
        self.ordered[step] = None

    def _find_last_blocker(self, step: Step) -> Step:
        """Return the last step in the chain of steps that ``step`` waits for.

        The chain is kept, because the next call often walks along it again.
        """
        if step not in self.blocker_path:
            self.blocker_path = {step: None}
        while (end := next(reversed(self.blocker_path))) in self.ordered:
            del self.blocker_path[end]
        while (further := self.waits_for.get(end, end.parent)) is not None and further not in self.ordered:
            self.blocker_path[further] = None
            end = further
        return end


def get_recorded_key(step: Step) -> _SortKey:
    """Return the sort key for the order in which steps were recorded."""
    return step.recorded, *_get_place_key(step.record)
