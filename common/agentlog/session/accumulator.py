"""The totals of a session, added up record by record without keeping the records. Pure.

The totals must equal those of ``session.timeline``. Counts and amounts don't depend on the order of the steps. The
beginning, the end, and the choice between two differing copies do depend on it. The accumulator notices when its
totals may differ from the timeline's, and sets ``doubt``. Then the session must be read again and put in order.
"""

from array import array
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from math import fsum
from typing import NamedTuple, Self
from zlib import crc32

import msgspec
from google_crc32c import value as crc32c

from ..event.event import EPOCH, MICROSECOND, parse_amount, parse_latency_us
from ..event.partial_decode import PartialEvent
from .failure import ANSWER_FIELDS
from .failure_scan import has_answer_failed
from .order import MAX_GAP_US, MIN_TIME_US, resolve_call_id, resolve_call_type
from .step import find_label
from .summary import GOAL_CHARACTERS, Summary, list_agents, sum_dollars, sum_tokens
from .timeline import CALL_TYPES, OUTCOMES, resolve_end_status

_NEVER = 1 << 62


class OffsetRange(msgspec.Struct, array_like=True, gc=False):
    """The offsets between which a session's records lie in a partition, and the latest time among them."""

    first: int
    last: int
    latest: int


class FirstEvent(NamedTuple):
    """The event that began first. ``sure`` says that no earlier record of the partition can raise its time."""

    began: int = _NEVER
    partition: int = 0
    offset: int = 0
    event_id: str = ""
    parent: str | None = None
    agent_id: str = ""
    sure: bool = True


class SessionBound(NamedTuple):
    """The start or end of the session that was recorded last. Its time is between ``at`` and ``by``."""

    at: int
    by: int
    kind: str
    said: str


class Goal(NamedTuple):
    """The goal that a start names. ``is_sole`` says that no other start names another goal."""

    text: str
    event_id: str
    is_sole: bool = True


class AnnouncedCall(NamedTuple):
    """A call that was announced and has no event of its own yet, with what it adds to the totals while it is open."""

    at: int
    kind: str
    label: str
    failed: bool
    amounts: tuple[float | None, float | None, float | None]
    alone: bool = True


class SessionAccumulator(msgspec.Struct, array_like=True):
    """The totals of one session.

    Times are in microseconds since the epoch.

    Attributes:
        doubt: the session must be read again and put in order.
        records: the number of records that were added, copies included.
        lays: the range of offsets in each partition.
        ended: the time of the last event, announcements aside.
        announced_by: the time of the last announcement.
        bound: the last start or end.
        rivals_by: the latest possible time of the other starts and ends.
        bounders: the agents that recorded starts and ends.
        started_alone: a start has no parent.
        outcome_stated: an event other than an end has a status that is an outcome.
        goal: the goal that a start names, or None.
        own, announcing: ids of the events and announcements that were added since the last ``finalize``.
        fresh: ids of the calls that were announced since then.
        bound_ids: ids of the starts and ends that were added since then.
        known: hashes of the ids that were added before.
    """

    session_id: str
    doubt: bool = False
    records: int = 0
    lays: dict[int, OffsetRange] = {}
    agents: set[str] = set()
    first: FirstEvent = FirstEvent()
    ended: int = -_NEVER
    announced_by: int = -_NEVER
    bound: SessionBound | None = None
    rivals_by: int = -_NEVER
    bounders: frozenset[str] = frozenset()
    starts: bool = False
    started_alone: bool = False
    delegations: frozenset[tuple[str, str | None]] = frozenset()
    outcome_stated: bool = False
    goal: Goal | None = None
    tool_calls: int = 0
    llm_calls: int = 0
    errors: int = 0
    unpriced: int = 0
    tools: dict[str, int] = {}
    input_tokens: list[float] = []
    output_tokens: list[float] = []
    costs: list[float] = []
    open: dict[str, AnnouncedCall] = {}
    own: list[str] = []
    announcing: list[str] = []
    fresh: list[str] = []
    bound_ids: list[str] = []
    known: bytes = b""

    def add(self, event: PartialEvent, partition: int, offset: int) -> None:
        """Add a record. The offsets of a partition must rise from record to record; otherwise ``doubt`` is set."""
        recorded_us = (event.timestamp - EPOCH) // MICROSECOND
        raised_us = self._note_offset(recorded_us, partition, offset)
        self.records += 1
        self.agents.add(event.agent_id)
        payload, kind = event.payload, event.event_type
        latency = payload.latency_ms
        began = recorded_us if latency is None else recorded_us - parse_latency_us(latency)
        if began <= self.first.began:
            self._update_first(event, began, partition, offset, recorded_us == raised_us)
        if event.status is not None and event.status in OUTCOMES and kind != "session_end":
            self.outcome_stated = True
        if kind == "call_started":
            self._add_announcement(event, recorded_us)
            return
        self.own.append(event.event_id)
        if recorded_us > self.ended:  # noqa: PLR1730  a call of max would cost more, and this runs for each event
            self.ended = recorded_us
        if payload.error:
            self.errors += kind != "session_end"
        elif (kind in ANSWER_FIELDS or payload.finish_reason is not None) and has_answer_failed(kind, payload):
            self.errors += 1
        if payload.cost_usd is not None:
            _add_amount(self.costs, payload.cost_usd)
        if kind == "tool_call":
            self.tool_calls += 1
            if label := payload.tool if isinstance(payload.tool, str) else _find_label(event):
                self.tools[label] = self.tools.get(label, 0) + 1
        else:
            self._add_other(event, recorded_us, raised_us)

    def _note_offset(self, recorded_us: int, partition: int, offset: int) -> int:
        """Note the record's offset. Return the latest time up to it, to which its own time may be raised."""
        offset_range = self.lays.get(partition)
        if offset_range is None:
            self.lays[partition] = OffsetRange(offset, offset, recorded_us)
            return recorded_us
        if offset <= offset_range.last:
            self.doubt = True
        offset_range.last = offset
        if recorded_us > offset_range.latest:  # noqa: PLR1730  as in add
            offset_range.latest = recorded_us
        return offset_range.latest

    def _update_first(self, event: PartialEvent, began: int, partition: int, offset: int, is_sure: bool) -> None:
        parent = event.context.parent_event_id
        parent_id = parent if isinstance(parent, str) and parent else None
        is_sure = is_sure and event.event_type != "call_started" and began >= MIN_TIME_US
        first = FirstEvent(began, partition, offset, event.event_id, parent_id, event.agent_id, is_sure)
        self.first = _choose_first(self.first, first)

    def _add_other(self, event: PartialEvent, recorded_us: int, raised_us: int) -> None:
        payload = event.payload
        match event.event_type:
            case "llm_call":
                self.llm_calls += 1
                self.unpriced += parse_amount(payload.cost_usd) is None
                _add_amount(self.input_tokens, payload.input_tokens)
                _add_amount(self.output_tokens, payload.output_tokens)
            case "error":
                self.errors += not payload.error
            case "delegation":
                to_agent_id = payload.to_agent_id
                self.delegations |= {(event.agent_id, to_agent_id if isinstance(to_agent_id, str) else None)}
            case "session_start" | "session_end":
                self._add_bound(event, recorded_us, raised_us)

    def _add_bound(self, event: PartialEvent, recorded_us: int, raised_us: int) -> None:
        self.bounders |= {event.agent_id}
        self.bound_ids.append(event.event_id)
        if event.event_type == "session_start":
            self.starts = True
            self.started_alone |= not isinstance(event.context.parent_event_id, str)
            if isinstance(event.payload.goal, str):
                self._add_goal(Goal(event.payload.goal[:GOAL_CHARACTERS], event.event_id))
        status = resolve_end_status(event.payload.status, event.status)
        self._update_bound(SessionBound(recorded_us, raised_us, event.event_type, status))

    def _update_bound(self, bound: SessionBound) -> None:
        """Keep the bound that was recorded last, and note the latest possible time of the other one."""
        if self.bound is None:
            self.bound = bound
            return
        earlier, later = (self.bound, bound) if self.bound.at < bound.at else (bound, self.bound)
        self.bound = later
        self.rivals_by = max(self.rivals_by, earlier.by)

    def _add_goal(self, goal: Goal) -> None:
        """Keep the first goal that was added, but replace it by the goal of the session's first event."""
        if self.goal is None:
            self.goal = goal
            return
        known = self.goal
        is_sole = known.is_sole and goal.is_sole and known.text == goal.text
        self.goal = (goal if goal.event_id == self.first.event_id else known)._replace(is_sole=is_sole)

    def _add_announcement(self, event: PartialEvent, recorded_us: int) -> None:
        payload = event.payload
        self.announcing.append(event.event_id)
        self.announced_by = max(self.announced_by, recorded_us)
        call_id = resolve_call_id(payload.call_id, event.event_id)
        kind = resolve_call_type(payload.call_type, names_model=payload.model is not msgspec.UNSET)
        amounts = (
            parse_amount(payload.cost_usd),
            parse_amount(payload.input_tokens),
            parse_amount(payload.output_tokens),
        )
        alone = call_id not in self.open
        self.open[call_id] = AnnouncedCall(recorded_us, kind, _find_label(event), bool(payload.error), amounts, alone)
        self.fresh.append(call_id)

    def finalize(self) -> None:
        """Finish what was added: look for copies, join calls with their announcements, hash the ids."""
        own = set(self.own)
        known: AbstractSet[int] = set(_unpack_hashes(self.known)) if self.known else frozenset()
        hashes = _hash_ids(own.union(self.announcing))
        # Also counts an id that an event shares with an announcement.
        has_copies = self.records != len(known) + len(hashes) or not known.isdisjoint(hashes)
        self.doubt = self.doubt or has_copies
        if self.open:
            self._close_calls(own, known)
        self.known += array("Q", hashes).tobytes()
        self.own, self.announcing, self.fresh, self.bound_ids = [], [], [], []
        for amounts in (self.costs, self.input_tokens, self.output_tokens):
            if len(amounts) > MAX_STORED_AMOUNTS:
                amounts[:] = _reduce_exactly(amounts)

    def _close_calls(self, own: set[str], known: AbstractSet[int]) -> None:
        """Close the announced calls whose own event was added."""
        ended = self.open.keys() & own
        has_late_announcements = not known.isdisjoint(map(hash_id, set(self.fresh) - ended))
        has_announced_first = self.first.event_id in ended
        has_announced_again = any(not self.open[call_id].alone for call_id in ended)
        has_announced_bound = not ended.isdisjoint(self.bound_ids)
        self.doubt = self.doubt or has_late_announcements or has_announced_first
        self.doubt = self.doubt or has_announced_again or has_announced_bound
        for call_id in ended:
            del self.open[call_id]

    def merge(self, other: "SessionAccumulator") -> Self:
        """Add the totals of the session's records in other partitions, and return self. Both must be finalized."""
        known = set(_unpack_hashes(self.known)), set(_unpack_hashes(other.known))
        has_copies = not known[0].isdisjoint(known[1])
        has_split_calls = any(map(known[1].__contains__, map(hash_id, self.open)))
        has_split_calls = has_split_calls or any(map(known[0].__contains__, map(hash_id, other.open)))
        has_common_partitions = not self.lays.keys().isdisjoint(other.lays)
        self.doubt = self.doubt or other.doubt or has_copies or has_split_calls or has_common_partitions
        self.known += other.known
        self.records += other.records
        for partition, offset_range in other.lays.items():
            own_range = self.lays.get(partition, offset_range)
            self.lays[partition] = OffsetRange(
                min(own_range.first, offset_range.first),
                max(own_range.last, offset_range.last),
                max(own_range.latest, offset_range.latest),
            )
        self._merge_order(other)
        self._merge_counts(other)
        return self

    def _merge_order(self, other: "SessionAccumulator") -> None:
        self.first = _choose_first(self.first, other.first)
        self.ended = max(self.ended, other.ended)
        self.announced_by = max(self.announced_by, other.announced_by)
        self.rivals_by = max(self.rivals_by, other.rivals_by)
        if other.bound is not None:
            self._update_bound(other.bound)
        if other.goal is not None:
            self._add_goal(other.goal)
        for name in ("starts", "started_alone", "outcome_stated"):
            setattr(self, name, getattr(self, name) or getattr(other, name))

    def _merge_counts(self, other: "SessionAccumulator") -> None:
        self.agents |= other.agents
        self.bounders |= other.bounders
        self.delegations |= other.delegations
        for name in ("tool_calls", "llm_calls", "errors", "unpriced"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("input_tokens", "output_tokens", "costs"):
            getattr(self, name).extend(getattr(other, name))
        for label, count in other.tools.items():
            self.tools[label] = self.tools.get(label, 0) + count
        for call_id, call in other.open.items():
            self.open[call_id] = call._replace(alone=False) if call_id in self.open else call

    def summarize(self) -> Summary | None:
        """Return the session's row after ``finalize``, or None if only the timeline can tell it."""
        ended = self._find_end()
        owner = self._find_owner()
        if (
            self.doubt
            or ended is None
            or owner is None
            or ended - self.first.began > MAX_GAP_US
            or not self._is_first_certain()
            or not self._is_outcome_certain(owner)
        ):
            return None
        if self.goal is not None and not self.goal.is_sole and self.goal.event_id != self.first.event_id:
            return None
        tool_calls, llm_calls, errors, tools = self.tool_calls, self.llm_calls, self.errors, self.tools
        costs, input_tokens, output_tokens = self.costs, self.input_tokens, self.output_tokens
        if self.open:
            open_calls = list(self.open.values())
            open_llm_calls = [call for call in open_calls if call.kind == "llm_call"]
            open_tool_calls = [call for call in open_calls if call.kind == "tool_call"]
            tool_calls += len(open_tool_calls)
            llm_calls += len(open_llm_calls)
            errors += sum([call.failed for call in open_calls])
            costs = _with_stated(costs, [call.amounts[0] for call in open_calls])
            input_tokens = _with_stated(input_tokens, [call.amounts[1] for call in open_llm_calls])
            output_tokens = _with_stated(output_tokens, [call.amounts[2] for call in open_llm_calls])
            tools = tools.copy()
            for label in [call.label for call in open_tool_calls if call.label]:
                tools[label] = tools.get(label, 0) + 1
        return Summary(
            session_id=self.session_id,
            agents=list_agents(owner, self.agents),
            started=self.first.began,
            ended=ended,
            outcome=self.bound.said if self.bound is not None and self.bound.kind == "session_end" else None,
            events=self.records,
            tool_calls=tool_calls,
            llm_calls=llm_calls,
            errors=errors,
            input_tokens=sum_tokens(input_tokens) if input_tokens else None,
            output_tokens=sum_tokens(output_tokens) if output_tokens else None,
            cost_usd=sum_dollars(costs) if costs else None,
            unpriced=self.unpriced,
            tools=tools,
            records=self.records,
            goal=self.goal.text if self.goal is not None else "",
        )

    def _find_end(self) -> int | None:
        """Return the time of the last event, or None if an announcement makes it uncertain."""
        ended = self.ended
        for call in self.open.values():
            if not call.alone or call.kind not in CALL_TYPES:
                return None
            ended = max(ended, call.at)
        return ended if ended >= self.announced_by else None

    def _is_first_certain(self) -> bool:
        """Whether ``first`` surely begins the timeline: it waits for no parent, and its time needs no correction."""
        parent = self.first.parent
        has_to_wait = parent is not None and (parent in self.open or hash_id(parent) in _unpack_hashes(self.known))
        return self.first.sure and not has_to_wait

    def _find_owner(self) -> str | None:
        """Return the agent that owns the session's own lane, with all starts and ends; None if that isn't certain."""
        if self.bound is None:
            return self.first.agent_id
        bounder, *others = self.bounders
        if others:
            return None
        if self.starts:
            return bounder if self.started_alone or self.first.agent_id == bounder else None
        return self.first.agent_id if self.first.agent_id == bounder or not self.delegations else None

    def _is_outcome_certain(self, owner: str) -> bool:
        """Whether the last start or end is certain, and no sub-agent ran under the name of ``owner``."""
        if self.bound is None:
            return not self.outcome_stated
        is_own_lane_only = all(agent == owner and to != owner for agent, to in self.delegations)
        is_outcome_stated = self.bound.kind == "session_end" or not self.outcome_stated
        return is_own_lane_only and is_outcome_stated and self.rivals_by < self.bound.at


def _choose_first(known: FirstEvent, other: FirstEvent) -> FirstEvent:
    """Return the event that began first. Of two that began together, the one with the lower place is the first."""
    return other if other[:3] < known[:3] else known


def _find_label(event: PartialEvent) -> str:
    payload = event.payload
    return find_label(lambda name: getattr(payload, name), event.context.model)


def hash_id(event_id: str) -> int:
    """Return a hash of 64 bits, the same in every run. If two ids share it, the only consequence is ``doubt``."""
    return _hash_ids([event_id])[0]


def _hash_ids(event_ids: Iterable[str]) -> list[int]:
    names = [event_id.encode() for event_id in event_ids]
    return [high << 32 | low for high, low in zip(map(crc32, names), map(crc32c, names), strict=True)]


def _unpack_hashes(hashes: bytes) -> "array[int]":
    unpacked = array("Q")
    unpacked.frombytes(hashes)
    return unpacked


MAX_UNSUMMED_AMOUNTS = 1_000
"""When a list holds more amounts, they are added up, to bound its memory."""
MAX_STORED_AMOUNTS = 8
"""More amounts than these are added up before they are stored."""


def _add_amount(amounts: list[float], value: object) -> None:
    amount = parse_amount(value)
    if amount is not None:
        amounts.append(amount)
        if len(amounts) > MAX_UNSUMMED_AMOUNTS:
            amounts[:] = _reduce_exactly(amounts)


def _reduce_exactly(amounts: list[float]) -> list[float]:
    """Return a few numbers whose sum is exactly that of ``amounts``; an empty list only for an empty one."""
    exact: list[float] = []
    while rest := fsum([*amounts, *(-part for part in exact)]):
        exact.append(rest)
    return exact or amounts[:1]


def _with_stated(amounts: Sequence[float], open_amounts: Iterable[float | None]) -> list[float]:
    """Return the amounts, and those of open calls that are stated."""
    return [*amounts, *(amount for amount in open_amounts if amount is not None)]
