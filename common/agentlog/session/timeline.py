"""Records -> a session's timeline: its steps in order, lanes, open calls, outcome and totals. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import fsum

from ..event.event import Event, Record, parse_amount, to_microseconds
from .lanes import Lanes
from .order import get_announced_id, get_announced_type, get_recorded_key, order_records
from .step import Lane, Step

__all__ = ["CALL_TYPES", "Lane", "LiveTimeline", "Step", "Timeline", "Totals", "build_timeline", "make_single_step"]

CALL_TYPES = frozenset({"llm_call", "tool_call", "retrieval"})
BOUNDS = frozenset({"session_start", "session_end"})
OUTCOMES = frozenset({"succeeded", "failed", "cancelled"})


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
        live_lanes: the lanes as they go on when further steps come.
        duplicates: how many records were copies of another.
    """

    session_id: str
    steps: list[Step]
    lanes: list[Lane]
    live_lanes: Lanes
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


def build_timeline(session_id: str, records: Iterable[Record]) -> Timeline:
    """The timeline of ``records``, all of one session, in whatever order they come."""
    steps, duplicates = order_records(records)
    for number, step in enumerate(steps, 1):
        step.number = number
    lanes = Lanes(steps)
    events = sum(len(step.announced) + (not step.is_open) for step in steps)
    return Timeline(
        session_id, steps, lanes.lanes, lanes, _find_outcome(steps), _compute_totals(steps, events), duplicates
    )


class LiveTimeline:
    """A timeline that goes on: what comes is a step of its own, in the order of its arrival.

    A step has the number that it has in the timeline as of now. It has none where it began before a step that is there:
    it would move that one on. What ends a call, or announces it again, has the call's number.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._count = len(timeline.steps)
        self._newest = max((step.began for step in timeline.steps), default=0)
        self._lanes = timeline.live_lanes
        self._steps = {step.event.event_id: step for step in timeline.steps}
        self._open_calls = {get_announced_id(step.event): step for step in timeline.steps if step.is_open}
        self._seen_ids = {record.event.event_id for record in timeline.records()}

    def add(self, record: Record) -> Step | None:
        """The step that ``record`` makes; None when it is a copy of one that was there."""
        event = record.event
        if event.event_id in self._seen_ids:
            return None
        self._seen_ids.add(event.event_id)
        recorded = to_microseconds(event.timestamp)
        open_call = self._open_calls.pop(event.event_id, None)
        began = min(open_call.began, recorded) if open_call else recorded - event.latency_us
        is_announcement = event.event_type == "call_started"
        announced = (record,) if is_announcement else open_call.announced if open_call else ()
        step = Step(
            record, announced, get_announced_type(event) if is_announcement else event.event_type, began, recorded
        )
        parent = event.parent_event_id or ""
        step.parent = self._steps.get(parent) or self._open_calls.get(parent)
        call = self._find_call(event) if is_announcement else open_call
        step.number = call.number if call is not None else self._next_number(step)
        self._lanes.add(step)
        if step.is_open:
            self._open_calls[get_announced_id(event)] = step
        self._steps[event.event_id] = step
        return step

    def _find_call(self, announcement: Event) -> Step | None:
        """The call that is announced, where another event of it came before."""
        call_id = get_announced_id(announcement)
        return self._open_calls.get(call_id) or self._steps.get(call_id)

    def _next_number(self, step: Step) -> int:
        """The number of a step that wasn't there; 0 where it began before another."""
        self._count += 1
        is_last = step.began >= self._newest
        self._newest = max(self._newest, step.began)
        return self._count if is_last else 0


def make_single_step(record: Record) -> Step:
    """The step that a record makes, seen without the rest of its session."""
    event, recorded = record.event, to_microseconds(record.event.timestamp)
    if event.event_type == "call_started":
        return Step(record, (record,), get_announced_type(event), recorded - event.latency_us, recorded)
    return Step(record, (), event.event_type, recorded - event.latency_us, recorded)


def _find_outcome(steps: list[Step]) -> str | None:
    """What the ``session_end`` recorded last in the session's own lane says; else the last status that says it."""
    bounds = [step for step in steps if step.kind in BOUNDS and step.lane.depth == 0]
    last = max(bounds, key=get_recorded_key, default=None)
    if last is not None and last.kind == "session_end":
        return end_status(last.event.payload.get("status"), last.event.status)
    stating_steps = [step for step in steps if step.event.status]
    if last is not None:
        stating_steps = [step for step in stating_steps if get_recorded_key(step) >= get_recorded_key(last)]
    status = max(stating_steps, key=get_recorded_key).event.status if stating_steps else None
    return status if status in OUTCOMES else None


def end_status(payload_status: object, status: str | None) -> str:
    """How a session ended, by what its ``session_end`` said in its payload, or as its status."""
    return str(payload_status or status or "ended")


def _compute_totals(steps: list[Step], events: int) -> Totals:
    kinds = Counter(step.kind for step in steps)
    llm_steps = [step for step in steps if step.kind == "llm_call"]
    failed_steps = [step for step in steps if step.error is not None]
    calls = Counter(step.label or step.kind for step in steps if step.kind in CALL_TYPES)
    failures = Counter(step.label or step.kind for step in failed_steps if step.kind in CALL_TYPES)
    costs = _group_costs(steps)
    return Totals(
        events=events,
        tool_calls=kinds["tool_call"],
        llm_calls=len(llm_steps),
        retrievals=kinds["retrieval"],
        errors=sum(step.kind != "session_end" for step in failed_steps),
        input_tokens=_sum_tokens(llm_steps, "input_tokens"),
        cached_tokens=_sum_tokens(llm_steps, "cached_tokens"),
        output_tokens=_sum_tokens(llm_steps, "output_tokens"),
        cost_usd=_sum_dollars(cost for group in costs.values() for cost in group),
        unpriced=sum(
            parse_amount(step.event.payload.get("cost_usd")) is None and not step.is_open for step in llm_steps
        ),
        calls=dict(calls),
        failures=dict(failures),
        cost_by_model={label: _sum_dollars(group) for label, group in costs.items()},
    )


def _group_costs(steps: list[Step]) -> dict[str, list[float]]:
    """What was paid, by model, or by tool where a tool has a price."""
    costs: dict[str, list[float]] = defaultdict(list)
    for step in steps:
        if "cost_usd" in step.event.payload and (cost := parse_amount(step.event.payload["cost_usd"])) is not None:
            costs[step.label or step.kind].append(cost)
    return costs


def _sum_tokens(steps: list[Step], name: str) -> int:
    return round(fsum(parse_amount(step.event.payload.get(name)) or 0 for step in steps))


def _sum_dollars(amounts: Iterable[float]) -> float:
    """The exact sum, to the billionth: neither the order of the amounts nor binary fractions show."""
    return round(fsum(amounts), 9)
