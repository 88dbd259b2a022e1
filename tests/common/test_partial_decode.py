"""The partial decoder takes and refuses what the codec does, and an odd value costs its neighbours nothing."""

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlog.event import codec
from agentlog.event.event import Place, Record
from agentlog.event.partial_decode import PartialEvent, decode_partial, make_partial_event
from tests.recording import make_tool_call

PLAIN = orjson.dumps(make_tool_call(1))
PLACE = Place("t", 0, 0)


def add_member(json_text: str) -> bytes:
    """Return an event whose payload has one more member, which no total needs."""
    return PLAIN.replace(b'"payload":{', b'"payload":{"extra":' + json_text.encode() + b",")


def add_text(text: str) -> bytes:
    return add_member(orjson.dumps(text).decode())


# texts in which something looks like a number, and isn't one
HASHES = [
    "commit 12e45678 by Zoë",
    "7e1234567",
    "commit 002e1234 of 3E896756757",
    "id 0a12e345-12e4-4e56-9e12-12e456789012",
    'said "1e999"',
    "-1e999",
    "\\1e999\n1e999",
]
ODD_TEXTS = [*HASHES, "e+400, 12e45678, 1", "[1e999]", "." * 300, "9" * 400, "0e000" * 60]
NUMBERS = [
    "1e999", "-1e999", "1E+999", "1.5e309", "1e-999", "0.0e999", "1e308", "1e99", "1.", "9" * 400, "9" * 250 + "e99",
]  # fmt: skip
AROUND_A_NUMBER = ["{}", "[ {} ]", '{{"a" :\t{}}}', "[1,{}]", '["7e123,", {}]']
TIMES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-05:00", "9999-12-31T00:00:00Z", "2026-01-15T12:00:00", ""]
FRAME = b"\x00\x00\x00\x00\x07"
ODD_VALUES = [
    None,
    b" ",
    b"no event",
    PLAIN[:-1],
    PLAIN + b"\n",
    PLAIN + b"\xff",
    FRAME + PLAIN,
    FRAME + PLAIN[:-1],
    FRAME + PLAIN + b"\xff",
    FRAME + b"\x0esess_t",
    PLAIN.replace(b'"payload"', b'"schema_version":0,"payload"'),
    PLAIN.replace(b'"payload"', b'"status":7,"payload"'),
    add_member(r'"\ud83d"'),
    add_member(r'"\ud83d\ude00"'),
    add_member('"é"').replace("é".encode(), b"\xe9"),
    add_member("[" * 2000 + "]" * 2000),
    add_member("9" * 400),
    *(orjson.dumps({**make_tool_call(1), "timestamp": time}) for time in TIMES),
    *(orjson.dumps({**make_tool_call(1), name: None}) for name in ("payload", "context", "schema_version", "agent_id")),
]
A_VALUE = st.one_of(
    st.just(PLAIN),
    st.sampled_from(ODD_VALUES),
    st.sampled_from(ODD_TEXTS).map(add_text),
    st.builds(str.format, st.sampled_from(AROUND_A_NUMBER), st.sampled_from(NUMBERS)).map(add_member),
    st.just(PLAIN).map(FRAME.__add__),
    st.binary(max_size=40),
)


def assert_decoded_as_by_codec(values: list[bytes | None]) -> None:
    for value, found in zip(values, decode_partial(values, lambda _: PLACE), strict=True):
        decoded = codec.decode(value, PLACE, PLACE.where)
        expected = make_partial_event(decoded.event) if isinstance(decoded, Record) else decoded
        assert (decode_answers(found) if isinstance(found, PartialEvent) else found) == expected


def decode_answers(event: PartialEvent) -> PartialEvent:
    """Return an event whose answers are values, not JSON."""
    for name in ("output", "documents", "result"):
        answer = getattr(event.payload, name)
        if isinstance(answer, msgspec.Raw) and bytes(answer):
            setattr(event.payload, name, msgspec.json.decode(answer))
    return event


@settings(max_examples=600)
@given(st.lists(A_VALUE))
def test_it_takes_what_the_codec_takes_and_refuses_what_it_refuses(values: list[bytes | None]) -> None:
    assert_decoded_as_by_codec(values)


A_TEXT_OF_ANY_BYTES = st.lists(
    st.one_of(
        st.characters(exclude_characters='"\\\\', exclude_categories=["Cc", "Cs"]).map(str.encode),
        st.binary(max_size=4),
    ),
    max_size=8,
).map(lambda parts: PLAIN.replace(b"mail.send", b"".join(parts).translate(None, b'"\\\\' + bytes(range(32)))))


@settings(max_examples=2000)
@given(st.lists(A_TEXT_OF_ANY_BYTES.map(lambda value: value.replace(b'"tool"', b'"extra"')), min_size=1, max_size=4))
def test_bytes_that_are_no_utf8_are_found_in_what_is_skipped(values: list[bytes | None]) -> None:
    assert_decoded_as_by_codec(values)


@pytest.mark.parametrize("odd", [*ODD_VALUES, *map(add_text, ODD_TEXTS), *map(add_member, NUMBERS)])
def test_in_a_large_batch_the_same_is_odd_as_in_a_small_one(odd: bytes | None) -> None:
    assert_decoded_as_by_codec([*[PLAIN] * 600, odd, *[PLAIN] * 3, odd, PLAIN])


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("around", AROUND_A_NUMBER)
def test_a_number_that_is_too_large_is_found_wherever_it_stands(around: str, number: str) -> None:
    assert_decoded_as_by_codec([PLAIN, add_member(around.format(number)), PLAIN])


def test_a_value_over_the_limit_is_found_among_others() -> None:
    assert_decoded_as_by_codec([PLAIN, add_text("x" * codec.MAX_RECORD_BYTES), PLAIN])


@pytest.mark.parametrize("odd", ODD_VALUES)
def test_neighbours_of_an_odd_value_are_never_decoded_whole(odd: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes | None] = []
    decode = codec.decode
    monkeypatch.setattr(codec, "decode", lambda value, *rest: decoded.append(value) or decode(value, *rest))
    neighbours = [PLAIN, *map(add_text, HASHES)]
    decode_partial([*neighbours, odd, *neighbours], lambda _: PLACE)
    assert set(decoded) <= {odd}
