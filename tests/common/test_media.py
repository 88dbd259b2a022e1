"""Media in base64 are found in whatever form they have, and nothing else is taken for one."""

import json
import random
from base64 import b64encode, encodebytes, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.event.media import FIRST_BYTES, mark_media_in_text, may_hold_media, replace_media
from agentlog.text.condensed_value import condense_value
from agentlog.text.step_text import format_payload_value

NOISE = random.Random(1).randbytes(400)
PNG = b64encode(b"\x89PNG\r\n\x1a\n" + NOISE).decode()
UNKNOWN = b64encode(NOISE).decode()
MARK = "[image/png, 408 bytes]"
SHA = "9f" * 32
EVENTS_MD = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


@pytest.mark.parametrize(("first", "kind"), FIRST_BYTES)
def test_each_kind_is_known_by_its_first_bytes_in_a_text_and_alone(first: bytes, kind: str) -> None:
    start = first.replace(b"....ftyp", b"\0\0\0\x20ftyp").replace(b"....", b"\x10\x20\0\0")
    start += {b"GIF8": b"9a", b"%PDF-": b"1.4", b"....ftyp": b"isom", b"OggS": b"\0"}.get(first, b"")
    text = b64encode(start + NOISE).decode()
    mark = f"[{kind}, {len(start) + 400} bytes]"
    assert mark_media_in_text(f"before {text} behind") == f"before {mark} behind"
    assert mark_media_in_text(text) == mark


@pytest.mark.parametrize(
    "written",
    [
        PNG,
        f"data:image/png;base64,{PNG}",
        f"data:image/png;name=a.png;base64,{PNG}",
        urlsafe_b64encode(b"\x89PNG\r\n\x1a\n" + NOISE).decode(),
        encodebytes(b"\x89PNG\r\n\x1a\n" + NOISE).decode().rstrip("\n"),
        encodebytes(b"\x89PNG\r\n\x1a\n" + NOISE).decode().rstrip("\n").replace("\n", "\r\n"),
    ],
    ids=["alone", "data URL", "data URL with a parameter", "URL-safe", "in lines", "in lines of Windows"],
)
@pytest.mark.parametrize(
    "put",
    [
        lambda text: text,
        lambda text: f"before {text} behind",
        lambda text: f"![shot]({text})",
        lambda text: f"{text}\nclicked",
        lambda text: json.dumps({"a": [{"b": text}], "c": "clicked"}),
        lambda text: json.dumps(json.dumps({"a": text})),
        lambda text: json.dumps({"a": text}).replace("/", "\\/"),
    ],
    ids=["alone", "in words", "in Markdown", "above a line", "in JSON", "in JSON in JSON", "in JSON of PHP"],
)
def test_a_picture_becomes_a_mark_in_whatever_text_it_stands(put: Any, written: str) -> None:
    end = "\n" if "\n" in written else ""
    marked, expected = mark_media_in_text(put(written + end)), put(MARK + end)
    assert marked.replace("\\/", "/") == expected.replace("\\/", "/")


@pytest.mark.parametrize(
    ("part", "mark"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "high"}}, MARK),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/x-odd", "data": UNKNOWN}},
            "[image/x-odd, 400 bytes]",
        ),
        ({"type": "image", "data": UNKNOWN, "mimeType": "image/x-odd"}, "[image/x-odd, 400 bytes]"),
        ({"type": "image", "image": f"data:image/png;base64,{PNG}"}, MARK),
        (
            {"type": "file", "mediaType": "application/x-odd", "data": UNKNOWN, "filename": "a.odd"},
            "a.odd [application/x-odd, 400 bytes]",
        ),
        ({"type": "input_audio", "input_audio": {"data": UNKNOWN, "format": "mp3"}}, None),
        (
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": UNKNOWN},
                "title": "a",
            },
            "a [application/pdf, 400 bytes]",
        ),
        (
            {"type": "image", "data": {"$ref": None, "bytes": 9, "sha256": SHA, "preview": "image/png"}},
            "image/png [9 bytes, shortened]",
        ),
    ],
    ids=["OpenAI", "Anthropic", "MCP", "AI SDK", "file of AI SDK", "audio", "document", "shortened by the recorder"],
)
def test_a_content_part_that_is_a_medium_becomes_its_mark_beside_the_text(
    part: dict[str, Any], mark: str | None
) -> None:
    shown = format_payload_value([part, {"type": "text", "text": "clicked the button"}])
    assert "clicked the button" in shown
    assert UNKNOWN[:20] not in shown
    assert PNG[:20] not in shown
    if mark is not None:
        assert shown == f"{mark}  clicked the button"
        assert format_payload_value({"content": [part, {"type": "text", "text": "done"}]}) == f"content {mark}  done"


def test_the_docs_have_the_table_of_first_bytes() -> None:
    rows = dict.fromkeys(kind for _, kind in FIRST_BYTES)
    for kind in rows:
        firsts = ", ".join(f"`{repr(first)[2:-1]}`" for first, each in FIRST_BYTES if each == kind)
        assert f"| {firsts} | `{kind}` |" in EVENTS_MD, kind


def test_base64_beside_the_name_of_its_kind_becomes_a_mark() -> None:
    value = {"inline_data": {"mime_type": "audio/x-odd", "data": UNKNOWN}, "note": "said"}
    assert (
        format_payload_value(value)
        == 'inline_data {"mime_type":"audio/x-odd","data":"[audio/x-odd, 400 bytes]"}  note said'
    )


@pytest.mark.parametrize(
    "text",
    [
        UNKNOWN,
        "a" * 1000,
        SHA * 10,
        "/9j/" + "a" * 20,
        "/9j/4" + "a" * 200,
        "see data:text/plain;base64,aGVsbG8= here",
        "/usr/share/" + "x" * 200,
        "UEsDB" + "/" * 200,
    ],
)
def test_what_is_no_medium_stays_as_it_is(text: str) -> None:
    if text.startswith("/9j/4a"):
        assert mark_media_in_text(text).startswith("[image/jpeg")
    else:
        assert mark_media_in_text(text) == text
        assert condense_value({"a": text, "type": "text"}) == {"a": text, "type": "text"}


@given(
    st.recursive(
        st.sampled_from([PNG, "x", 1, None]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=8,
    )
)
def test_a_value_with_media_is_not_changed_and_its_copy_has_none(value: Any) -> None:
    before = json.dumps(value)
    replaced = replace_media(value, lambda _, marked, __: marked)
    assert json.dumps(value) == before
    assert json.dumps(replaced) == before.replace(PNG, MARK)
    assert may_hold_media(before) or PNG not in before


def test_a_value_of_any_depth_is_shown() -> None:
    value: Any = PNG
    for _ in range(300):
        value = [value]
    assert format_payload_value(value)
