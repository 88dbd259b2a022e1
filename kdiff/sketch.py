"""A record without its payload: what is needed to order, match and judge it. The bytes wait on a shelf."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import orjson

from agentlog import codec
from agentlog.calls import failed
from agentlog.events import Event, Place, Record, Unreadable
from agentlog.order import call_type
from agentlog.steps import Step

from .effects import Declared, Effect, effect
from .normalize import METRICS, Rules, flat, literal, signatures

IN_MEMORY = 32 * 1024 * 1024
"""So much of the sessions' bytes stays in memory; what is more goes to an unnamed temporary file."""

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
    """A record whose payload and bytes have been put on a shelf.

    Attributes:
        act: a hash of what was done: kind, label, arguments without clocks and random ids. Of a text, the text.
        form: the same with a placeholder for each id.
        rest: a hash of all that is compared besides: what a call answered, as stored.
        at, size: where the bytes are on the shelf.
        effect: what it does to the world, by ``rule``.
    """

    act: int
    form: int
    rest: int
    at: int
    size: int
    effect: Effect
    rule: str
    failed: bool


class Shelf:
    """Where the bytes of both sessions wait until they are looked at."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = 0
        self._was_read = False

    def put(self, value: bytes) -> int:
        """Keep ``value``, and say where."""
        if self._was_read:
            self._file.seek(self._end)
            self._was_read = False
        self._file.write(value)
        at, self._end = self._end, self._end + len(value)
        return at

    def value(self, sketch: Sketch) -> bytes:
        """The bytes of a record, as stored."""
        self._was_read = True
        self._file.seek(sketch.at)
        return self._file.read(sketch.size)

    def event(self, step: Step) -> Event:
        """A step's event, whole."""
        record = sketched(step)
        found = codec.decode(self.value(record), record.place, "")
        if isinstance(found, Unreadable):
            raise TypeError(found.reason)
        return found.event


@contextmanager
def shelf() -> Iterator[Shelf]:
    """A shelf that is gone afterwards."""
    with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        yield Shelf(file)


def sketched(step: Step) -> Sketch:
    """The sketch that a step was made of."""
    record = step.record
    if not isinstance(record, Sketch):
        raise TypeError("a step that was not made of a sketch")
    return record


class Sketcher:
    """Makes sketches of one session's records; equal names become one object."""

    def __init__(self, onto: Shelf, rules: Rules, declared: Declared) -> None:
        self._shelf, self._rules, self._declared = onto, rules, declared
        self._names: dict[str, str] = {}

    def sketch(self, record: Record) -> Sketch:
        """``record`` without what can wait."""
        event = record.event
        kind, label = _kind(event), _label(event)
        judged = effect(kind, label, event.payload, self._declared)
        act, form = self._signatures(kind, label, event)
        return Sketch(
            self._slim(event),
            self._place(record.place),
            b"",
            act,
            form,
            self._rest(kind, event.payload),
            self._shelf.put(record.value),
            len(record.value),
            judged.effect,
            self._name(judged.rule),
            failed(kind, event.payload),
        )

    def _signatures(self, kind: str, label: str, event: Event) -> tuple[int, int]:
        payload = event.payload
        name = _GIVEN.get(kind)
        if name is not None:
            act, form = signatures(payload.get(name), self._rules, ("payload", name))
        else:
            act = form = hash(text_of(kind, payload))
        who = _who(event.agent_id, self._rules)
        return hash((kind, label, who, act)), hash((kind, label, who, form))

    def _rest(self, kind: str, payload: Mapping[str, Any]) -> int:
        skipped = _SKIPPED.get(kind, METRICS)
        kept = {name: value for name, value in payload.items() if name not in skipped}
        return hash(flat(kept)) if kept else 0

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
    return literal(agent_id, rules)


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
