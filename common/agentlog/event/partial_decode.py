"""The partial decoder: it reads the few fields that totals need, for many events at once. Pure.

Its results equal those of ``codec.decode``. It checks skipped fields as JSON, except for their bytes and the size of
their numbers. These are searched in all values at once. Only a value that can't be decoded so, or in which something
odd may stand, goes to ``codec.decode``: it must not slow down its neighbours.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import accumulate
from typing import Annotated, Any, cast

import msgspec

from . import codec
from .event import SCHEMA_VERSION, Event, NonEmptyText, Place, Unreadable
from .registry_frame import drop_frame, split_framed_json

RecordedValue = Any
"""A recorded value of any type; None when the payload doesn't have it."""


NO_ANSWER = msgspec.Raw(b"")


class PartialPayload(msgspec.Struct, gc=False):
    """The fields of a payload that totals need.

    An absent ``model`` is UNSET, not None, because its presence tells the type of a call. The ``input`` and an answer
    (``output``, ``documents``, ``result``) stay JSON, because few of them have to be looked into. That of a whole event
    is a value.
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
    input: msgspec.Raw = NO_ANSWER
    output: msgspec.Raw = NO_ANSWER
    documents: msgspec.Raw = NO_ANSWER
    result: msgspec.Raw = NO_ANSWER
    exit_code: RecordedValue = None
    is_error: RecordedValue = None
    isError: RecordedValue = None  # noqa: N815  as MCP spells it
    success: RecordedValue = None
    status_code: RecordedValue = None
    exitCode: RecordedValue = None  # noqa: N815
    statusCode: RecordedValue = None  # noqa: N815
    returncode: RecordedValue = None
    return_code: RecordedValue = None
    finish_reason: RecordedValue = None


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

_LARGE_NUMBERS = rb"[:,\[][ \t\r\n]*-?[0-9.]+[eE]\+?[0-9]{3}|[0-9]{64}"
"""A number that may be too large for a float: only where JSON has numbers, because hashes in texts look alike."""
_NO_UTF8 = b"|".join((
    rb"[\x00-\x7f][\x80-\xbf]",  # what goes on, but never began
    rb"[\xc2-\xdf][\x80-\xbf]{2}|[\xe0-\xef][\x80-\xbf]{3}|[\xf0-\xf4][\x80-\xbf]{4}",  # and goes on too long
    rb"[\xc2-\xf4][\x00-\x7f\xc0-\xff]|[\xe0-\xf4][\x80-\xbf][\x00-\x7f\xc0-\xff]",  # or ends too early
    rb"[\xf0-\xf4][\x80-\xbf]{2}[\x00-\x7f\xc0-\xff]",
    rb"[\xc0\xc1\xf5-\xff]|\xe0[\x80-\x9f]|\xed[\xa0-\xbf]|\xf0[\x80-\x8f]|\xf4[\x90-\xbf]",  # or can't be at all
))  # fmt: skip
"""Bytes that are no UTF-8, in a text that begins and ends with ASCII."""
_ODD_BYTES = _LARGE_NUMBERS, _NO_UTF8
_MIN_SCANNED_BYTES = 100_000
"""Hyperscan searches from this size on. It takes 2 ns a byte, ``re`` 20, but loading it takes as long as 2 MB."""
_CALENDAR_LIMITS = datetime.fromisoformat("0001-01-03T00:00Z"), datetime.fromisoformat("9999-12-29T00:00Z")


def decode_partial(
    values: Sequence[bytes | None], get_place: Callable[[int], Place]
) -> list[PartialEvent | Unreadable]:
    """Decode each of ``values``, or say why it is unreadable, as ``codec.decode`` would."""
    decoded: list[Any] = []
    failed: set[int] = set()
    stored, undecoded = values, iter(cast(Sequence[bytes], values))
    while len(decoded) < len(values):
        try:
            decoded.extend(map(_decode_partial_event, undecoded))  # a tombstone, None, is a TypeError
        except (ValueError, TypeError, RecursionError):  # those before it have been decoded; go on behind it
            count = len(decoded)
            failed_value = values[count]
            if values is stored and failed_value is not None and split_framed_json(failed_value) is not None:
                values = [value if value is None else drop_frame(value) for value in values]
                undecoded = iter(cast(Sequence[bytes], values[count:]))
                continue
            failed.add(count)
            decoded.append(None)
    rest = [b"" if number in failed else value for number, value in enumerate(values)] if failed else values
    odd = {*failed, *_find_odd_bytes(cast(Sequence[bytes], rest)), *_find_outside_calendar(decoded)}
    for number in odd:
        decoded[number] = _decode_carefully(stored[number], get_place(number))
    return decoded


def _find_odd_bytes(values: Sequence[bytes]) -> set[int]:
    """Find the values that aren't UTF-8, are too large, or may hold a number too large for a float."""
    joined = b"\n".join(values)
    numbers = {number for number, value in enumerate(values) if len(value) > codec.MAX_RECORD_BYTES}
    ends: list[int] = []
    known_until = 0

    def note_match(_pattern: int, _start: int, end: int, *_: object) -> None:
        nonlocal known_until
        if end > known_until:  # a value may have thousands
            ends.extend(accumulate(len(value) + 1 for value in values) if not ends else ())
            number = bisect_left(ends, end)
            numbers.add(number)
            known_until = ends[number]

    for odd_bytes in _ODD_BYTES:
        known_until = 0
        if len(joined) < _MIN_SCANNED_BYTES:
            for match in re.finditer(odd_bytes, joined):
                note_match(0, *match.span())
        else:
            database, scratch = _compile_database(odd_bytes)
            database.scan(joined, match_event_handler=note_match, scratch=scratch)
    return numbers


@cache
def _compile_database(pattern: bytes) -> tuple[Any, Any]:
    import hyperscan  # noqa: PLC0415  few runs need it

    database = hyperscan.Database()
    database.compile(expressions=[pattern])
    return database, hyperscan.Scratch(database)


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
