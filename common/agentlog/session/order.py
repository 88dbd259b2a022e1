"""The order of a session's steps: the same for every reader, wherever Kafka put the records. Pure.

1. If several records have the same ``event_id`` and the same content, the first by partition and offset counts. A copy
   that was sent again lies behind later records of its process. It counts only if there is no copy at the right place.
   Records with the same ``event_id`` and different contents are different events. Their id is ambiguous: whoever names
   it means one that began before, if possible of the same process, and of those the last.
2. The recorded times of a process never run backwards within a partition. An earlier time is raised to the one before.
3. Steps are ordered by their beginning, but a child follows its parent, and later records of the child's process
   follow the child. If both rules contradict each other, the parent comes first.
4. A record that arrived much later than its time says is marked, not moved.
5. A time that lies years from the session's other times is no time: the record gets the time of the one before it in
   its partition, and is marked.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import NamedTuple

from ..event.content import encode_content
from ..event.event import Event, Record, is_plausible_ms, to_microseconds
from .step import Step

LATE_AFTER_US = 10_000_000
"""A record arrived late if it lies behind a record whose time is ten seconds later, or more."""

MAX_GAP_US = 730 * 86_400_000_000
"""A session's times are its own if no two neighbours are further apart: two years."""

_SortKey = tuple[int, int, int, str, str]


class _Process(NamedTuple):
    agent_id: str
    name: str | int


class _ClockedRecord(NamedTuple):
    """A record with its corrected time (rules 2 and 5), and how late it arrived (rule 4)."""

    record: Record
    recorded: int
    late_us: int
    has_odd_clock: bool = False


class OrderedRecords(NamedTuple):
    """The ordered steps of a session.

    Attributes:
        duplicates: the number of records that were copies.
        clashes: the number of ids that stand for several events.
    """

    steps: list[Step]
    duplicates: int
    clashes: int


def order_records(records: Iterable[Record]) -> OrderedRecords:
    """Return the ordered steps of ``records``, all of one session."""
    by_place = sorted(records, key=_get_place_key)
    counts = Counter(record.event.event_id for record in by_place)
    clashes = 0
    unique = by_place
    if len(counts) < len(by_place):
        unique = _drop_copies(by_place)
        clashes = sum(count > 1 for count in Counter(record.event.event_id for record in unique).values())
    steps = _order_steps(_fold_calls(_apply_clocks(unique)))
    return OrderedRecords(steps, len(by_place) - len(unique), clashes)


def _drop_copies(records: list[Record]) -> list[Record]:
    """Keep, of each event, the copy whose time is raised least; of several such copies the first."""
    contents = _number_contents(records)
    least: dict[tuple[str, int], int] = {}
    chosen: dict[tuple[str, int], Record] = {}
    for c, content in zip(_apply_clocks(records), contents, strict=True):
        key = c.record.event.event_id, content
        raised = c.recorded - to_microseconds(c.record.event.timestamp)
        if key not in least or raised < least[key]:
            least[key], chosen[key] = raised, c.record
    return sorted(chosen.values(), key=_get_place_key)


def _number_contents(records: list[Record]) -> list[int]:
    """Return a number for each record. Records with the same id have the same number if they are copies."""
    first_values: dict[str, bytes] = {}
    contents: dict[str, list[bytes]] = {}
    numbers = []
    for record in records:
        event_id = record.event.event_id
        if first_values.setdefault(event_id, record.value) == record.value:
            numbers.append(0)
            continue
        known = contents.setdefault(event_id, [encode_content(first_values[event_id])])
        content = encode_content(record.value)
        if content not in known:
            known.append(content)
        numbers.append(known.index(content))
    return numbers


def _get_place_key(record: Record) -> tuple[int, int, str, str]:
    place = record.place
    return place.partition, place.offset, place.topic or "", record.event.event_id


def _is_same_process(a: Record, b: Record) -> bool:
    """Whether both records are of one process. Without names, those of an agent in a partition are."""
    names = a.place.process, b.place.process
    return _get_process(a) == _get_process(b) if None in names else names[0] == names[1]


def is_other_process(a: Record, b: Record) -> bool:
    """Whether both records name their process, and the names differ."""
    names = a.place.process, b.place.process
    return None not in names and names[0] != names[1]


def _get_process(record: Record) -> _Process:
    name = record.place.process if record.place.headers else None
    return _Process(record.event.agent_id, record.place.partition if name is None else name)


def _apply_clocks(records: list[Record]) -> list[_ClockedRecord]:
    """Correct the recorded times, so that they never run backwards, and measure how late each record arrived."""
    raised: dict[tuple[str | None, int, _Process], int] = {}
    latest: dict[tuple[str | None, int], int] = {}
    clocked_records = []
    times = [to_microseconds(record.event.timestamp) for record in records]
    replaced = _replace_odd_times(records, times)
    for index, (record, recorded) in enumerate(zip(records, times, strict=True)):
        if index in replaced:
            clocked_records.append(_ClockedRecord(record, replaced[index], 0, has_odd_clock=True))
            continue
        partition = record.place.topic, record.place.partition
        process = *partition, _get_process(record)
        process_time = raised.get(process, recorded)
        recorded = max(recorded, process_time)  # noqa: PLW2901  raised
        newest = latest.get(partition, recorded)
        late_us = newest - recorded
        clocked_records.append(_ClockedRecord(record, recorded, late_us if late_us >= LATE_AFTER_US else 0))
        raised[process] = recorded
        if recorded >= newest:
            latest[partition] = recorded
    return clocked_records


def find_own_times(times: Sequence[int]) -> tuple[int, int]:
    """Return the first and the last time that are the session's own; the others are those of odd clocks.

    Times that lie within two years of each other form a group. The session's own is the largest group between the years
    2000 and 2100, else the largest one; of equal ones the last.
    """
    first, last = min(times, default=0), max(times, default=0)
    if last - first <= MAX_GAP_US:
        return first, last
    groups: list[list[int]] = []
    for time in sorted(times):
        if groups and time - groups[-1][-1] <= MAX_GAP_US:
            groups[-1].append(time)
        else:
            groups.append([time])
    own = max(groups, key=lambda group: (is_plausible_ms(group[0] // 1000), len(group), group[0]))
    return own[0], own[-1]


def _replace_odd_times(records: Sequence[Record], times: Sequence[int]) -> dict[int, int]:
    """Return, by their indexes, the records with odd clocks, each with a time that it may have been recorded at.

    That is the time of the record before it in its partition, else of the record behind it, else the session's first.
    """
    first, last = find_own_times(times)
    odd = [index for index, time in enumerate(times) if not first <= time <= last]
    replaced: dict[int, int] = {}
    for indexes in (range(len(records)), range(len(records) - 1, -1, -1)) if odd else ():
        nearest: dict[tuple[str | None, int], int] = {}
        for index in indexes:
            partition = records[index].place.topic, records[index].place.partition
            if first <= times[index] <= last:
                nearest[partition] = times[index]
            elif partition in nearest:
                replaced.setdefault(index, nearest[partition])
    return {index: replaced.get(index, first) for index in odd}


MIN_TIME_US = to_microseconds(datetime.min.replace(tzinfo=UTC))
"""No step begins before the calendar does."""


class StepIndex:
    """The steps by the ids that other steps may name: of events, of announcements, of open calls."""

    def __init__(self) -> None:
        self._by_id: dict[str, Step] = {}
        self._rivals: dict[str, list[Step]] = {}

    def add(self, event_id: str, step: Step) -> None:
        """Add a step under an id. Several steps may have the same id."""
        known = self._by_id.setdefault(event_id, step)
        if known is not step:
            self._rivals.setdefault(event_id, [known]).append(step)

    def replace(self, event_id: str, old: Step, new: Step) -> None:
        """Put ``new`` in the place of ``old``."""
        if self._by_id.get(event_id) is old:
            self._by_id[event_id] = new
        if event_id in self._rivals:
            self._rivals[event_id] = [new if step is old else step for step in self._rivals[event_id]]

    def list_steps(self) -> list[Step]:
        """Return all steps, each once."""
        return list(dict.fromkeys([*self._by_id.values(), *(s for steps in self._rivals.values() for s in steps)]))

    def find_parent(self, step: Step) -> Step | None:
        """Return the step that ``step`` names as its parent, or None. A call's announcement may name it too."""
        parent_id = step.event.parent_event_id
        if not parent_id:
            parent_id = next(filter(None, (record.event.parent_event_id for record in step.announced)), "")
        rivals = self._rivals.get(parent_id)
        if rivals is None:
            return self._by_id.get(parent_id)

        def rank(rival: Step) -> tuple[bool, bool, int, _SortKey]:
            is_before = rival.began <= step.began
            is_same_process = _is_same_process(rival.record, step.record)
            return is_before, is_same_process, rival.began if is_before else -rival.began, _get_begin_key(rival)

        return max((rival for rival in rivals if rival is not step), key=rank)


class _FoldedCall(NamedTuple):
    """A call's own record, or None while it is open, and its announcements in the order of their recording."""

    own: _ClockedRecord | None
    starts: list[_ClockedRecord]


def _fold_calls(clocked_records: list[_ClockedRecord]) -> StepIndex:
    """Make the steps, each call together with its announcements."""
    announced: dict[str, list[_ClockedRecord]] = defaultdict(list)
    for c in sorted((c for c in clocked_records if c.record.event.event_type == "call_started"), key=_get_clocked_key):
        announced[get_announced_id(c.record.event)].append(c)
    own: dict[str, list[_ClockedRecord]] = defaultdict(list)
    index = StepIndex()
    for c in clocked_records:
        event = c.record.event
        if event.event_type != "call_started":
            if event.event_id in announced:
                own[event.event_id].append(c)
            else:
                index.add(event.event_id, _make_step(c, (), event.event_type, _find_beginning(c)))
    open_calls = []
    for call_id, starts in announced.items():
        for call in _join_calls(own.get(call_id, []), starts):
            step = _make_call(call)
            index.add(call_id, step)
            open_calls += [(start.record.event.event_id, step) for start in call.starts]
    for event_id, step in open_calls:
        index.add(event_id, step)
    return index


def _make_call(call: _FoldedCall) -> Step:
    """Make the step of a call. It began when its first announcement says, if the same clock says so."""
    if call.own is None:
        first = call.starts[0]
        return _make_step(first, call.starts, get_announced_type(first.record.event), _find_beginning(first))
    own, kind = call.own, call.own.record.event.event_type
    if not call.starts:
        return _make_step(own, (), kind, _find_beginning(own))
    began = _find_beginning(call.starts[0])
    if is_other_process(call.starts[0].record, own.record):
        return _make_step(own, call.starts, kind, min(began, own.recorded))
    return _make_step(own._replace(recorded=max(began, own.recorded)), call.starts, kind, began)


def _join_calls(own: list[_ClockedRecord], starts: list[_ClockedRecord]) -> list[_FoldedCall]:
    """Give each announcement of an id to a call with that id; what is left over is an open call."""
    if len(own) <= 1 and len({(c.record.place.process, c.record.event.event_id) for c in starts}) == 1:
        return [_FoldedCall(own[0] if own else None, starts)]
    calls = [_FoldedCall(c, []) for c in own]
    for start in sorted(starts, key=lambda start: not any(_is_own_call(start, call) for call in calls)):
        fitting = [call for call in calls if _can_announce(start, call)]
        if fitting:
            min(fitting, key=lambda call: _rank_call(start, call)).starts.append(start)
        else:
            calls.append(_FoldedCall(None, [start]))
    return [_FoldedCall(call.own, sorted(call.starts, key=_get_clocked_key)) for call in calls]


def _is_own_call(start: _ClockedRecord, call: _FoldedCall) -> bool:
    return call.own is not None and _is_same_process(start.record, call.own.record)


def _can_announce(start: _ClockedRecord, call: _FoldedCall) -> bool:
    """Whether an announcement may be one of ``call``: it has no other with the same id, and none of another process."""
    others = call.starts
    if any(start.record.event.event_id == other.record.event.event_id for other in others):
        return False
    if call.own is None or is_other_process(start.record, call.own.record):
        return not any(is_other_process(start.record, other.record) for other in others)
    return True


def _rank_call(start: _ClockedRecord, call: _FoldedCall) -> tuple[bool, bool, bool, _SortKey]:
    """Return a sort key for the calls that an announcement may mean: the next that ended, of its own process."""
    c = call.own or call.starts[0]
    is_own = _is_own_call(start, call)
    return call.own is None, not is_own, c.recorded < _find_beginning(start), _get_clocked_key(c)


def _get_clocked_key(c: _ClockedRecord) -> _SortKey:
    return c.recorded, *_get_place_key(c.record)


def _find_beginning(c: _ClockedRecord) -> int:
    """Return when a call began. A ``call_started`` may also say how long its call had run."""
    if c.has_odd_clock:
        return c.recorded
    return max(c.recorded - c.record.event.latency_us, MIN_TIME_US)


def _make_step(c: _ClockedRecord, starts: Sequence[_ClockedRecord], kind: str, began: int) -> Step:
    announced = tuple(start.record for start in starts)
    return Step(c.record, announced, kind, began, c.recorded, c.late_us, has_odd_clock=c.has_odd_clock)


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


def _order_steps(index: StepIndex) -> list[Step]:
    steps = sorted(index.list_steps(), key=_get_begin_key)
    for step in steps:
        step.parent = index.find_parent(step)
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
