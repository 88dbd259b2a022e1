"""The lines of a capture file: written and read back, with the event as stored and its place."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentlog.capture_format.capture import (
    MAX_LINE_BYTES,
    decode_session_line,
    encode_place,
    iter_lines,
    open_capture,
    write_line,
)
from agentlog.errors import UsageError
from agentlog.event.codec import MAX_RECORD_BYTES, decode
from agentlog.event.event import Place, Record, Unreadable

FIELDS: dict[str, Any] = {
    "event_id": "e",
    "session_id": "s",
    "agent_id": "a",
    "timestamp": "2026-01-15T14:00:00Z",
    "event_type": "tool_call",
}
PLACE = Place(
    "agent-events", 3, 1200, 1768485600000, (("agentlog.process", b"p1"), ("binary", b"\xff"), ("null", None))
)


def with_fields(**fields: object) -> bytes:
    return orjson.dumps(FIELDS | fields)


def read(line: bytes, session_id: str = "s") -> Record | Unreadable | str:
    return decode_session_line(line, session_id, "run.ndjson", 17)


def record(line: bytes) -> Record:
    found = read(line)
    assert isinstance(found, Record), found
    return found


def test_a_line_is_the_event_as_stored_with_its_record_behind_it() -> None:
    line = write_line(with_fields(), PLACE)
    assert line.startswith(with_fields()[:-1] + b',"_record":{"topic":"agent-events","partition":3,"offset":1200,')
    assert line.endswith(b"}}\n")
    assert json.loads(line)["_record"] == {
        "topic": "agent-events",
        "partition": 3,
        "offset": 1200,
        "timestamp": 1768485600000,
        "headers": [["agentlog.process", "p1"], ["binary", {"base64": "/w=="}], ["null", None]],
    }


def test_a_line_reads_back_to_the_record_that_it_was() -> None:
    stored = b' {"unknown" : [1e400, "\\ud83d"], ' + with_fields(payload={"n": 1.50})[1:] + b"\n"
    found = record(write_line(stored, PLACE))
    assert (found.place, found.value.strip()) == (PLACE, stored.strip())


TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("\x00\x1b\x7f\x85\u2028\u202e\u200b\ufeff"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PLACES = st.builds(
    Place,
    st.none() | TEXTS,
    st.integers(-1, 2**31 - 1),
    st.integers(0, 2**63 - 1),
    st.none() | st.integers(-1, 2**63 - 1),
    st.lists(st.tuples(TEXTS, st.none() | st.binary(max_size=6) | TEXTS.map(str.encode)), max_size=3).map(tuple),
    st.none() | st.binary(max_size=6) | TEXTS.map(str.encode),
    st.sampled_from([b"", b"\x00\x00\x00\x00\x07"]),
)
OBJECTS = st.dictionaries(TEXTS | st.just("_record"), JSON, max_size=3)


@settings(max_examples=120)
@given(OBJECTS, OBJECTS, st.sampled_from([None, 2]), PLACES)
@example({"_record": {"partition": 0, "offset": 1}}, {}, None, PLACE)
def test_any_event_and_any_place_survive_a_line(
    unknown: dict[str, Any], payload: dict[str, Any], indent: int | None, place: Place
) -> None:
    stored = json.dumps({**unknown, **FIELDS, "payload": payload}, ensure_ascii=False, indent=indent).encode()
    before = decode(stored, place, "t")
    line = write_line(stored, place)
    assert line.count(b"\n") == 1
    assert json.loads(line)["event_id"] == "e"
    if isinstance(before, Record):
        after = record(line)
        assert (after.event, after.place) == (before.event, place)
        assert json.loads(after.value) == json.loads(stored)
        assert write_line(after.value, after.place) == line


def test_an_event_as_large_as_we_take_reads_back() -> None:
    stored = with_fields(payload={"text": "x" * (MAX_RECORD_BYTES - len(with_fields(payload={"text": ""})))})
    [(number, line)] = iter_lines(io.BytesIO(write_line(stored, PLACE)))
    assert (number, record(line).value) == (1, stored)


# Lines that others wrote.


@pytest.mark.parametrize("line", [with_fields(), with_fields(_record=None), with_fields() + b"\r\n"])
def test_an_event_without_its_record_lies_on_its_line(line: bytes) -> None:
    assert record(line).place == Place(None, -1, 17)


@pytest.mark.parametrize(
    "line",
    [
        b'{"_record": {"offset": 5, "partition": 2}, ' + with_fields()[1:],
        with_fields()[:-1] + b' , "_record" : { "partition" : 2, "offset" : 5, "more": 1 } }',
    ],
    ids=["in front", "with spaces"],
)
def test_the_record_may_stand_anywhere_and_is_no_part_of_the_event(line: bytes) -> None:
    found = record(line)
    assert found.place == Place(None, 2, 5)
    assert json.loads(found.value) == FIELDS


def test_a_field_of_the_event_that_is_called_record_is_kept() -> None:
    stored = with_fields(_record={"mine": 1})
    found = record(write_line(stored, PLACE))
    assert (found.value, found.place) == (stored, PLACE)


@pytest.mark.parametrize(
    "lies",
    [
        5,
        [],
        {},
        {"partition": 0},
        {"partition": "0", "offset": 1},
        {"partition": 0, "offset": 1, "headers": [["a"]]},
        {"partition": 0, "offset": 1, "headers": [["a", {"base64": "!"}]]},
        {"partition": 0, "offset": 1, "headers": [["a", {"hex": "00"}]]},
        {"partition": 0, "offset": 1, "key": {"base64": "!"}},
        {"partition": 0, "offset": 1, "frame": "no hex"},
        {"partition": 0, "offset": 1, "frame": "7b"},
    ],
)
def test_a_record_member_that_says_no_place_is_named(lies: object) -> None:
    found = read(with_fields(_record=lies))
    assert isinstance(found, Unreadable)
    assert found.where == "run.ndjson:17"
    assert found.reason.startswith("its _record: ")


def test_a_line_of_another_session_is_only_named_by_it() -> None:
    assert read(with_fields(session_id="other", timestamp="never")) == "other"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"hello", "not JSON: invalid character (byte 0)"),
        (b"[1]", "no event: Expected object, got array"),
        (with_fields(session_id=5), "no event: Expected str, got int in session_id"),
        (with_fields(session_id=None), "no session_id"),
        (
            with_fields(timestamp="never"),
            'timestamp "never" can\'t be read: write RFC 3339, such as 2026-02-03T10:00:00Z',
        ),
        (b'{"payload": {"a": "\xff"}}', "not UTF-8, at byte 19"),
        (b"[" * 100_000, "no event: Expected object, got array"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b"x" * (MAX_LINE_BYTES + 1), "a line longer than the limit of 33,554,432 bytes"),
    ],
)
def test_a_line_that_is_no_event_is_named_by_file_and_line(line: bytes, why: str) -> None:
    assert read(line) == Unreadable("run.ndjson:17", Place(None, -1, 17), why)


@settings(max_examples=150)
@given(st.binary(max_size=40) | OBJECTS.map(lambda more: json.dumps(FIELDS | {"_record": more}).encode()))
def test_any_line_is_a_record_or_named_or_anothers(line: bytes) -> None:
    assert isinstance(read(line), Record | Unreadable | str)


def test_the_place_is_one_line_of_plain_json() -> None:
    steering = Place("t", 0, 1, None, (("\x1b[31m", "\u202ered".encode()),))
    assert b"\x1b" not in encode_place(steering)
    assert write_line(with_fields(), steering).decode()[:-1].isprintable()


# Lines of a file.


def test_lines_are_counted_from_one_and_blank_ones_passed_over() -> None:
    assert list(iter_lines(io.BytesIO(b"a\n\n \r\nb\r\nc"))) == [(1, b"a\n"), (4, b"b\r\n"), (5, b"c")]


def test_of_a_line_over_the_limit_only_the_beginning_is_kept_and_the_next_is_read() -> None:
    found = list(iter_lines(io.BytesIO(b"x" * (2 * MAX_LINE_BYTES + 5) + b"\nnext\n")))
    assert [(number, len(line)) for number, line in found] == [(1, MAX_LINE_BYTES + 1), (2, 5)]


def no_stdin() -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO())  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "why"), [("missing", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        open_capture(str(tmp_path / name), no_stdin())
    assert str(raised.value).startswith(str(tmp_path))


def test_without_its_extra_a_file_packed_with_zstd_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.ndjson"
    path.write_bytes(zstandard.compress(with_fields()))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(UsageError, match=r"pip install 'agentlog\[zstd\]'"):
        open_capture(str(path), no_stdin())
