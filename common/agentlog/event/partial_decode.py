"""The partial decoder: it reads the few fields that totals need, for many events at once. Pure.

Its results equal those of ``codec.decode``. It checks skipped fields as JSON, except for the size of their numbers.
If a batch might hold a number too large for a float, or if decoding fails, ``codec.decode`` decodes each event.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, cast

import msgspec

from . import codec
from .event import SCHEMA_VERSION, Event, NonEmptyText, Place, Unreadable

RecordedValue = Any
"""A recorded value of any type; None when the payload doesn't have it."""


class PartialPayload(msgspec.Struct, gc=False):
    """The fields of a payload that totals need.

    An absent ``model`` is UNSET, not None, because its presence tells the type of a call.
    """

    tool: RecordedValue = None
    model: RecordedValue = msgspec.UNSET
    to_agent_id: RecordedValue = None
    from_agent_id: RecordedValue = None
    key: RecordedValue = None
    action: RecordedValue = None
    error: RecordedValue = None
    latency_ms: RecordedValue = None
    cost_usd: RecordedValue = None
    input_tokens: RecordedValue = None
    output_tokens: RecordedValue = None
    call_id: RecordedValue = None
    call_type: RecordedValue = None
    status: RecordedValue = None
    goal: RecordedValue = None


class PartialContext(msgspec.Struct, gc=False):
    """The fields of a context that totals need."""

    parent_event_id: RecordedValue = None
    model: RecordedValue = None


class PartialEvent(msgspec.Struct, gc=False):
    """The fields of an event that totals need."""

    event_id: NonEmptyText
    session_id: NonEmptyText
    agent_id: NonEmptyText
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    event_type: NonEmptyText
    payload: PartialPayload = msgspec.field(default_factory=PartialPayload)
    context: PartialContext = msgspec.field(default_factory=PartialContext)
    status: str | None = None
    schema_version: Annotated[int, msgspec.Meta(ge=SCHEMA_VERSION)] = SCHEMA_VERSION


_decode_partial_event = msgspec.json.Decoder(PartialEvent).decode

_BYTE_CLASSES = bytearray(b"x" * 256)
for _kind, _bytes in {b"0": b"0123456789", b".": b".", b"e": b"eE", b"-": b"-", b":": b":,[\n\r\t "}.items():
    for _byte in _bytes:
        _BYTE_CLASSES[_byte] = _kind[0]
_LARGE_EXPONENT = re.compile(rb":-?[0.]+e000")
_LONG_NUMBER = b"0" * 200
_CALENDAR_LIMITS = datetime.fromisoformat("0001-01-03T00:00Z"), datetime.fromisoformat("9999-12-29T00:00Z")


def decode_partial(
    values: Sequence[bytes | None], get_place: Callable[[int], Place]
) -> list[PartialEvent | Unreadable]:
    """Decode each of ``values``, or say why it is unreadable, as ``codec.decode`` would."""
    try:
        # a tombstone (None) fails here, and codec says why
        partial_events = list(map(_decode_partial_event, cast(Sequence[bytes], values)))
    except (ValueError, TypeError, RecursionError):
        partial_events = []
    if partial_events and _is_plain(cast(Sequence[bytes], values)) and _is_within_calendar(partial_events):
        return list(partial_events)
    return [_decode_carefully(value, get_place(number)) for number, value in enumerate(values)]


def _is_plain(values: Sequence[bytes]) -> bool:
    """Whether all values are UTF-8 of a permitted size, without a number that may be too large for a float."""
    joined = b"\n".join(values)
    try:
        if not joined.isascii():
            joined.decode()
    except UnicodeDecodeError:
        return False
    if len(joined) > codec.MAX_RECORD_BYTES and max(map(len, values)) > codec.MAX_RECORD_BYTES:
        return False
    kinds = joined.translate(_BYTE_CLASSES, b"+")
    return _LONG_NUMBER not in kinds and not (b"0e000" in kinds and _LARGE_EXPONENT.search(kinds))


def _is_within_calendar(partial_events: Sequence[PartialEvent]) -> bool:
    """Whether all times stay inside the calendar in any time zone."""
    moments = [event.timestamp for event in partial_events]
    return _CALENDAR_LIMITS[0] < min(moments) and max(moments) < _CALENDAR_LIMITS[1]


def _decode_carefully(value: bytes | None, place: Place) -> PartialEvent | Unreadable:
    decoded = codec.decode(value, place, place.where)
    return decoded if isinstance(decoded, Unreadable) else make_partial_event(decoded.event)


def make_partial_event(event: Event) -> PartialEvent:
    """Make the partial event of a whole one."""
    payload, context = select_needed_fields(event)
    return PartialEvent(
        event.event_id,
        event.session_id,
        event.agent_id,
        event.timestamp,
        event.event_type,
        PartialPayload(**payload),
        PartialContext(**context),
        event.status,
    )


def select_needed_fields(event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
    """Select the fields of an event's payload and context that totals need."""
    payload = {name: event.payload[name] for name in PartialPayload.__struct_fields__ if name in event.payload}
    context = {name: event.context[name] for name in PartialContext.__struct_fields__ if name in event.context}
    return payload, context
