"""Capture files that are packed, cut short, damaged or huge, and files that are none."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from kshark.cli import app
from tests.recording import encode_events, make_session_end, make_tool_call
from tests.running import run_in_process

SESSION = encode_events(
    [*(make_tool_call(n, output="a page of text " * 40) for n in range(400)), make_session_end(401)]
)
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": lambda content: zstandard.ZstdCompressor(write_checksum=True).compress(content),
}


def said(shape: str = "text", *, content: bytes, folder: Path) -> tuple[int, str, str]:
    (folder / "run").write_bytes(content)
    done = run_in_process(app, "replay", "sess_1", "--file", "run", "--format", shape, cwd=folder)
    return done.code, " ".join(done.text.split()), done.error_text


@pytest.mark.parametrize("packing", PACKED)
def test_a_file_is_read_whatever_it_is_packed_with_and_called(tmp_path: Path, packing: str) -> None:
    code, text, told = said(content=PACKED[packing](SESSION), folder=tmp_path)
    assert (code, told) == (0, "")
    assert "400 tool calls 401 events" in text


@pytest.mark.parametrize("packing", PACKED)
def test_standard_input_may_be_packed_too(packing: str) -> None:
    done = run_in_process(app, "replay", "sess_1", "--file", "-", stdin=PACKED[packing](SESSION))
    assert (done.code, len(done.out.splitlines())) == (0, 401)


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_packed_file_that_is_cut_short_shows_what_is_there_and_says_so(tmp_path: Path, packing: str) -> None:
    packed = PACKED[packing](SESSION)
    code, text, told = said(content=packed[: len(packed) - 9], folder=tmp_path)
    if code == 0:
        assert "unreadable" in text
    assert "the file is damaged from here on" in told


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_damaged_packed_file_is_named_and_no_bug(tmp_path: Path, packing: str) -> None:
    packed = bytearray(PACKED[packing](SESSION))
    packed[len(packed) // 2] ^= 0xFF
    code, _, told = said(content=bytes(packed), folder=tmp_path)
    assert code in (0, 4)
    assert "unreadable: run:" in told
    assert "bug" not in told


def test_a_plain_file_that_is_cut_short_loses_only_its_last_line(tmp_path: Path) -> None:
    code, text, told = said(content=SESSION[:-20], folder=tmp_path)
    assert (code, told.count("unreadable: run:401: not JSON")) == (0, 1)
    assert "400 events" in text


def test_a_line_of_50_mb_is_named_and_hides_nothing(tmp_path: Path) -> None:
    huge = b'{"session_id":"sess_1","text":"' + b"x" * 50_000_000 + b'"}\n'
    code, text, told = said(
        content=encode_events([make_tool_call(1)]) + huge + encode_events([make_session_end(2)]), folder=tmp_path
    )
    assert (code, len(told.splitlines())) == (0, 1)
    assert told.startswith("unreadable: run:2: a line longer than the")
    assert "1 tool call 2 events" in text


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"", "0 lines."),
        (b"\n\n \n", "0 lines."),
        (bytes(range(256)) * 40, "of them unreadable."),
        (zlib.compress(SESSION), "of them unreadable."),
        (b"[" * 100_000, "1 line, 1 of them unreadable."),
    ],
    ids=["empty", "blank", "binary", "zlib", "nested"],
)
def test_what_is_no_capture_file_is_4_and_says_what_was_there(tmp_path: Path, content: bytes, count: str) -> None:
    code, text, told = said(content=content, folder=tmp_path)
    assert (code, text) == (4, "")
    assert told.splitlines()[-1].startswith("kshark: no session sess_1. Searched run: ")
    assert told.splitlines()[-1].endswith(count)


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + encode_events([make_tool_call(1), make_session_end(2)]).replace(b"\n", b"\r\n")
    code, text, told = said(content=content, folder=tmp_path)
    assert (code, told) == (0, "")
    assert "1 tool call 2 events" in text
