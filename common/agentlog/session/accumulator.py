"""What a session amounts to, added up record by record as they lie, without holding them. Pure.

The truth is ``session.timeline``. Counts and amounts don't depend on its order; where it began and how it ended do, and
so does which of two differing copies counts. Sums know when what they say must be what the timeline says. Where they
can't know, they are in ``doubt``: then the session has to be read again and put in order.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from math import fsum
from typing import NamedTuple, Self, TypeVar
from zlib import crc32

import google_crc32c
import msgspec

from ..event.event import EPOCH, MICROSECOND, latency_us, number
from ..event.partial_decode import Glance
from .order import BEFORE_ALL, announced_id, announced_type
from .step import labelled
from .summary import Summary, dollars, tokens, who
from .timeline import CALL_TYPES, OUTCOMES, end_status

_NEVER = 1 << 62
Amount = TypeVar("Amount", int, float)


class Lay(msgspec.Struct, gc=False):
    """Which part of a partition the session's records lie in, and the latest time among them."""

    first: int
    last: int
    latest: int


class First(NamedTuple):
    """The event that began first. ``sure``: nothing that lies before it can raise its time."""

    began: int = _NEVER
    partition: int = 0
    offset: int = 0
    event_id: str = ""
    parent: str | None = None
    agent_id: str = ""
    sure: bool = True


class Bound(NamedTuple):
    """The start or the end of the session that was recorded last: not before ``at``, not after ``by``."""

    at: int
    by: int
    kind: str
    said: str


class Announced(NamedTuple):
    """A call whose own event isn't there, with what it adds as long as it is open."""

    at: int
    kind: str
    label: str
    failed: bool
    amounts: tuple[float | None, float | None, float | None]
    alone: bool = True


class Sums(msgspec.Struct):
    """A session's sums.

    Attributes:
        doubt: the session has to be read again and put in order.
        records: how many were added, copies included.
        ended: when the last event was recorded, but for announcements.
        announced_by: when the last announcement was recorded.
        rivals_by: no other start or end than ``bound`` was recorded after this.
        bounders: the agents that recorded starts and ends.
        started_alone: a start follows from nothing.
        outcome_stated: an event that is no end has a status that is an outcome.
        own, announcing: ids of the events that were added since the sums were last ``settled``.
        fresh: calls that were announced since then.
        known: hashes of the ids of the others.
    """

    session_id: str
    doubt: bool = False
    records: int = 0
    lays: dict[int, Lay] = {}
    agents: set[str] = set()
    first: First = First()
    ended: int = -_NEVER
    announced_by: int = -_NEVER
    bound: Bound | None = None
    rivals_by: int = -_NEVER
    bounders: set[str] = set()
    starts: bool = False
    started_alone: bool = False
    delegations: set[tuple[str, str | None]] = set()
    outcome_stated: bool = False
    tool_calls: int = 0
    llm_calls: int = 0
    errors: int = 0
    unpriced: int = 0
    tools: dict[str, int] = {}
    input_tokens: list[float] = []
    output_tokens: list[float] = []
    costs: list[float] = []
    open: dict[str, Announced] = {}
    own: set[str] = set()
    announcing: set[str] = set()
    fresh: set[str] = set()
    known: bytes = b""

    def add(self, glance: Glance, partition: int, offset: int) -> None:
        """Add a record. Those of one partition are expected by rising offsets; else there is doubt."""
        at = (glance.timestamp - EPOCH) // MICROSECOND
        by = self._laid(at, partition, offset)
        self.records += 1
        self.agents.add(glance.agent_id)
        payload, kind = glance.payload, glance.event_type
        latency = payload.latency_ms
        began = at if latency is None else at - latency_us(latency)
        if began <= self.first.began:
            self._begin(glance, began, partition, offset, at == by)
        if glance.status is not None and glance.status in OUTCOMES and kind != "session_end":
            self.outcome_stated = True
        if kind == "call_started":
            self._announce(glance, at)
            return
        self.own.add(glance.event_id)
        if at > self.ended:  # noqa: PLR1730  a call to max costs more, for each event
            self.ended = at
        if payload.error and kind != "session_end":
            self.errors += 1
        if payload.cost_usd is not None:
            _note(self.costs, payload.cost_usd)
        if kind == "tool_call":
            self.tool_calls += 1
            if label := payload.tool if isinstance(payload.tool, str) else _label(glance):
                self.tools[label] = self.tools.get(label, 0) + 1
        else:
            self._add_other(glance, at, by)

    def _laid(self, at: int, partition: int, offset: int) -> int:
        """Note where a record lies; the time to which what lies before it may raise its own."""
        lay = self.lays.get(partition)
        if lay is None:
            self.lays[partition] = Lay(offset, offset, at)
            return at
        if offset <= lay.last:
            self.doubt = True
        lay.last = offset
        if at > lay.latest:  # noqa: PLR1730  as in add
            lay.latest = at
        return lay.latest

    def _begin(self, glance: Glance, began: int, partition: int, offset: int, sure: bool) -> None:
        parent = glance.context.parent_event_id
        named = parent if isinstance(parent, str) and parent else None
        sure = sure and glance.event_type != "call_started" and began >= BEFORE_ALL
        self.first = min(
            self.first, First(began, partition, offset, glance.event_id, named, glance.agent_id, sure), key=_place
        )

    def _add_other(self, glance: Glance, at: int, by: int) -> None:
        payload = glance.payload
        match glance.event_type:
            case "llm_call":
                self.llm_calls += 1
                self.unpriced += number(payload.cost_usd) is None
                _note(self.input_tokens, payload.input_tokens)
                _note(self.output_tokens, payload.output_tokens)
            case "error":
                self.errors += not payload.error
            case "delegation":
                to = payload.to_agent_id
                self.delegations.add((glance.agent_id, to if isinstance(to, str) else None))
            case "session_start" | "session_end":
                self._add_bound(glance, at, by)

    def _add_bound(self, glance: Glance, at: int, by: int) -> None:
        self.bounders.add(glance.agent_id)
        if glance.event_type == "session_start":
            self.starts = True
            self.started_alone |= not isinstance(glance.context.parent_event_id, str)
        self._rival(Bound(at, by, glance.event_type, end_status(glance.payload.status, glance.status)))

    def _rival(self, bound: Bound | None) -> None:
        """Of two bounds the one that was recorded last stays; until when the other may have been is noted."""
        found = sorted(filter(None, (self.bound, bound)), key=lambda bound: -bound.at)
        self.bound = next(iter(found), None)
        self.rivals_by = max([self.rivals_by, *(rival.by for rival in found[1:])])

    def _announce(self, glance: Glance, at: int) -> None:
        payload = glance.payload
        self.announcing.add(glance.event_id)
        self.announced_by = max(self.announced_by, at)
        call_id = announced_id(payload.call_id, glance.event_id)
        kind = announced_type(payload.call_type, names_model=payload.model is not msgspec.UNSET)
        amounts = number(payload.cost_usd), number(payload.input_tokens), number(payload.output_tokens)
        alone = call_id not in self.open
        self.open[call_id] = Announced(at, kind, _label(glance), bool(payload.error), amounts, alone)
        self.fresh.add(call_id)

    def settle(self) -> None:
        """Take in what was added: copies found, calls folded, ids reduced to their hashes."""
        added = self.records - len(self.known) // 8
        known = set(_unpacked(self.known))
        hashes = [_hashed(event_id) for ids in (self.own, self.announcing) for event_id in ids]
        copies = added != len(hashes) or not self.own.isdisjoint(self.announcing) or not known.isdisjoint(hashes)
        ended = self.open.keys() & self.own
        late = not known.isdisjoint(map(_hashed, self.fresh - ended))
        begun_before = self.first.event_id in ended
        self.doubt = self.doubt or copies or late or begun_before
        for call_id in ended:
            del self.open[call_id]
        self.known += array("Q", hashes).tobytes()
        self.own, self.announcing, self.fresh = set(), set(), set()
        for amounts in (self.costs, self.input_tokens, self.output_tokens):
            amounts[:] = _exactly(amounts)

    def joined(self, other: "Sums") -> Self:
        """These sums, with those in them that others added up of the session in other partitions; both are settled."""
        known = set(_unpacked(self.known)), set(_unpacked(other.known))
        copies = not known[0].isdisjoint(known[1])
        folded = any(map(known[1].__contains__, map(_hashed, self.open)))
        folded = folded or any(map(known[0].__contains__, map(_hashed, other.open)))
        again = not self.lays.keys().isdisjoint(other.lays)
        self.doubt = self.doubt or other.doubt or copies or folded or again
        self.known += other.known
        self.records += other.records
        for partition, lay in other.lays.items():
            mine = self.lays.get(partition, lay)
            self.lays[partition] = Lay(
                min(mine.first, lay.first), max(mine.last, lay.last), max(mine.latest, lay.latest)
            )
        self._join_order(other)
        self._join_counts(other)
        return self

    def _join_order(self, other: "Sums") -> None:
        self.first = min(self.first, other.first, key=_place)
        self.ended = max(self.ended, other.ended)
        self.announced_by = max(self.announced_by, other.announced_by)
        self.rivals_by = max(self.rivals_by, other.rivals_by)
        self._rival(other.bound)
        for name in ("starts", "started_alone", "outcome_stated"):
            setattr(self, name, getattr(self, name) or getattr(other, name))

    def _join_counts(self, other: "Sums") -> None:
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

    def summary(self) -> Summary | None:
        """The session's row, once settled; None where only its timeline can tell."""
        ends = self._ended()
        owner = self._owner()
        if self.doubt or ends is None or owner is None or not self._surely_first() or not self._outcome_known(owner):
            return None
        opened = list(self.open.values())
        llm = [call for call in opened if call.kind == "llm_call"]
        tools = self.tools.copy()
        for call in opened:
            if call.kind == "tool_call" and call.label:
                tools[call.label] = tools.get(call.label, 0) + 1
        return Summary(
            session_id=self.session_id,
            agents=who(owner, self.agents),
            started=self.first.began,
            ended=ends,
            outcome=self.bound.said if self.bound is not None and self.bound.kind == "session_end" else None,
            events=self.records,
            tool_calls=self.tool_calls + sum(call.kind == "tool_call" for call in opened),
            llm_calls=self.llm_calls + len(llm),
            errors=self.errors + sum(call.failed for call in opened),
            input_tokens=_summed(tokens, self.input_tokens, [call.amounts[1] for call in llm]),
            output_tokens=_summed(tokens, self.output_tokens, [call.amounts[2] for call in llm]),
            cost_usd=_summed(dollars, self.costs, [call.amounts[0] for call in opened]),
            unpriced=self.unpriced,
            tools=tools,
            records=self.records,
        )

    def _ended(self) -> int | None:
        """When the last event was recorded; None where that is a call's announcement, or one that is no call's."""
        if not all(call.alone and call.kind in CALL_TYPES for call in self.open.values()):
            return None
        ended = max([self.ended, *(call.at for call in self.open.values())])
        return ended if ended >= self.announced_by else None

    def _surely_first(self) -> bool:
        """Nothing else can begin the timeline: ``first`` waits for no parent, and no clock can have been put right."""
        parent = self.first.parent
        waits = parent is not None and (parent in self.open or _hashed(parent) in _unpacked(self.known))
        return self.first.sure and not waits

    def _owner(self) -> str | None:
        """Whose lane the session's own is, and all the starts and ends; None where that isn't sure."""
        if self.bound is None:
            return self.first.agent_id
        bounder, *others = self.bounders
        if others:
            return None
        if self.starts:
            return bounder if self.started_alone or self.first.agent_id == bounder else None
        return self.first.agent_id if self.first.agent_id == bounder or not self.delegations else None

    def _outcome_known(self, owner: str) -> bool:
        """Nothing ran under a delegation in ``owner``'s name, and which start or end is the last is sure."""
        if self.bound is None:
            return not self.outcome_stated
        own_lane = all(agent == owner and to != owner for agent, to in self.delegations)
        told = self.bound.kind == "session_end" or not self.outcome_stated
        return own_lane and told and self.rivals_by < self.bound.at


def _place(first: First) -> tuple[int, int, int]:
    return first.began, first.partition, first.offset


def _label(glance: Glance) -> str:
    payload = glance.payload
    return labelled(lambda name: getattr(payload, name), glance.context.model)


def _hashed(event_id: str) -> int:
    """64 bits that stay the same from run to run. Two ids that share them raise a doubt, no more."""
    name = event_id.encode()
    return crc32(name) << 32 | int(google_crc32c.value(name))


def _unpacked(hashes: bytes) -> "array[int]":
    found = array("Q")
    found.frombytes(hashes)
    return found


MANY = 1_000


def _note(amounts: list[float], value: object) -> None:
    amount = number(value)
    if amount is not None:
        amounts.append(amount)
        if len(amounts) > MANY:
            amounts[:] = _exactly(amounts)


def _exactly(amounts: list[float]) -> list[float]:
    """The fewest numbers that have exactly the sum of ``amounts``; none only for none."""
    exact: list[float] = []
    while rest := fsum([*amounts, *(-part for part in exact)]):
        exact.append(rest)
    return exact or amounts[:1]


def _summed(
    total: Callable[[Iterable[float]], Amount], amounts: Sequence[float], opened: Iterable[float | None]
) -> Amount | None:
    """The total of what was stated; None where nothing was."""
    stated = [*amounts, *(amount for amount in opened if amount is not None)]
    return total(stated) if stated else None
