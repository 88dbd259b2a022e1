"""A record without its payload: what is needed to order, match and judge it. The bytes wait on a shelf."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from agentlog.analysis.call_outcome import failed
from agentlog.event.event import Event, Place, Record
from agentlog.session.order import call_type
from agentlog.session.step import Step

from .normalize import METRICS, Reading, Rules, flat, pruned, reading
from .side_effects import Declared, Effect, effect
from .spill import Shelf

_KEPT = METRICS.union(
    [
        "tool",
        "model",
        "to_agent_id",
        "from_agent_id",
        "key",
        "call_id",
        "call_type",
        "child_session_id",
        "action",
        "goal",
        "status",
    ]
)
_GIVEN = {
    "tool_call": "input",
    "retrieval": "query",
    "delegation": "task",
    "memory_write": "value",
    "decision": "action",
}
_SKIPPED = {kind: METRICS.union({name}) for kind, name in _GIVEN.items()}
_NO_PAYLOAD: dict[str, Any] = {}

CALLS = frozenset({"tool_call", "retrieval", "memory_write", "delegation"})
"""Steps that do something; all others say something, or hold what came back."""


class Sketch(Record, frozen=True, gc=False):
    """A record whose payload and bytes have been put on a shelf. It can be sent to another process of the same hashes.

    Attributes:
        act: a hash of what was done: kind, label, arguments without clocks and random ids. Of a text, the text.
        form: the same with a placeholder for each id.
        rest: a hash of all that is compared besides, such as what a call answered, as it reads.
        shape: the same with a placeholder for each id.
        at, size: where the bytes are on the shelf.
        ids_at, given_ids, rest_ids: where the marks of its ids are, and how many of them ``form`` and ``shape`` hold.
        effect: what it does to the world, by ``rule``.
    """

    act: int
    form: int
    rest: int
    shape: int
    at: int
    size: int
    ids_at: int
    given_ids: int
    rest_ids: int
    effect: Effect
    rule: str
    failed: bool


def sketched(step: Step) -> Sketch:
    """The sketch that a step was made of."""
    record = step.record
    if not isinstance(record, Sketch):
        raise TypeError("a step that was not made of a sketch")
    return record


class Sketcher:
    """Makes sketches of one session's records; equal names become one object.

    Attributes:
        shelf: where it puts the payloads.
    """

    def __init__(self, onto: Shelf, rules: Rules, declared: Declared) -> None:
        self.shelf, self._rules, self._declared = onto, rules, declared
        self._names: dict[str, str] = {}

    def sketch(self, record: Record) -> Sketch:
        """``record`` without what can wait."""
        event = record.event
        kind, label = _kind(event), _label(event)
        judged = effect(kind, label, event.payload, self._declared)
        name = _GIVEN.get(kind)
        given = self._given(kind, name, event.payload)
        rest = self._rest(kind, event.payload)
        ids_at = len(self.shelf.ids)
        self.shelf.ids.extend(given.ids)
        self.shelf.ids.extend(rest.ids)
        who = kind, label, _who(event.agent_id, self._rules)
        act = hash((who, given.literal))
        shape = hash(rest.form)
        return Sketch(
            self._slim(event),
            self._place(record.place),
            b"",
            act,
            act if given.form is given.literal else hash((who, given.form)),
            shape if rest.literal is rest.form else hash(rest.literal),
            shape,
            self.shelf.put(record.value),
            len(record.value),
            ids_at,
            len(given.ids),
            len(rest.ids),
            judged.effect,
            self._name(judged.rule),
            failed(kind, event.payload),
        )

    def _given(self, kind: str, name: str | None, payload: Mapping[str, Any]) -> Reading:
        """What it was given, or what it says."""
        if name is None:
            return Reading(text := text_of(kind, payload), text, ())
        return reading(flat(pruned(payload.get(name), self._rules, ("payload", name))), self._rules)

    def _rest(self, kind: str, payload: Mapping[str, Any]) -> Reading:
        text = flat(pruned(payload, self._rules, ("payload",), _SKIPPED.get(kind, METRICS)))
        return reading(text, self._rules, spans=kind != "agent_message")

    def _slim(self, event: Event) -> Event:
        payload = {name: self._short(value) for name, value in event.payload.items() if name in _KEPT}
        if event.payload.get("error"):
            payload["error"] = True
        context: dict[str, Any] = {n: event.context[n] for n in ("parent_event_id", "model") if n in event.context}
        return Event(
            event_id=event.event_id,
            session_id=self._name(event.session_id),
            agent_id=self._name(event.agent_id),
            timestamp=event.timestamp,
            event_type=self._name(event.event_type),
            payload=payload or _NO_PAYLOAD,
            context=context or _NO_PAYLOAD,
            status=event.status,
        )

    def _place(self, place: Place) -> Place:
        if place.topic is None and not place.headers:
            return place
        process = tuple(each for each in place.headers if each[0] == "agentlog.process")
        return Place(self._name(place.topic) if place.topic else None, place.partition, place.offset, None, process)

    def _short(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._name(value) if len(value) < 50 else value[:200]
        return value if isinstance(value, int | float) else None

    def _name(self, text: str) -> str:
        return self._names.setdefault(text, text)


@lru_cache(maxsize=4096)
def _who(agent_id: str, rules: Rules) -> str:
    """An agent without what is random in its name: workers are often numbered so."""
    return reading(agent_id, rules).literal


def _kind(event: Event) -> str:
    """The event type; of a call that was announced that of the call."""
    if event.event_type != "call_started":
        return event.event_type
    return call_type(event)


def _label(event: Event) -> str:
    for name in ("tool", "model", "to_agent_id", "from_agent_id", "key"):
        label = event.payload.get(name)
        if isinstance(label, str):
            return label
    return ""


def text_of(kind: str, payload: Mapping[str, Any]) -> str:
    """The text that a step says, as one: its message, its output, its result."""
    names = {
        "llm_call": ("output", "error"),
        "session_start": ("goal",),
        "session_end": ("status", "result", "error"),
        "decision": ("action", "text"),
        "delegation_result": ("result", "error"),
        "retrieval": ("query",),
        "tool_call": ("input",),
        "delegation": ("task",),
        "memory_write": ("value",),
    }.get(kind, ("text", "message"))
    said = [flat(payload[name]) for name in names if payload.get(name) is not None]
    return " ".join(said) if said else orjson.dumps(payload, default=str).decode()
