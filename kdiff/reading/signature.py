"""A record without its payload: what is needed to order, match and judge it. The bytes wait on a shelf."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from agentlog.analysis.call_outcome import has_failed
from agentlog.event.event import Event, Place, Record
from agentlog.session.order import get_announced_type
from agentlog.session.step import Step

from .normalize import METRICS, IgnoreRules, NormalizedText, drop_ignored, normalize_text, to_text
from .side_effects import Effect, ToolPatterns, judge_effect
from .spill import SpillFile

_KEPT_MEMBERS = METRICS.union(
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
_INPUT_MEMBER = {
    "tool_call": "input",
    "retrieval": "query",
    "delegation": "task",
    "memory_write": "value",
    "decision": "action",
}
_SKIPPED_MEMBERS = {kind: METRICS.union({name}) for kind, name in _INPUT_MEMBER.items()}
_NO_PAYLOAD: dict[str, Any] = {}

CALL_KINDS = frozenset({"tool_call", "retrieval", "memory_write", "delegation"})
"""Steps that do something; all others say something, or hold what came back."""


class RecordSignature(Record, frozen=True, gc=False):
    """A record whose payload and bytes have been put on a shelf. It can be sent to another process of the same hashes.

    Attributes:
        call_hash: a hash of what was done: kind, label, arguments without clocks and random ids. Of a text, the text.
        call_form_hash: the same with a placeholder for each id.
        result_hash: a hash of all that is compared besides, such as what a call answered, as it reads.
        result_form_hash: the same with a placeholder for each id.
        at, size: where the bytes are on the shelf.
        ids_at, given_ids, rest_ids: where the marks of its ids are, and how many of them ``call_form_hash`` and ``result_form_hash`` hold.
        effect: what it does to the world, by ``rule``.
    """

    call_hash: int
    call_form_hash: int
    result_hash: int
    result_form_hash: int
    value_offset: int
    value_size: int
    ids_start: int
    call_id_count: int
    result_id_count: int
    effect: Effect
    rule: str
    has_failed: bool


def get_signature(step: Step) -> RecordSignature:
    """The sketch that a step was made of."""
    record = step.record
    if not isinstance(record, RecordSignature):
        raise TypeError("a step that was not made of a sketch")
    return record


class SignatureBuilder:
    """Makes sketches of one session's records; equal names become one object.

    Attributes:
        spill: where it puts the payloads.
    """

    def __init__(self, spill: SpillFile, rules: IgnoreRules, tool_patterns: ToolPatterns) -> None:
        self.spill, self._rules, self._tool_patterns = spill, rules, tool_patterns
        self._names: dict[str, str] = {}

    def build_signature(self, record: Record) -> RecordSignature:
        """``record`` without what can wait."""
        event = record.event
        kind, label = _find_kind(event), _find_label(event)
        judgement = judge_effect(kind, label, event.payload, self._tool_patterns)
        input_member = _INPUT_MEMBER.get(kind)
        call_text = self._normalize_input(kind, input_member, event.payload)
        result_text = self._normalize_result(kind, event.payload)
        ids_start = len(self.spill.id_hashes)
        self.spill.id_hashes.extend(call_text.id_hashes)
        self.spill.id_hashes.extend(result_text.id_hashes)
        call_key = kind, label, _normalize_agent(event.agent_id, self._rules)
        call_hash = hash((call_key, call_text.literal))
        result_form_hash = hash(result_text.form)
        return RecordSignature(
            self._drop_details(event),
            self._intern_place(record.place),
            b"",
            call_hash,
            call_hash if call_text.form is call_text.literal else hash((call_key, call_text.form)),
            result_form_hash if result_text.literal is result_text.form else hash(result_text.literal),
            result_form_hash,
            self.spill.append(record.value),
            len(record.value),
            ids_start,
            len(call_text.id_hashes),
            len(result_text.id_hashes),
            judgement.effect,
            self._intern(judgement.rule),
            has_failed(kind, event.payload),
        )

    def _normalize_input(self, kind: str, input_member: str | None, payload: Mapping[str, Any]) -> NormalizedText:
        """What it was given, or what it says."""
        if input_member is None:
            return NormalizedText(text := extract_text(kind, payload), text, ())
        return normalize_text(
            to_text(drop_ignored(payload.get(input_member), self._rules, ("payload", input_member))), self._rules
        )

    def _normalize_result(self, kind: str, payload: Mapping[str, Any]) -> NormalizedText:
        text = to_text(drop_ignored(payload, self._rules, ("payload",), _SKIPPED_MEMBERS.get(kind, METRICS)))
        return normalize_text(text, self._rules, should_mask_durations=kind != "agent_message")

    def _drop_details(self, event: Event) -> Event:
        payload = {name: self._shorten(value) for name, value in event.payload.items() if name in _KEPT_MEMBERS}
        if event.payload.get("error"):
            payload["error"] = True
        context: dict[str, Any] = {n: event.context[n] for n in ("parent_event_id", "model") if n in event.context}
        return Event(
            event_id=event.event_id,
            session_id=self._intern(event.session_id),
            agent_id=self._intern(event.agent_id),
            timestamp=event.timestamp,
            event_type=self._intern(event.event_type),
            payload=payload or _NO_PAYLOAD,
            context=context or _NO_PAYLOAD,
            status=event.status,
        )

    def _intern_place(self, place: Place) -> Place:
        if place.topic is None and not place.headers:
            return place
        process_headers = tuple(each for each in place.headers if each[0] == "agentlog.process")
        return Place(
            self._intern(place.topic) if place.topic else None, place.partition, place.offset, None, process_headers
        )

    def _shorten(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._intern(value) if len(value) < 50 else value[:200]
        return value if isinstance(value, int | float) else None

    def _intern(self, text: str) -> str:
        return self._names.setdefault(text, text)


@lru_cache(maxsize=4096)
def _normalize_agent(agent_id: str, rules: IgnoreRules) -> str:
    """An agent without what is random in its name: workers are often numbered so."""
    return normalize_text(agent_id, rules).literal


def _find_kind(event: Event) -> str:
    """The event type; of a call that was announced that of the call."""
    if event.event_type != "call_started":
        return event.event_type
    return get_announced_type(event)


def _find_label(event: Event) -> str:
    for name in ("tool", "model", "to_agent_id", "from_agent_id", "key"):
        label = event.payload.get(name)
        if isinstance(label, str):
            return label
    return ""


def extract_text(kind: str, payload: Mapping[str, Any]) -> str:
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
    texts = [to_text(payload[name]) for name in names if payload.get(name) is not None]
    return " ".join(texts) if texts else to_text(payload)
