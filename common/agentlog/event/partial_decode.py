"""The partial decoder: it reads the few fields that totals need, for many events at once. Pure.

Its results equal those of ``codec.decode``. It checks skipped fields as JSON, except for their bytes and the size of
their numbers. These are looked for in all values at once. Only a value that can't be decoded so, or in which something
odd may stand, goes to ``codec.decode``: it must not slow down its neighbours.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate, chain
from typing import Annotated, Any, cast

import msgspec

from . import codec
from .event import SCHEMA_VERSION, Event, NonEmptyText, Place, Unreadable

RecordedValue = Any
"""A recorded value of any type; None when the payload doesn't have it."""


NO_ANSWER = msgspec.Raw(b"")


class PartialPayload(msgspec.Struct, gc=False):
    """The fields of a payload that totals need.

    An absent ``model`` is UNSET, not None, because its presence tells the type of a call. An answer (``output``,
    ``documents``, ``result``) stays JSON, because few of them have to be looked into. That of a whole event is a value.
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
    output: msgspec.Raw = NO_ANSWER
    documents: msgspec.Raw = NO_ANSWER
    result: msgspec.Raw = NO_ANSWER
    exit_code: RecordedValue = None
    is_error: RecordedValue = None
    isError: RecordedValue = None  # noqa: N815  as MCP spells it
    success: RecordedValue = None
    status_code: RecordedValue = None


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

_BYTE_KINDS = bytearray(b"x" * 256)
for _kind, _bytes in {b"0": b"0123456789+", b".": b".", b"e": b"eE", b"-": b"-", b":": b":,[\n\r\t "}.items():
    for _byte in _bytes:
        _BYTE_KINDS[_byte] = _kind[0]
_LARGE_EXPONENT, _LONG_NUMBER = b"0e000", b"0" * 200  # as kinds of bytes; e+30 counts as large too
_CALENDAR_LIMITS = datetime.fromisoformat("0001-01-03T00:00Z"), datetime.fromisoformat("9999-12-29T00:00Z")


def decode_partial(
    values: Sequence[bytes | None], get_place: Callable[[int], Place]
) -> list[PartialEvent | Unreadable]:
    """Decode each of ``values``, or say why it is unreadable, as ``codec.decode`` would."""
    decoded: list[Any] = []
    failed: set[int] = set()
    for number, value in enumerate(values):
        try:
            decoded.append(_decode_partial_event(cast(bytes, value)))  # a tombstone is a TypeError
        except (ValueError, TypeError, RecursionError):
            decoded.append(None)
            failed.add(number)
    rest = [b"" if number in failed else value for number, value in enumerate(values)] if failed else values
    doubtful = {*failed, *_find_doubtful(cast(Sequence[bytes], rest)), *_find_outside_calendar(decoded)}
    for number in doubtful:
        decoded[number] = _decode_carefully(values[number], get_place(number))
    return decoded


def _find_doubtful(values: Sequence[bytes]) -> Iterator[int]:
    """Yield the numbers of the values that aren't UTF-8, are too large, or may hold a number too large for a float."""
    joined = b"\n".join(values)
    if not joined.isascii():
        yield from (number for number, value in enumerate(values) if not value.isascii() and not _is_utf8(value))
    if len(joined) > codec.MAX_RECORD_BYTES:
        yield from (number for number, value in enumerate(values) if len(value) > codec.MAX_RECORD_BYTES)
    kinds = joined.translate(_BYTE_KINDS)
    if _LARGE_EXPONENT in kinds or _LONG_NUMBER in kinds:
        ends = list(accumulate(len(value) + 1 for value in values))
        for position in chain(_find_large_exponents(joined, kinds), _find_long_numbers(kinds)):
            yield bisect_right(ends, position)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _find_large_exponents(joined: bytes, kinds: bytes) -> Iterator[int]:
    """Yield the positions of numbers with a large exponent.

    Hashes and UUIDs are full of the same letters and digits. So only what begins where JSON has a number counts.
    """
    start = 0
    for kinds_before in kinds.split(_LARGE_EXPONENT)[:-1]:
        position = start + len(kinds_before)
        if kinds_before.rstrip(b"0.").endswith((b":", b":-")):
            before = joined[start:position].rstrip(b"+-.0123456789").rstrip(b" \t\r\n")
            if before.endswith((b":", b",", b"[")):
                yield position
        start = position + len(_LARGE_EXPONENT)


def _find_long_numbers(kinds: bytes) -> Iterator[int]:
    position = kinds.find(_LONG_NUMBER)
    while position >= 0:
        yield position
        position = kinds.find(_LONG_NUMBER, position + len(_LONG_NUMBER))


def _find_outside_calendar(decoded: Sequence[PartialEvent | None]) -> Iterator[int]:
    """Yield the numbers of the events whose times may leave the calendar in another time zone."""
    first, last = _CALENDAR_LIMITS
    moments = [event.timestamp for event in decoded if event is not None]
    if moments and not (first < min(moments) and max(moments) < last):
        for number, event in enumerate(decoded):
            if event is not None and not first < event.timestamp < last:
                yield number


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
