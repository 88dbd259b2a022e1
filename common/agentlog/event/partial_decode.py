"""Bytes -> the little of an event that sums need, many at once, exactly as ``codec.decode`` sees it. Pure.

What a glance passes over is checked as JSON by its decoder, but for the size of numbers: where a batch might hold one
that no float does, and wherever a glance fails, ``codec.decode`` decides.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, cast

import msgspec

from . import codec
from .event import SCHEMA_VERSION, Event, Name, Place, Unreadable

Stated = Any
"""A value as recorded, of whatever type; None where the payload doesn't have it."""


class Payload(msgspec.Struct, gc=False):
    """What sums need of a payload; ``model`` is UNSET where it isn't there: its mere presence tells a call's type."""

    tool: Stated = None
    model: Stated = msgspec.UNSET
    to_agent_id: Stated = None
    from_agent_id: Stated = None
    key: Stated = None
    action: Stated = None
    error: Stated = None
    latency_ms: Stated = None
    cost_usd: Stated = None
    input_tokens: Stated = None
    output_tokens: Stated = None
    call_id: Stated = None
    call_type: Stated = None
    status: Stated = None


class Context(msgspec.Struct, gc=False):
    """What sums need of a context."""

    parent_event_id: Stated = None
    model: Stated = None


class Glance(msgspec.Struct, gc=False):
    """An event as far as sums need it."""

    event_id: Name
    session_id: Name
    agent_id: Name
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    event_type: Name
    payload: Payload = msgspec.field(default_factory=Payload)
    context: Context = msgspec.field(default_factory=Context)
    status: str | None = None
    schema_version: Annotated[int, msgspec.Meta(ge=SCHEMA_VERSION)] = SCHEMA_VERSION


_glance = msgspec.json.Decoder(Glance).decode

_KINDS = bytearray(b"x" * 256)
for _kind, _bytes in {b"0": b"0123456789", b".": b".", b"e": b"eE", b"-": b"-", b":": b":,[\n\r\t "}.items():
    for _byte in _bytes:
        _KINDS[_byte] = _kind[0]
_LARGE = re.compile(rb":-?[0.]+e000")
_LONG = b"0" * 200
_CALENDARS_EDGES = datetime.fromisoformat("0001-01-03T00:00Z"), datetime.fromisoformat("9999-12-29T00:00Z")


def glances(values: Sequence[bytes | None], lies: Callable[[int], Place]) -> list[Glance | Unreadable]:
    """What each of ``values`` holds, or why it holds nothing; exactly as ``codec.decode`` would say."""
    try:
        found = list(map(_glance, cast(Sequence[bytes], values)))  # what is no bytes fails, and codec tells why
    except (ValueError, TypeError, RecursionError):
        found = []
    if found and _plain(cast(Sequence[bytes], values)) and _within_calendar(found):
        return list(found)
    return [_carefully(value, lies(number)) for number, value in enumerate(values)]


def _plain(values: Sequence[bytes]) -> bool:
    """Whether all of it is UTF-8 and can't hold a number that no float holds, nor a value that is too long."""
    joined = b"\n".join(values)
    try:
        if not joined.isascii():
            joined.decode()
    except UnicodeDecodeError:
        return False
    if len(joined) > codec.MAX_BYTES and max(map(len, values)) > codec.MAX_BYTES:
        return False
    kinds = joined.translate(_KINDS, b"+")
    return _LONG not in kinds and not (b"0e000" in kinds and _LARGE.search(kinds))


def _within_calendar(found: Sequence[Glance]) -> bool:
    """Whether no time lies so near an end of the calendar that a zone may push it out."""
    moments = [glance.timestamp for glance in found]
    return _CALENDARS_EDGES[0] < min(moments) and max(moments) < _CALENDARS_EDGES[1]


def _carefully(value: bytes | None, place: Place) -> Glance | Unreadable:
    found = codec.decode(value, place, place.where)
    return found if isinstance(found, Unreadable) else glance(found.event)


def glance(event: Event) -> Glance:
    """The glance of an event that is there whole."""
    payload, context = needed(event)
    return Glance(
        event.event_id,
        event.session_id,
        event.agent_id,
        event.timestamp,
        event.event_type,
        Payload(**payload),
        Context(**context),
        event.status,
    )


def needed(event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
    """What sums need of an event's payload and of its context."""
    payload = {name: event.payload[name] for name in Payload.__struct_fields__ if name in event.payload}
    context = {name: event.context[name] for name in Context.__struct_fields__ if name in event.context}
    return payload, context
