"""The signature of a record: what is needed to order, match and judge it. The bytes are in a spill file."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentlog.event.event import Event, Place, Record
from agentlog.session.failure import has_failed as has_event_failed
from agentlog.session.order import get_announced_type
from agentlog.session.step import Step

from .normalize import (
    METRICS,
    IgnoreRules,
    NormalizedText,
    find_member_ids,
    is_no_argument,
    mask_random_ids,
    normalize_text,
    to_text,
    write_comparable,
)
from .side_effects import Effect, ToolPatterns, judge_effect
from .spill import SpillFile

_KEPT_MEMBERS = METRICS.union({
    "action", "call_id", "call_type", "child_session_id", "from_agent_id", "goal", "key", "model", "status",
    "to_agent_id", "tool",
})  # fmt: skip
"""Members of a payload that a signature keeps, shortened."""
_INPUT_MEMBER = {
    "tool_call": "input",
    "retrieval": "query",
    "delegation": "task",
    "memory_write": "value",
    "decision": "action",
}
_SKIPPED_MEMBERS = {kind: METRICS.union({name}) for kind, name in _INPUT_MEMBER.items()}
_NO_PAYLOAD: dict[str, Any] = {}
MIN_INT64, MAX_INT64 = -(2**63), 2**63 - 1

CALL_KINDS = frozenset({"tool_call", "retrieval", "memory_write", "delegation"})
"""Kinds of steps that do something. All others say something, or hold a result."""


_TEXT_MEMBERS = METRICS.union({"model", "output", "text"})
"""A step with no other members is its text: it is normalized once."""
_NO_ARGUMENT = NormalizedText("", "", ())
READ_KINDS = frozenset({
    "tool_call", "retrieval", "memory_read", "delegation_result", "user_message", "session_start",
})  # fmt: skip
"""Kinds of steps whose results or texts the agent reads. All others hold what it, or its model, wrote."""


def has_noise(kind: str) -> bool:
    """Whether programs and models wrote the texts of such a step. What people say and agents tell them is no noise."""
    return kind not in ("agent_message", "user_message", "session_start")


class RecordSignature(Record, frozen=True, gc=False):
    """A record whose payload and bytes are in a spill file. Only a forked process has the same hashes.

    Attributes:
        call_hash: a hash of a call's kind, label and arguments without times and random ids; for others, of the text.
        call_form_hash: the same hash with a placeholder for each id.
        result_hash: a hash of all other compared members, such as the result of a call.
        result_form_hash: the same hash with a placeholder for each id.
        value_offset: the offset of the bytes in the spill file.
        value_size: the number of bytes.
        ids_start: the index of the first of its id hashes in the spill file.
        call_id_count: the number of ids in ``call_form_hash``.
        result_id_count: the number of ids in ``result_form_hash``. Their hashes come after those of the call.
        call_volatile_count: the number of times and other volatile values in its arguments. Their hashes come next.
        result_volatile_count: the number of those that the agent read in its result. Their hashes come last.
        effect: the effect of the step.
        rule: the rule that says so.
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
    call_volatile_count: int
    result_volatile_count: int
    effect: Effect
    rule: str
    has_failed: bool


def get_signature(step: Step) -> RecordSignature:
    """Return the signature that a step was made of."""
    record = step.record
    if not isinstance(record, RecordSignature):
        raise TypeError("the step was not made of a signature")
    return record


class SignatureBuilder:
    """Builds the signatures of one session's records. Equal names become one object, to save memory.

    Attributes:
        spill: the file that gets the payloads.
    """

    def __init__(self, spill: SpillFile, rules: IgnoreRules, tool_patterns: ToolPatterns) -> None:
        self.spill, self._rules, self._tool_patterns = spill, rules, tool_patterns
        self._names: dict[str, str] = {}

    def build_signature(self, record: Record) -> RecordSignature:
        """Build the signature of ``record``, and put its bytes into the spill file."""
        event = record.event
        kind, label = _find_kind(event), _find_label(event)
        has_failed = has_event_failed(event.event_type, event.payload)
        judgement = judge_effect(kind, label, event.payload, self._tool_patterns)
        input_member = _INPUT_MEMBER.get(kind)
        result_text = self._normalize_result(kind, event)
        if input_member is None and event.payload.keys() <= _TEXT_MEMBERS:
            call_text = NormalizedText(result_text.literal, result_text.form, ())
        else:
            call_text = self._normalize_input(kind, input_member, event)
        ids_start = len(self.spill.id_hashes)
        self.spill.id_hashes.extend(call_text.id_hashes)
        self.spill.id_hashes.extend(result_text.id_hashes)
        self.spill.id_hashes.extend(call_text.volatile_hashes)
        self.spill.id_hashes.extend(result_text.volatile_hashes)
        call_key = kind, mask_random_ids(label, self._rules), mask_random_ids(event.agent_id, self._rules)
        call_hash = hash((call_key, call_text.literal))
        result_form_hash = hash(result_text.form)
        return RecordSignature(
            self._drop_details(event, has_failed=has_failed),
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
            len(call_text.volatile_hashes),
            len(result_text.volatile_hashes),
            judgement.effect,
            self._intern(judgement.rule),
            has_failed,
        )

    def _normalize_input(self, kind: str, input_member: str | None, event: Event) -> NormalizedText:
        """Normalize a call's arguments, or the text of another step."""
        if input_member is None:
            text = normalize_text(
                extract_text(kind, event.payload),
                self._rules,
                should_mask_noise=has_noise(kind),
                clock=event.timestamp,
            )
            return text._replace(
                id_hashes=(), volatile_hashes=()
            )  # they are among those of the result, which holds all members
        argument = event.payload.get(input_member)
        if kind == "tool_call" and is_no_argument(argument):
            return _NO_ARGUMENT
        volatile_hashes: list[int] = []
        given = write_comparable(argument, self._rules, ("payload", input_member), volatile_hashes=volatile_hashes)
        return _add_hashes(normalize_text(given, self._rules, clock=event.timestamp), volatile_hashes)

    def _normalize_result(self, kind: str, event: Event) -> NormalizedText:
        volatile_hashes: list[int] = []
        text = write_comparable(
            event.payload,
            self._rules,
            ("payload",),
            _SKIPPED_MEMBERS.get(kind, METRICS),
            volatile_hashes if kind in READ_KINDS else None,
        )
        normalized = normalize_text(text, self._rules, should_mask_noise=has_noise(kind), clock=event.timestamp)
        if kind not in READ_KINDS and normalized.volatile_hashes:
            normalized = normalized._replace(volatile_hashes=())
        return _add_hashes(normalized, volatile_hashes)

    def _drop_details(self, event: Event, *, has_failed: bool) -> Event:
        payload = {name: self._shorten(value) for name, value in event.payload.items() if name in _KEPT_MEMBERS}
        if has_failed and event.event_type != "error":
            payload["error"] = True  # also for an answer that says so, which isn't kept
        context: dict[str, Any] = {"model": self._shorten(event.context["model"])} if "model" in event.context else {}
        if event.parent_event_id is not None:
            context["parent_event_id"] = event.parent_event_id
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
        if isinstance(value, int) and not MIN_INT64 <= value <= MAX_INT64:
            return str(value)  # MessagePack has no such number, and no amount is that large
        return value if isinstance(value, int | float) else None

    def _intern(self, text: str) -> str:
        return self._names.setdefault(text, text)


def _add_hashes(text: NormalizedText, volatile_hashes: Sequence[int]) -> NormalizedText:
    """Add the hashes of ids that only the names of their members tell, and those of volatile members."""
    ids = find_member_ids(text.form)
    if not ids and not volatile_hashes:
        return text
    return text._replace(id_hashes=(*text.id_hashes, *ids), volatile_hashes=(*text.volatile_hashes, *volatile_hashes))


def _find_kind(event: Event) -> str:
    """Return the event type; for the start of a call, the type of the call."""
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
    """Return the message, output or result of a step, or the arguments of a call, as one text."""
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
