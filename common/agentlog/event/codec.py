"""The decoder of events: a record's value becomes an event, or the reason why it is unreadable."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from .escape import escape_controls
from .event import SCHEMA_VERSION, Event, Place, Record, Unreadable
from .registry_frame import explain_framed, split_framed_json
from .timestamp import parse_timestamp

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""The largest value that is decoded. A larger one is unreadable."""

Decoded = TypeVar("Decoded")

_event_decoder = msgspec.json.Decoder(Event)
_object_decoder = msgspec.json.Decoder(dict[str, Any])

_BINARY_FORMATS = {
    b"\x1f\x8b": "compressed (gzip)",
    b"\x28\xb5\x2f\xfd": "compressed (zstd)",
    b"\x04\x22\x4d\x18": "compressed (lz4)",
    b"\x82SNAPPY": "compressed (snappy)",
    b"\x78\x9c": "compressed (zlib)",
    b"{\x00": "not UTF-8, but UTF-16",
    b"\x00{\x00": "not UTF-8, but UTF-16",
    b"\x00": "binary; it begins like a schema registry's formats",
}
_DIGIT = re.compile(rb"[0-9]")
_DIGITS_TO_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_TOO_MANY_ZEROS = b"0" * 309  # a number this long may be too large for a float
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*)(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)

_MIN_TIME, _MAX_TIME = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_CONTROL_OR_NON_ASCII = re.compile(rb"[\x00-\x1f\x7f-\xff]")


Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
UPGRADES: Mapping[int, Upgrade] = {}
"""For each old schema version, the function that turns its fields into those of the next. There is no old one yet."""


def decode(value: bytes | None, place: Place, where: str) -> Record | Unreadable:
    """Decode the record in ``value``, or say why it is unreadable. ``where`` names the place for a person.

    JSON behind a schema registry's frame is read; the frame is kept beside the place.
    """
    if value is None:
        return Unreadable(where, place, "a tombstone: it has no value")
    if len(value) > MAX_RECORD_BYTES:
        return Unreadable(where, place, f"{len(value):,} bytes, more than the limit of {MAX_RECORD_BYTES:,}")
    try:
        return Record(_decode_event(value), place, value)
    except (ValueError, RecursionError) as error:
        framed = split_framed_json(value)
        if framed is None:
            return Unreadable(where, place, _explain_undecodable(value, error))
    try:
        return Record(_decode_event(framed.content), place._replace(frame=framed.frame), framed.content)
    except (ValueError, RecursionError) as error:
        return Unreadable(where, place, _explain_error(error))


def _decode_event(value: bytes) -> Event:
    str(value, "utf-8")  # the decoder skips unknown fields without a look at their bytes
    try:
        event = decode_tolerantly(_event_decoder, value)
    except msgspec.ValidationError:
        event = _decode_leniently(value)
    # 309 digits in a row cross one of these places. A pattern would take ten times as long as the table.
    if _DIGIT.search(value[308::309]) and _TOO_MANY_ZEROS in value.translate(_DIGITS_TO_ZEROS):
        _check_numbers((event.payload, event.context))
    if event.schema_version < SCHEMA_VERSION:
        event = msgspec.convert(upgrade_fields(decode_tolerantly(_object_decoder, value), event.schema_version), Event)
    return event if event.timestamp.tzinfo is UTC else _convert_to_utc(event)


def _convert_to_utc(event: Event) -> Event:
    """Convert the event's time to UTC; without a zone it is UTC. Raise ValueError if it is outside the calendar."""
    timestamp = event.timestamp if event.timestamp.tzinfo else event.timestamp.replace(tzinfo=UTC)
    if not _MIN_TIME <= timestamp <= _MAX_TIME:
        raise ValueError(f"a timestamp that is outside the years 1 to 9999 in UTC: {timestamp.isoformat()}")
    return msgspec.structs.replace(event, timestamp=timestamp)


def decode_tolerantly(decoder: msgspec.json.Decoder[Decoded], value: bytes) -> Decoded:
    """Decode ``value`` with ``decoder``. Each half of a character becomes U+FFFD.

    A program that cuts a text inside an emoji writes half a character, such as ``\\ud83d`` alone. That is legal JSON,
    but not valid Unicode text.
    """
    try:
        return decoder.decode(value)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mended = _LONE_SURROGATE.sub(lambda match: match[1] + (match[2] or rb"\ufffd"), value)
        if mended == value:
            raise
        return decoder.decode(mended)


def upgrade_fields(fields: dict[str, Any], version: int, upgrades: Mapping[int, Upgrade] = UPGRADES) -> dict[str, Any]:
    """Convert ``fields`` of schema ``version`` to the current version; raise ValueError when no upgrade is known."""
    for from_version in range(version, SCHEMA_VERSION):
        if from_version not in upgrades:
            raise ValueError(f"schema_version {version} is older than the oldest that we read ({SCHEMA_VERSION})")
        fields = upgrades[from_version](fields)
    return {**fields, "schema_version": SCHEMA_VERSION}


def _decode_leniently(value: bytes) -> Event:
    """Decode an event whose time has another form, or some of whose fields are null, which count as absent."""
    fields = {n: field for n, field in decode_tolerantly(_object_decoder, value).items() if field is not None}
    if "timestamp" in fields:
        fields["timestamp"] = parse_timestamp(fields["timestamp"])
    return msgspec.convert(fields, Event)


def _check_numbers(value: object) -> None:
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            _check_numbers(inner)
    elif isinstance(value, int):
        try:
            float(value)
        except OverflowError:
            raise ValueError("a number too large for a float") from None


def _explain_undecodable(value: bytes, error: Exception) -> str:
    if not value.strip():
        return "empty"
    kinds = [kind for magic, kind in _BINARY_FORMATS.items() if value.startswith(magic)]
    framed_reason = None if value.startswith(b"\x00{\x00") else explain_framed(value)
    return framed_reason or (kinds[0] if kinds else _explain_error(error))


def _explain_error(error: Exception) -> str:
    match error:
        case RecursionError():
            return "nested too deep"
        case UnicodeDecodeError():
            return f"not UTF-8, at byte {error.start}"
        case msgspec.ValidationError():
            text = str(error).replace("`", "").replace(" - at $.", " in ")
            missing = re.search(r"missing required field (\w+)", text)
            if "out of range" in text:
                return "a number too large for a float"
            return f"no {missing[1]}" if missing else f"no event: {text}"
        case msgspec.DecodeError():
            return f"not JSON: {str(error).removeprefix('JSON is malformed: ')}"
    return str(error)


def flatten_json(value: bytes) -> bytes:
    """Put a JSON text on one line. Controls between tokens become spaces, controls inside strings become escapes."""
    if _CONTROL_OR_NON_ASCII.search(value) is None:
        return value
    spaced = value.translate(_CONTROLS_TO_SPACES)  # valid JSON has them inside strings only as escapes
    return spaced if spaced.isascii() and b"\x7f" not in spaced else escape_controls(spaced.decode()).encode()


_CONTROLS_TO_SPACES = bytes.maketrans(b"\n\r\t", b"   ")
