"""The timeline of a session: its steps in order, lanes, open calls, outcome and totals. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import fsum

from ..event.content import encode_content
from ..event.event import Event, Record, parse_amount, to_microseconds
from .lanes import Lanes
from .order import (
    MAX_GAP_US,
    StepIndex,
    get_announced_id,
    get_announced_type,
    get_recorded_key,
    is_other_process,
    order_records,
)
from .step import Lane, Step

__all__ = ["CALL_TYPES", "Lane", "LiveTimeline", "Step", "Timeline", "Totals", "build_timeline", "make_single_step"]

CALL_TYPES = frozenset({"llm_call", "tool_call", "retrieval"})
BOUNDS = frozenset({"session_start", "session_end"})
OUTCOMES = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals of a session.

    Attributes:
        calls: the number of calls by label (tool, model, or ``retrieval``), open calls included.
        failures: the number of those calls that ended in an error.
        input_tokens, cached_tokens, output_tokens: None if no llm call states any.
        cost_usd: the sum of the recorded costs, None without any. Llm calls without a cost are counted in ``unpriced``.
        cost_by_model: the cost by model, or by tool if a tool has a cost.
    """

    events: int
    tool_calls: int
    llm_calls: int
    retrievals: int
    errors: int
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    unpriced: int
    calls: dict[str, int]
    failures: dict[str, int]
    cost_by_model: dict[str, float]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The steps of a session in order, with its lanes, outcome and totals.

    Attributes:
        outcome: ``succeeded``, ``failed``, ``cancelled``, or another word of its end; None while it hasn't ended.
        live_lanes: the lanes to which further steps can be added.
        duplicates: the number of records that were copies of another.
        clashes: the number of event ids that stand for several events.
    """

    session_id: str
    steps: list[Step]
    lanes: list[Lane]
    live_lanes: Lanes
    outcome: str | None
    totals: Totals
    duplicates: int
    clashes: int

    @property
    def began(self) -> int:
        """The beginning of the first step, in microseconds since the epoch; 0 without steps."""
        return self.steps[0].began if self.steps else 0

    @property
    def ended(self) -> int:
        """The time of the last event, in microseconds since the epoch; 0 without steps."""
        return max((step.recorded for step in self.steps), default=0)

    @property
    def goal(self) -> str:
        """The session's goal, or an empty text."""
        goals = (s.event.payload.get("goal") for s in self.steps if s.kind == "session_start")
        return next((goal for goal in goals if isinstance(goal, str)), "")

    def records(self) -> Iterator[Record]:
        """Yield every record without the copies, in the timeline's order, announcements before their call."""
        for step in self.steps:
            yield from step.announced
            if not step.is_open:
                yield step.record


def build_timeline(session_id: str, records: Iterable[Record]) -> Timeline:
    """Build the timeline of ``records``, which are all of one session, in any order."""
    steps, duplicates, clashes = order_records(records)
    for number, step in enumerate(steps, 1):
        step.number = number
    lanes = Lanes(steps)
    events = sum(len(step.announced) + (not step.is_open) for step in steps)
    return Timeline(
        session_id, steps, lanes.lanes, lanes, _find_outcome(steps), _compute_totals(steps, events), duplicates, clashes
    )


class LiveTimeline:
    """A timeline that grows: each new record becomes a step, in the order of arrival.

    A new step gets the number that it has in the timeline at that moment. It gets no number (0) if it began before a
    known step, because then it would move that step. The end of a call, or another announcement of it, gets the number
    of the call.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._count = len(timeline.steps)
        self._newest = max((step.began for step in timeline.steps), default=0)
        self._lanes = timeline.live_lanes
        self._index = StepIndex()
        self._steps: dict[str, Step] = {}
        self._open_calls: dict[str, list[Step]] = defaultdict(list)
        self._records: dict[str, list[Record]] = defaultdict(list)
        for step in timeline.steps:
            self._note_step(step)
        for record in timeline.records():
            self._records[record.event.event_id].append(record)

    def add(self, record: Record) -> Step | None:
        """Return the step of a new record, or None if it is a copy of a known one."""
        event = record.event
        if self._is_copy(record):
            return None
        is_clash = event.event_id in self._records
        self._records[event.event_id].append(record)
        recorded = to_microseconds(event.timestamp)
        has_odd_clock = bool(self._steps) and abs(recorded - self._newest) > MAX_GAP_US
        if has_odd_clock:
            recorded = self._newest
        is_announcement = event.event_type == "call_started"
        open_call = None if is_announcement else self._take_open_call(record)
        began = recorded - (0 if has_odd_clock else event.latency_us)
        if open_call is not None:
            is_other_clock = is_other_process(open_call.record, record)
            began = min(open_call.began, recorded) if is_other_clock else open_call.began
            recorded = max(recorded, began)
        announced = (record,) if is_announcement else open_call.announced if open_call else ()
        step = Step(
            record, announced, get_announced_type(event) if is_announcement else event.event_type, began, recorded
        )
        step.has_odd_clock = has_odd_clock
        step.parent = self._index.find_parent(step)
        call = open_call if not is_announcement else None if is_clash else self._find_call(event)
        step.number = call.number if call is not None else self._next_number(step)
        self._lanes.add(step)
        self._note_step(step, open_call)
        return step

    def _is_copy(self, record: Record) -> bool:
        known = self._records.get(record.event.event_id, ())
        return any(
            each.value == record.value or encode_content(each.value) == encode_content(record.value) for each in known
        )

    def _note_step(self, step: Step, open_call: Step | None = None) -> None:
        """Note a step under its ids; it replaces the open call that it ends."""
        event_id = step.event.event_id
        for announcement in step.announced:
            self._note_id(announcement.event.event_id, step, open_call)
        if step.is_open:
            call_id = get_announced_id(step.event)
            self._open_calls[call_id].append(step)
            self._note_id(call_id, step, None)
        else:
            self._note_id(event_id, step, open_call)
            self._steps[event_id] = step

    def _note_id(self, event_id: str, step: Step, open_call: Step | None) -> None:
        if open_call is not None:
            self._index.replace(event_id, open_call, step)
        self._index.add(event_id, step)

    def _take_open_call(self, record: Record) -> Step | None:
        """Return the open call that ``record`` ends, if possible of its own process. It is no longer open."""
        calls = self._open_calls.get(record.event.event_id)
        if not calls:
            return None
        call = min(calls, key=lambda call: is_other_process(call.record, record))
        calls.remove(call)
        return call

    def _find_call(self, announcement: Event) -> Step | None:
        """Return the step of the announced call, if another event of it came before."""
        call_id = get_announced_id(announcement)
        return next(iter(self._open_calls.get(call_id, ())), None) or self._steps.get(call_id)

    def _next_number(self, step: Step) -> int:
        """Return the number of a new step; 0 if it began before a known one."""
        self._count += 1
        is_last = step.began >= self._newest
        self._newest = max(self._newest, step.began)
        return self._count if is_last else 0


def make_single_step(record: Record) -> Step:
    """Make the step of a record alone, without the rest of its session."""
    event, recorded = record.event, to_microseconds(record.event.timestamp)
    if event.event_type == "call_started":
        return Step(record, (record,), get_announced_type(event), recorded - event.latency_us, recorded)
    return Step(record, (), event.event_type, recorded - event.latency_us, recorded)


def _find_outcome(steps: list[Step]) -> str | None:
    """Return the outcome of the last ``session_end`` in the session's own lane, else the last status that is one."""
    bounds = [step for step in steps if step.kind in BOUNDS and step.lane.depth == 0]
    last = max(bounds, key=get_recorded_key, default=None)
    if last is not None and last.kind == "session_end":
        return resolve_end_status(last.event.payload.get("status"), last.event.status)
    stating_steps = [step for step in steps if step.event.status]
    if last is not None:
        stating_steps = [step for step in stating_steps if get_recorded_key(step) >= get_recorded_key(last)]
    status = max(stating_steps, key=get_recorded_key).event.status if stating_steps else None
    return status if status in OUTCOMES else None


def resolve_end_status(payload_status: object, status: str | None) -> str:
    """Return the outcome that a ``session_end`` states in its payload or as its status; ``ended`` if neither does."""
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
        cost_usd=_sum_dollars(cost for group in costs.values() for cost in group) if costs else None,
        unpriced=sum(
            parse_amount(step.event.payload.get("cost_usd")) is None and not step.is_open for step in llm_steps
        ),
        calls=dict(calls),
        failures=dict(failures),
        cost_by_model={label: _sum_dollars(group) for label, group in costs.items()},
    )


def _group_costs(steps: list[Step]) -> dict[str, list[float]]:
    """Group the recorded costs by model, or by tool if a tool has a cost."""
    costs: dict[str, list[float]] = defaultdict(list)
    for step in steps:
        if "cost_usd" in step.event.payload and (cost := parse_amount(step.event.payload["cost_usd"])) is not None:
            costs[step.label or step.kind].append(cost)
    return costs


def _sum_tokens(steps: list[Step], name: str) -> int | None:
    amounts = [parse_amount(step.event.payload[name]) for step in steps if name in step.event.payload]
    stated = [amount for amount in amounts if amount is not None]
    return round(fsum(stated)) if stated else None


def _sum_dollars(amounts: Iterable[float]) -> float:
    """Return the exact sum, rounded to nine places, so that neither order nor binary fractions show."""
    return round(fsum(amounts), 9)
