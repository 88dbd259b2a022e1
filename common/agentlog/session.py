"""Records -> a session's timeline: its order, lanes, open calls, outcome and totals. Pure.

The order is the same for all readers, however Kafka interleaved, doubled or spread the records:

1. Of several records with one ``event_id`` the first by partition and offset counts.
2. A process's recorded times never run backwards within a partition; an earlier one is raised to the one before it.
3. Steps stand in the order of their beginning, but a child stands behind its parent, and what the child's process
   recorded later stays behind the child; where the two contradict, the parent wins.
4. What arrived much later than its time says is marked, not moved.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import fsum
from typing import NamedTuple

from .events import Event, Record, microseconds, number

LATE_US = 10_000_000
"""A record that stands behind one recorded ten seconds after it, or more, arrived late."""

CALL_TYPES = frozenset({"llm_call", "tool_call", "retrieval"})
OUTCOMES = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(slots=True, eq=False)
class Lane:
    """The part of a timeline that one agent, or one run of a sub-agent, owns.

    Attributes:
        delegation: the step that called the sub-agent; None in the session's own lane.
        depth: how many delegations lie between it and the session's own lane.
        result: the step that holds what the sub-agent came back with, or None.
    """

    agent_id: str
    delegation: "Step | None" = None
    parent: "Lane | None" = None
    depth: int = 0
    result: "Step | None" = None


@dataclass(slots=True, eq=False)
class Step:
    """An event in its timeline; a call together with the ``call_started`` that announced it.

    Attributes:
        record: the event's own; of a call that is still open, its ``call_started``.
        announced: the ``call_started`` records that are folded into this step.
        kind: the event type; of an open call that of the call.
        began: microseconds since the epoch, never before the beginning of the step it stands behind.
        recorded: microseconds since the epoch, raised where its process's clock was set back.
        late_us: how much later it arrived than its time says, in microseconds; 0 when it isn't worth a mark.
        moved: it stands behind its parent, or behind its process's earlier step, though its clock says otherwise.
    """

    record: Record
    announced: tuple[Record, ...]
    kind: str
    began: int
    recorded: int
    late_us: int = 0
    moved: bool = False
    parent: "Step | None" = None
    lane: Lane = field(default_factory=lambda: Lane(""))

    @property
    def event(self) -> Event:
        """The step's event."""
        return self.record.event

    @property
    def is_open(self) -> bool:
        """A call that was announced and has no event of its own yet."""
        return self.event.event_type == "call_started"

    @property
    def label(self) -> str:
        """What names the step among its kind: the tool, the model, the agent delegated to; or an empty text."""
        payload = self.event.payload
        names = (payload.get(name) for name in ("tool", "model", "to_agent_id", "from_agent_id", "key", "action"))
        return next((name for name in names if isinstance(name, str)), "") or str(self.event.context.get("model") or "")

    @property
    def error(self) -> object:
        """What went wrong, as recorded; None when nothing did."""
        if self.kind == "error":
            return self.event.payload
        return self.event.payload.get("error") or None

    @property
    def duration_us(self) -> int:
        """How long the step took, in microseconds: what the event says, else from its announcement to its record."""
        return self.event.latency_us or (self.recorded - self.began if self.announced and not self.moved else 0)


@dataclass(frozen=True, slots=True)
class Totals:
    """What a session amounts to.

    Attributes:
        calls: how often each tool was called, or model, or a retrieval made, by label; open calls count.
        failures: of those, how many ended in an error.
        cost_usd: what the events say; calls without a price count in ``unpriced``.
        cost_by_model: the cost by model, or by tool where a tool has a price.
    """

    events: int
    tool_calls: int
    llm_calls: int
    retrievals: int
    errors: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced: int
    calls: dict[str, int]
    failures: dict[str, int]
    cost_by_model: dict[str, float]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A session's steps in order, and what can be said of all of them.

    Attributes:
        outcome: ``succeeded``, ``failed``, ``cancelled``, or what else its end says; None while it hasn't ended.
        duplicates: how many records were copies of another.
    """

    session_id: str
    steps: list[Step]
    lanes: list[Lane]
    outcome: str | None
    totals: Totals
    duplicates: int

    @property
    def began(self) -> int:
        """When the first step began, in microseconds since the epoch; 0 when there is none."""
        return self.steps[0].began if self.steps else 0

    @property
    def ended(self) -> int:
        """When the last event was recorded, in microseconds since the epoch; 0 when there is none."""
        return max((step.recorded for step in self.steps), default=0)

    @property
    def goal(self) -> str:
        """What the session was asked to do, or an empty text."""
        goals = (s.event.payload.get("goal") for s in self.steps if s.kind == "session_start")
        return next((goal for goal in goals if isinstance(goal, str)), "")

    def records(self) -> Iterator[Record]:
        """Every record that counts, in the timeline's order, an announcement ahead of its call."""
        for step in self.steps:
            yield from step.announced
            if not step.is_open:
                yield step.record


_Key = tuple[int, int, int, str, str]


class _Process(NamedTuple):
    agent_id: str
    name: str | int


class _Clocked(NamedTuple):
    """A record with its time as its process's clock allows it."""

    record: Record
    recorded: int
    late_us: int


def timeline(session_id: str, records: Iterable[Record]) -> Timeline:
    """The timeline of ``records``, all of one session, in whatever order they come."""
    placed = sorted(records, key=_place_key)
    unique = {record.event.event_id: record for record in reversed(placed)}
    clocked = _clocked([record for record in placed if unique[record.event.event_id] is record])
    steps = _ordered(_folded(clocked))
    lanes = _assign_lanes(steps)
    return Timeline(session_id, steps, lanes, _outcome(steps), _totals(steps, len(unique)), len(placed) - len(unique))


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
        recorded = max(microseconds(record.event.timestamp), raised.get(process, _BEFORE_ALL))
        late_us = latest.get(partition, recorded) - recorded
        found.append(_Clocked(record, recorded, late_us if late_us >= LATE_US else 0))
        raised[process] = recorded
        latest[partition] = max(recorded, latest.get(partition, recorded))
    return found


_BEFORE_ALL = -(10**18)


def _folded(clocked: list[_Clocked]) -> dict[str, Step]:
    """Steps by the ids that a child may name as its parent, each call one with its announcements."""
    own = {c.record.event.event_id for c in clocked if c.record.event.event_type != "call_started"}
    announced: dict[str, list[_Clocked]] = defaultdict(list)
    steps: dict[str, Step] = {}
    for c in clocked:
        if c.record.event.event_type == "call_started":
            announced[_call_id(c.record.event)].append(c)
    for c in clocked:
        event = c.record.event
        if event.event_type != "call_started":
            starts = announced.get(event.event_id, [])
            began = starts[0].recorded if starts else max(c.recorded - event.latency_us, _BEFORE_ALL)
            steps[event.event_id] = _step(c, starts, event.event_type, began)
    for call_id, starts in announced.items():
        if call_id not in own:
            first = starts[0]
            steps[call_id] = _step(first, starts, _call_type(first.record.event), first.recorded)
        aliases = {s.record.event.event_id for s in starts} - own
        steps.update(dict.fromkeys(aliases, steps[call_id]))
    return steps


def _step(c: _Clocked, starts: list[_Clocked], kind: str, began: int) -> Step:
    return Step(c.record, tuple(start.record for start in starts), kind, began, c.recorded, c.late_us)


def _call_id(event: Event) -> str:
    call_id = event.payload.get("call_id")
    return call_id if isinstance(call_id, str) else event.event_id


def _call_type(started: Event) -> str:
    call_type = started.payload.get("call_type")
    guess = "llm_call" if "model" in started.payload else "tool_call"
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
    settled: set[Step] = set()
    for step in steps:
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

    def run(self, steps: list[Step]) -> list[Step]:
        for step in steps:
            self._take(step)
        return list(self.out)

    def _take(self, step: Step) -> None:
        """Let ``step`` out, and behind it all that waited for it, each as soon as its own beginning allows."""
        ready = [(_key(step), step)]
        while ready:
            _, step = heappop(ready)
            behind = self._held_back(step)
            if behind is not None:
                self.waits_for[step] = behind
                self.followers[behind].append(step)
                continue
            self._let_out(step)
            for follower in self.followers.pop(step, ()):
                heappush(ready, (_key(follower), follower))

    def _held_back(self, step: Step) -> Step | None:
        """What ``step`` has to wait for: its parent, or a displaced step that its process recorded before it."""
        if step.parent is not None and step.parent not in self.out:
            heappush(self.displaced[_process(step.record)], (_recorded_key(step), step))
            return step.parent
        displaced = self.displaced.get(_process(step.record), []) if self.displaced else []
        while displaced and displaced[0][1] in self.out:
            heappop(displaced)
        if not displaced or displaced[0][0] >= _recorded_key(step) or self._depends(displaced[0][1], step):
            return None
        return displaced[0][1]

    def _let_out(self, step: Step) -> None:
        if step in self.waits_for:
            step.moved, step.began = True, max(step.began, self.waits_for[step].began)
        self.out[step] = None

    def _depends(self, step: Step, on: Step) -> bool:
        at: Step | None = step
        while at is not None and at not in self.out:
            if at is on:
                return True
            at = self.waits_for.get(at, at.parent)
        return False


def _recorded_key(step: Step) -> _Key:
    return step.recorded, *_place_key(step.record)


def _assign_lanes(steps: list[Step]) -> list[Lane]:
    """Give each step its lane: what follows from a delegation belongs to the run of the sub-agent."""
    if not steps:
        return []
    starts = [step for step in steps if step.kind == "session_start" and step.parent is None]
    root = Lane((starts or steps)[0].event.agent_id)
    lanes, newest = [root], {root.agent_id: root}
    runs: dict[Step, Lane] = {}
    for step in steps:
        agent, parent = step.event.agent_id, step.parent
        if parent is not None and _runs_under(step, parent):
            lane = runs.get(parent)
            if lane is None:
                lane = runs[parent] = Lane(agent, parent, parent.lane, parent.lane.depth + 1)
                lanes.append(lane)
                newest[agent] = lane
        elif parent is not None:
            lane = _own_lane(agent, parent.lane)
        else:
            lane = newest.get(agent, root)
        step.lane = lane
        if step.kind == "delegation_result":
            _close(step, runs, newest)
    return lanes


def _runs_under(step: Step, parent: Step) -> bool:
    """A child of a delegation runs in the sub-agent's lane, unless it is the delegator's own next event."""
    if parent.kind != "delegation" or step.kind == "delegation_result":
        return False
    to_agent = parent.event.payload.get("to_agent_id")
    return step.event.agent_id != parent.event.agent_id or step.event.agent_id == to_agent


def _own_lane(agent_id: str, lane: Lane) -> Lane:
    """The nearest lane outwards that belongs to the agent; that of the parent when none does (a user's message)."""
    at: Lane | None = lane
    while at is not None:
        if at.agent_id == agent_id:
            return at
        at = at.parent
    return lane


def _close(result: Step, runs: dict[Step, Lane], newest: dict[str, Lane]) -> None:
    parent = result.parent
    from_agent = result.event.payload.get("from_agent_id")
    lane = runs.get(parent) if parent is not None else None
    if lane is None and isinstance(from_agent, str):
        lane = newest.get(from_agent)
    if lane is not None and lane.delegation is not None and lane.result is None:
        lane.result = result


def _outcome(steps: list[Step]) -> str | None:
    """What the last ``session_end`` of the session's own lane says; else the last status that is an outcome."""
    bounds = [step for step in steps if step.kind in ("session_start", "session_end") and step.lane.depth == 0]
    if bounds and bounds[-1].kind == "session_end":
        end = bounds[-1].event
        return str(end.payload.get("status") or end.status or "ended")
    statuses = [step.event.status for step in steps if step.event.status]
    return statuses[-1] if statuses and statuses[-1] in OUTCOMES else None


def _totals(steps: list[Step], events: int) -> Totals:
    calls: dict[str, int] = defaultdict(int)
    failures: dict[str, int] = defaultdict(int)
    costs: dict[str, list[float]] = defaultdict(list)
    for step in steps:
        if step.kind in CALL_TYPES:
            label = step.label or step.kind
            calls[label] += 1
            failures[label] += step.error is not None
        if (cost := number(step.event.payload.get("cost_usd"))) is not None:
            costs[step.label or step.kind].append(cost)
    llm = [step for step in steps if step.kind == "llm_call"]
    return Totals(
        events=events,
        tool_calls=sum(step.kind == "tool_call" for step in steps),
        llm_calls=len(llm),
        retrievals=sum(step.kind == "retrieval" for step in steps),
        errors=sum(step.error is not None and step.kind != "session_end" for step in steps),
        input_tokens=_tokens(llm, "input_tokens"),
        cached_tokens=_tokens(llm, "cached_tokens"),
        output_tokens=_tokens(llm, "output_tokens"),
        cost_usd=fsum(cost for group in costs.values() for cost in group),
        unpriced=sum(number(s.event.payload.get("cost_usd")) is None and not s.is_open for s in llm),
        calls=dict(calls),
        failures={label: count for label, count in failures.items() if count},
        cost_by_model={label: fsum(group) for label, group in costs.items()},
    )


def _tokens(steps: list[Step], name: str) -> int:
    return round(fsum(number(step.event.payload.get(name)) or 0 for step in steps))
