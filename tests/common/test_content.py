"""The content of an event, which tells its copies from other events with the same id."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.event.content import digest_content, encode_content

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), ANY_JSON), st.sampled_from([None, 1]), st.booleans())
def test_a_copy_in_another_form_has_the_same_content(event: dict[str, Any], indent: int | None, is_ascii: bool) -> None:
    turned = dict(reversed(event.items()))
    copy = json.dumps(turned, indent=indent, ensure_ascii=is_ascii).encode(errors="surrogatepass")
    assert digest_content(copy) == digest_content(json.dumps(event).encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "true"),
        ("0", "false"),
        ("1", '"1"'),
        ("null", '""'),
        ("{}", "[]"),
        ("[1, 2]", "[2, 1]"),
        ('"1.0"', '"1"'),
        ("1.5", "1"),
    ],
)
def test_what_means_something_else_is_another_content(one: str, other: str) -> None:
    assert encode_content(b'{"n": %s}' % one.encode()) != encode_content(b'{"n": %s}' % other.encode())


@pytest.mark.parametrize(("one", "other"), [("1.0", "1"), ("1e2", "100"), ("-0.0", "0"), ('"\\u00e9"', '"é"')])
def test_what_means_the_same_is_the_same_content(one: str, other: str) -> None:
    assert encode_content(b'{"n": [%s]}' % one.encode()) == encode_content(b'{"n": [%s]}' % other.encode())


def test_a_member_can_be_left_out() -> None:
    assert digest_content(b'{"a": 1, "b": 2}', without="b") == digest_content(b'{"a": 1}')


@pytest.mark.parametrize("value", [b"", b"\xff", b"{", b"[" * 100_000, b"1e999"])
def test_what_is_no_json_is_its_own_content(value: bytes) -> None:
    assert encode_content(value) == value
