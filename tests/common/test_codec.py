"""The decoder of events: what it reads, what it keeps, and what it calls unreadable. It never fails."""

import gzip
import json
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentlog.event import codec
from agentlog.event.codec import MAX_RECORD_BYTES, decode, flatten_json, upgrade_fields
from agentlog.event.event import EPOCH, SCHEMA_VERSION, Event, Place, Record, Unreadable, to_microseconds

PLACE = Place("agent-events", 3, 1200)
WHERE = "agent-events[3]@1200"
FIELDS: dict[str, Any] = {
    "event_id": "evt_9x7k2m",
    "session_id": "sess_a1b2c3",
    "agent_id": "invoice-generator-v2",
    "timestamp": "2026-01-15T14:23:11.847Z",
    "event_type": "tool_call",
}
CONFLUENT = b"\x00\x00\x00\x00\x07"
many = settings(max_examples=150)


def with_fields(**fields: object) -> bytes:
    return json.dumps(FIELDS | fields).encode()


def with_raw(name: str, raw: bytes) -> bytes:
    """Return an event with one more field, whose JSON is `raw`."""
    return with_fields()[:-1] + b', "' + name.encode() + b'": ' + raw + b"}"


def event(value: bytes) -> Event:
    found = decode(value, PLACE, WHERE)
    assert isinstance(found, Record), found
    assert (found.place, found.value) == (PLACE, value)
    return found.event


def reason(value: bytes | None) -> str:
    found = decode(value, PLACE, WHERE)
    assert isinstance(found, Unreadable), found
    assert (found.where, found.place) == (WHERE, PLACE)
    return found.reason


def test_an_event_is_read_with_all_that_it_says() -> None:
    context = {"parent_event_id": "evt_8k3j1n", "reasoning": "Customer requested it", "confidence": 0.94}
    payload = {"tool": "stripe.create_invoice", "input": {"amount": 4500}, "latency_ms": 1240}
    read = event(with_fields(payload=payload, context=context, status="running"))
    assert read.timestamp == datetime(2026, 1, 15, 14, 23, 11, 847000, tzinfo=UTC)
    assert (read.payload, read.context, read.status) == (payload, context, "running")
    assert (read.parent_event_id, read.latency_us, read.schema_version) == ("evt_8k3j1n", 1_240_000, 1)


def test_payload_and_context_are_empty_when_absent() -> None:
    read = event(with_fields())
    assert (read.payload, read.context, read.status, read.schema_version) == ({}, {}, None, SCHEMA_VERSION)


@pytest.mark.parametrize("name", ["payload", "context", "status", "schema_version"])
def test_an_optional_field_that_is_null_counts_as_absent(name: str) -> None:
    assert event(with_fields(**{name: None})) == event(with_fields())


def test_an_unknown_event_type_is_read() -> None:
    assert event(with_fields(event_type="brain_wave")).event_type == "brain_wave"


def test_fields_that_are_not_known_are_kept_as_stored() -> None:
    value = with_fields(shard=7, payload={"tool": "t", "extra": [1, None]}, context={"mood": "calm"})
    read = event(value)
    assert read.payload == {"tool": "t", "extra": [1, None]}
    assert read.context == {"mood": "calm"}
    assert b'"shard": 7' in value


@pytest.mark.parametrize("version", [1, 2, 99, 10**30])
def test_an_event_of_a_newer_schema_version_is_read_as_far_as_it_is_known(version: int) -> None:
    assert event(with_fields(schema_version=version, new={"a": 1})).schema_version == version


@pytest.mark.parametrize("version", [0, -1, -(10**18), -(10**30)])
def test_a_version_older_than_any_is_named(version: int) -> None:
    assert reason(with_fields(schema_version=version)) == (
        f"schema_version {version} is older than the oldest that we read (1)"
    )


def test_an_old_version_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def second(fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "payload": {"tool": fields["tool"]}}

    monkeypatch.setattr(codec, "SCHEMA_VERSION", 3)
    lifts = {1: lambda fields: {**fields, "tool": fields["name"]}, 2: second}
    up = upgrade_fields({"name": "t", "kept": 1}, 1, lifts)
    assert up == {"name": "t", "tool": "t", "kept": 1, "payload": {"tool": "t"}, "schema_version": 3}


# Times.


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-15T14:00:00", datetime(2026, 1, 15, 14, tzinfo=UTC)),
        ("2026-01-15 14:00:00Z", datetime(2026, 1, 15, 14, tzinfo=UTC)),
        ("2026-01-15T14:00:00.5z", datetime(2026, 1, 15, 14, 0, 0, 500000, tzinfo=UTC)),
        ("2026-01-15T14:00:00+05:30", datetime(2026, 1, 15, 8, 30, tzinfo=UTC)),
        ("2026-01-15T14:00:00.123456499-08:00", datetime(2026, 1, 15, 22, 0, 0, 123456, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("9999-12-31T23:59:59.9999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_a_timestamp_counts_as_utc_unless_it_says_otherwise(text: str, time: datetime) -> None:
    read = event(with_fields(timestamp=text)).timestamp
    assert read == time
    assert EPOCH + timedelta(microseconds=to_microseconds(read)) == time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01-15",
        "2026-02-30T00:00:00Z",
        "2026-01-15T14:00:00+25:00",
        "2026-01-15T24:00:01Z",
        "2026-01-15T14:60:00Z",
        "0000-01-01T00:00:00Z",
        "+275760-09-13T00:00:00Z",
        "03/02/2026 10:00",
        "Tue Feb 30 10:00:03 2026",
        "20260203",
        20260203,
        -2,
        1e300,
        2**70,
        True,
        [2026, 2, 3],
        {"$date": 1770112803},
    ],
)
def test_a_timestamp_that_cannot_be_read_is_named_with_what_is_wanted(text: object) -> None:
    said = json.dumps(text)
    assert reason(json.dumps(FIELDS | {"timestamp": text}).encode()) == (
        f"timestamp {said} can't be read: write RFC 3339, such as 2026-02-03T10:00:00Z"
    )


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        (1770112803, 3),
        (1770112803.25, 3.25),
        (1770112803123, 3.123),
        (1770112803123456, 3.123456),
        (1770112803123456789, 3.123457),
        ("1770112803", 3),
        ("1770112803.5", 3.5),
        ("2026-02-03T10:00:03,250Z", 3.25),
        ("2026-02-03T10:00Z", 0),
        ("2026-02-03T10:00:03+00", 3),
        ("2026-02-03T10:00:03+0000", 3),
        ("2026-02-03T10:00:03Z[UTC]", 3),
        ("2026-02-03T11:00:03+01:00[Europe/Berlin]", 3),
        ("2026-02-03 10:00:03 UTC", 3),
        ("2026-02-03 10:00:03 +0000", 3),
        ("2026-02-03 10:00:03.25 +0000 UTC m=+0.015", 3.25),
        ("2026/02/03 10:00:03", 3),
        ("20260203T100003Z", 3),
        ("Tue, 03 Feb 2026 10:00:03 GMT", 3),
        ("3 Feb 2026 11:00:03 +0100", 3),
        ("2026-02-03T09:59:60Z", 0),
        ("2026-02-03T24:00:00Z", 14 * 3600),
    ],
)
def test_other_ways_to_write_a_time_are_read_to_their_instant(stamp: object, seconds: float) -> None:
    read = event(json.dumps(FIELDS | {"timestamp": stamp}).encode()).timestamp
    assert read == datetime(2026, 2, 3, 10, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("stamp", "seconds"), [(0, 0), (-1, -1), (1, 1), ("0", 0), ("-1", -1), (12.25, 12.25), ("17704", 17704)]
)
def test_the_small_number_of_a_clock_that_was_never_set_is_read_as_seconds(stamp: object, seconds: float) -> None:
    read = event(json.dumps(FIELDS | {"timestamp": stamp}).encode()).timestamp
    assert read == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_no_calendar_in_utc_holds_is_named(text: str) -> None:
    assert reason(with_fields(timestamp=text)) == f"a timestamp that is outside the years 1 to 9999 in UTC: {text}"


# Text and numbers.


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd😀"),
        (rb'"\\ud83d \ud83d"', "\\ud83d \ufffd"),
        (rb'"\\\ud83d"', "\\\ufffd"),
    ],
)
def test_half_a_character_is_read_as_a_replacement(raw: bytes, text: str) -> None:
    assert event(with_raw("payload", b'{"text": ' + raw + b"}")).payload == {"text": text}
    assert event(with_raw("payload", b"{" + raw + b": 1}")).payload == {text: 1}
    assert event(with_raw("unknown", raw)).payload == {}


def test_large_numbers_keep_every_digit() -> None:
    numbers = [2**53 + 1, 2**64 + 1, -(2**64) - 1, 10**30 + 1, 1e308, 5e-324]
    assert event(with_fields(payload={"n": numbers})).payload["n"] == numbers


@pytest.mark.parametrize("number", [b"1e999", b"-1e309", b"9" * 309, b"-" + b"9" * 400, b"9" * 5000, b"9" * 10**6])
def test_a_number_that_no_float_holds_is_named(number: bytes) -> None:
    assert reason(with_raw("payload", b'{"a": [{"b": ' + number + b"}]}")) == "a number too large for a float"


def test_long_digits_in_a_text_are_no_number() -> None:
    assert event(with_fields(payload={"text": "9" * 5000})).payload["text"] == "9" * 5000


# What is no event.


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "a tombstone: it has no value"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "not JSON: invalid character (byte 0)"),
        (b'{"event_id": "a', "not JSON: Input data was truncated"),
        (b"[]", "no event: Expected object, got array"),
        (b"null", "no event: Expected object, got null"),
        (b'"text"', "no event: Expected object, got str"),
        (b"{}", "no event_id"),
        (gzip.compress(with_fields()), "compressed (gzip)"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "compressed (zstd)"),
        (b"\x04\x22\x4d\x18\x64", "compressed (lz4)"),
        (b"\x82SNAPPY\x00", "compressed (snappy)"),
        (b"\x78\x9c\x03\x00", "compressed (zlib)"),
        (with_fields().decode().encode("utf-16-be"), "not UTF-8, but UTF-16"),
        (b"\x00\x00\x07", "binary; it begins like a schema registry's formats"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8, at byte 0"),
    ],
)
def test_what_is_no_event_is_named_with_the_reason(value: bytes | None, why: str) -> None:
    assert reason(value) == why


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00" + (7).to_bytes(4, "big"),
        b"\x00" + (0x7B0A0D09).to_bytes(4, "big"),
        b"\x00" + (7).to_bytes(8, "big"),
        b"\x03\x00" + bytes(range(16)),
    ],
    ids=["Confluent", "an id that looks like JSON and lines", "Apicurio", "Glue"],
)
@pytest.mark.parametrize("space", [b"", b"\n "])
def test_json_behind_the_frame_of_a_schema_registry_is_read_and_the_frame_kept(frame: bytes, space: bytes) -> None:
    value = space + with_fields()
    assert decode(frame + value, PLACE, WHERE) == Record(event(value), PLACE._replace(frame=frame), value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (CONFLUENT + b"\x0cevt_01\x0csess_t\x02a\x0eworking", "Avro behind a schema registry's frame (schema 7)"),
        (CONFLUENT + b"\x02\x0cevt_01", "Avro behind a schema registry's frame (schema 7)"),
        (
            CONFLUENT + b"\x00\x0a\x06evt_01\x12\x06sess_t\x18\x05",
            "Protobuf behind a schema registry's frame (schema 7)",
        ),
        (CONFLUENT + b"\x04\x02\x00\x0a\x06evt_01", "Protobuf behind a schema registry's frame (schema 7)"),
        (b"\x00" + (2**31).to_bytes(4, "big") + b"\x02a", "Avro behind a schema registry's frame (schema 2147483648)"),
        (b"\x00" + (9).to_bytes(8, "big") + b"\x02a", "Avro behind a schema registry's frame (schema 9)"),
        (
            b"\x03\x05" + bytes(16) + b"\x78\x9c\x03\x00",
            "binary, compressed (zlib) behind a schema registry's frame (schema 00000000-0000-0000-0000-000000000000)",
        ),
    ],
)
def test_what_else_stands_behind_a_frame_is_named_with_its_schema(value: bytes, why: str) -> None:
    assert reason(value) == f"{why}; events are JSON"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"{}", "no event_id"),
        (b'{"event_id": "a"', "not JSON: Input data was truncated"),
    ],
)
def test_json_behind_a_frame_that_is_no_event_is_named_like_any_other(value: bytes, why: str) -> None:
    assert reason(CONFLUENT + value) == why


@pytest.mark.parametrize("rest", [b"x", b"{}", b"\n" + with_fields(), b"\x00"])
def test_an_event_with_something_behind_it_is_named(rest: bytes) -> None:
    assert reason(with_fields() + rest).startswith("not JSON: trailing characters")


@pytest.mark.parametrize("name", ["payload", "unknown"])
def test_bytes_that_are_no_utf8_are_named_wherever_they_stand(name: str) -> None:
    value = with_raw(name, b'{"a": "\xff"}')
    assert reason(value) == f"not UTF-8, at byte {value.index(0xFF)}"


@pytest.mark.parametrize("name", list(FIELDS))
def test_a_required_field_that_is_missing_or_null_is_named(name: str) -> None:
    rest = {key: value for key, value in FIELDS.items() if key != name}
    assert reason(json.dumps(rest).encode()) == f"no {name}"
    assert reason(with_fields(**{name: None})) == f"no {name}"


@pytest.mark.parametrize("name", ["event_id", "session_id", "agent_id", "event_type"])
def test_a_required_name_that_is_empty_is_named(name: str) -> None:
    assert reason(with_fields(**{name: ""})) == f"no event: Expected str of length >= 1 in {name}"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("event_id", 5, "Expected str, got int"),
        ("session_id", ["s"], "Expected str, got array"),
        ("payload", [1], "Expected object, got array"),
        ("payload", "text", "Expected object, got str"),
        ("context", True, "Expected object, got bool"),
        ("status", 5, "Expected str | null, got int"),
        ("schema_version", "1", "Expected int, got str"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(name: str, value: object, why: str) -> None:
    assert reason(with_fields(**{name: value})) == f"no event: {why} in {name}"
    assert reason(with_fields(**{name: value, "unknown": None})) == f"no event: {why} in {name}"


@pytest.mark.parametrize("name", ["payload", "unknown"])
@pytest.mark.parametrize(
    "deep", [b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b'{"a":' + b"[" * (MAX_RECORD_BYTES - 1000)]
)
def test_what_is_nested_too_deep_is_named(name: str, deep: bytes) -> None:
    assert reason(with_raw(name, deep)) == "nested too deep"


MORE = ", more than the limit of 16,777,216"


def test_an_event_as_large_as_we_take_is_read_and_a_larger_one_named() -> None:
    text = "x" * (MAX_RECORD_BYTES - len(with_fields(payload={"text": ""})))
    assert event(with_fields(payload={"text": text})).payload["text"] == text
    assert reason(with_fields(payload={"text": text + "x"})) == f"16,777,217 bytes{MORE}"
    assert reason(b" " * 50_000_000) == f"50,000,000 bytes{MORE}"


@pytest.mark.parametrize("text", [b"\\" * 10**6, b"\\ud83d" * 10**5, b'\\"' * 10**6])
def test_a_long_run_of_escapes_is_read_or_named(text: bytes) -> None:
    assert isinstance(decode(with_raw("payload", b'{"a": "' + text + b'"}'), PLACE, WHERE), Record | Unreadable)


# Any bytes at all.

CHARACTERS = st.characters() | st.sampled_from('\x00\x1b\x7f\x85\n\r\t"\\\u2028\u202e\u2066\u200b\ufeff\U000e0041é😀')
TEXTS = st.text(CHARACTERS, max_size=12)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
STORED = st.builds(
    lambda value, ascii_only, indent: json.dumps(value, ensure_ascii=ascii_only, indent=indent),
    st.dictionaries(TEXTS, JSON, max_size=5),
    st.booleans(),
    st.sampled_from([None, 1, "\t"]),
).map(lambda text: text.encode("utf-8", "replace"))


@st.composite
def broken_events(draw: Any) -> bytes:
    """Make events with fields of any value, then cut them or replace bytes in them."""
    names = st.sampled_from([*FIELDS, "payload", "context", "status", "schema_version", "_record"])
    value = json.dumps(FIELDS | draw(st.dictionaries(names, JSON, max_size=4))).encode()
    for _ in range(draw(st.integers(0, 3))):
        at, until = sorted(draw(st.tuples(*[st.integers(0, len(value))] * 2)))
        value = value[:at] + draw(st.binary(max_size=3)) + value[min(until, at + 5) :]
    return value


@many
@given(st.binary(max_size=60) | broken_events())
@example(b"\xed\xa0\x80")
@example(with_raw("payload", b'{"a": "\xed\xa0\x80"}'))
def test_any_bytes_are_an_event_or_named_with_a_plain_reason(value: bytes) -> None:
    found = decode(value, PLACE, WHERE)
    if isinstance(found, Unreadable):
        assert found.reason
        assert found.reason.isprintable()
    else:
        assert found.event.timestamp.tzinfo is not None
        assert found.event.latency_us >= 0


def steers(character: str) -> bool:
    """Whether a character might control a terminal, or reorder the text around it."""
    bidirectional = unicodedata.bidirectional(character)
    return (
        unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs")
        or bidirectional in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        or character in "\u061c\u200e\u200f\u200b\u2060\ufeff"
    )


@many
@given(STORED)
def test_one_line_is_the_same_json_on_one_line_without_what_steers(value: bytes) -> None:
    line = flatten_json(value)
    assert json.loads(line) == json.loads(value)
    assert not any(map(steers, line.decode()))
    assert flatten_json(line) == line


def test_no_character_that_steers_is_left_in_a_line() -> None:
    every = "".join(filter(steers, map(chr, [*range(0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE0080)])))
    line = flatten_json(json.dumps({"a": every}, ensure_ascii=False).encode())
    assert json.loads(line) == {"a": every}
    assert line.isascii()


def test_one_line_leaves_plain_json_and_joined_characters_as_they_are() -> None:
    family = '{"a": "👨\u200d👩 नमस्\u200dते é"}'.encode()
    assert flatten_json(family) == family
    assert flatten_json(b'{\n\t"a": 1}\r\n') == b'{  "a": 1}  '
