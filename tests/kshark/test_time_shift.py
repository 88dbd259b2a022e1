"""An event moved in time: its own `timestamp` alone changes."""

from datetime import datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.event.codec import decode
from agentlog.event.event import Place, Record
from kshark.transfer.time_shift import SHIFT_HEADER, shift_record
from tests.recording import make_event

AT = b'"2026-01-15T14:00:00.000Z"'


def record(value: bytes, headers: tuple[tuple[str, bytes | None], ...] = ()) -> Record:
    found = decode(value, Place("t", 0, 0, 0, headers), "here")
    assert isinstance(found, Record), found
    return found


values = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=4) | st.sampled_from(["timestamp", '":"', "\\", "{", "]"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["timestamp", '"']), inner, max_size=2),
    max_leaves=4,
)


@given(
    payload=st.dictionaries(st.sampled_from(["timestamp", 'a"b']), values, max_size=2),
    by_ms=st.integers(-(10**9), 10**9),
)
def test_the_timestamp_is_moved_and_every_other_byte_stays(payload: dict[str, object], by_ms: int) -> None:
    whole = orjson.dumps(make_event(0, payload=payload, context={"timestamp": "2026"}))
    value, _ = shift_record(record(whole), by_ms)
    begins = whole.index(b'"timestamp":' + AT) + len(b'"timestamp":')
    assert value[:begins] == whole[:begins]
    assert value[value.index(b'"', begins + 1) + 1 :] == whole[begins + len(AT) :]
    moved = datetime.fromisoformat(orjson.loads(value)["timestamp"])
    assert moved - record(whole).event.timestamp == timedelta(milliseconds=by_ms)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b'"2026-01-15T15:00:00+01:00"', b'"2026-01-15T15:00:01.000+01:00"'),
        (b'"2026-01-15T14:00:00.123456Z"', b'"2026-01-15T14:00:01.123456Z"'),
        (b'"2026-01-15T14:00:00"', b'"2026-01-15T14:00:01.000Z"'),
        (b"1768485600", b'"2026-01-15T14:00:01.000Z"'),
        (b"1768485600123", b'"2026-01-15T14:00:01.123Z"'),
        (b"1.7684856005e9", b'"2026-01-15T14:00:01.500Z"'),
    ],
)
def test_the_new_time_keeps_its_zone_and_is_told_to_the_millisecond_or_the_microsecond(
    written: bytes, expected: bytes
) -> None:
    whole = orjson.dumps(make_event(0))
    assert shift_record(record(whole.replace(AT, written)), 1000)[0] == whole.replace(AT, expected)


def test_the_member_that_counts_is_moved_however_its_name_is_written() -> None:
    whole = orjson.dumps(make_event(0))
    twice = whole[:-1] + b', "\\u0074imestamp" : "2026-01-15T15:00:00Z"}'
    value, _ = shift_record(record(twice), 1000)
    assert value == whole[:-1] + b', "\\u0074imestamp" : "2026-01-15T15:00:01.000Z"}'


def test_a_header_says_so_behind_those_that_were_there() -> None:
    headers = (("agentlog.process", b"p"), (SHIFT_HEADER, b"5"))
    assert shift_record(record(orjson.dumps(make_event(0)), headers), -1500)[1] == (*headers, (SHIFT_HEADER, b"-1500"))
