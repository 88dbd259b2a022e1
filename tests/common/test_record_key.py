"""The key of a record whose key isn't its session's id: what it is said to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.event.record_key import describe_key, names_session

FRAME = b"\x00\x00\x00\x00\x07"


@pytest.mark.parametrize(
    ("key", "described"),
    [
        (None, ("", "none", None)),
        (b"", ("", "other", None)),
        (b"user-42", ("user-42", "other", None)),
        (b"sess_2", ("sess_2", "other", None)),
        (b'"sess_t"', ('"sess_t"', "JSON", None)),
        (b'"s\\u0065ss_t"', ('"s\\u0065ss_t"', "JSON", None)),
        (b'{"session_id":"sess_t"}', ('{"session_id":"sess_t"}', "part", None)),
        (b"session:sess_t", ("session:sess_t", "part", None)),
        (FRAME + b"sess_t", ("sess_t", "part", "7")),
        (FRAME + b'"sess_t"', ('"sess_t"', "JSON", "7")),
        (FRAME + b"\x0csess_t", ("sess_t", "part", "7")),
        (FRAME + b"\x00\x0a\x06sess_t", ("sess_t", "part", "7")),
        (FRAME + b"user-42", ("user-42", "other", "7")),
        (b"\x03\x00" + bytes(16) + b"sess_t", ("sess_t", "part", "00000000-0000-0000-0000-000000000000")),
        ("sess_t".encode("utf-16"), ("sess_t", "UTF-16", None)),
        ("sess_t".encode("utf-16-be"), ("sess_t", "UTF-16", None)),
        (b"\xfe\xff" + "sess_t".encode("utf-16-be"), ("sess_t", "UTF-16", None)),
        ("sess_t".encode("utf-32"), ("sess_t", "UTF-32", None)),
        ((42).to_bytes(8, "big"), ("0x000000000000002a", "other", None)),
        (b"\x1b[2J", ("0x1b5b324a", "other", None)),
        (b"\xff\xfe", ("0xfffe", "other", None)),
    ],
)
def test_a_key_is_described(key: bytes | None, described: tuple[str, str, str | None]) -> None:
    assert describe_key(key, "sess_t") == described
    assert names_session(key, "sess_t") == (described[1] not in ("none", "other"))


@given(st.binary(max_size=40), st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_key_is_described_in_text_that_can_be_written(key: bytes, session_id: str) -> None:
    text, form, _ = describe_key(key, session_id)
    assert form
    assert text.encode() or not key
