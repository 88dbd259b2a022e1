"""`kshark report` as a command: what it writes, where, and what it says of it."""

import gzip
import re
from base64 import b64decode
from pathlib import Path

import orjson
import pytest

from agentlog.payloads import make_object_name, make_reference
from kshark.cli import app
from kshark.report.command import make_file_name
from tests.recording import (
    encode_events,
    make_call_started,
    make_event,
    make_session_end,
    make_tool_call,
    write_capture_file,
)
from tests.running import Terminal, run, run_in_process

CONTENT = orjson.dumps({"note": "x" * 400 + " the end"})


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a capture file with a session that has an announced call, and an unreadable line."""
    path = tmp_path / "run.ndjson"
    path.write_bytes(
        encode_events([make_call_started(1, "evt_2"), make_tool_call(2), make_session_end(3)]) + b"no json\n"
    )
    return path


def blocks(page: str, name: str) -> str:
    """Return the content of the page's blocks of this name."""
    packed = re.findall(rf'<script type="text/plain" class="{name}">(.*?)</script>', page)
    return b"".join(gzip.decompress(b64decode(each)) for each in packed).decode()


def test_the_file_named_is_written_and_told(small: Path) -> None:
    done = run_in_process(app, "report", "sess_1", "--file", small, "-o", "page.html", cwd=small.parent)
    assert (done.code, done.out) == (0, b"")
    unreadable, wrote = done.error_text.splitlines()
    assert unreadable.startswith(f"unreadable: {small}:4: not JSON")
    assert wrote == "wrote page.html: 3 events, 0.1 MB"
    assert (small.parent / "page.html").read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in small.parent.iterdir()) == ["page.html", "run.ndjson"]


def test_a_pipe_gets_the_page_and_so_does_standard_output_when_it_is_named(small: Path) -> None:
    piped = run_in_process(app, "report", "sess_1", "--file", small)
    named = run_in_process(app, "report", "sess_1", "--file", small, "-o", "-")
    assert piped.out == named.out
    assert piped.text.endswith("</html>\n")


def test_a_terminal_gets_a_file_named_after_the_session_but_never_over_another(small: Path) -> None:
    arguments = ("report", "sess_1", "--file", "run.ndjson")
    first = Terminal("kshark", *arguments, cwd=small.parent)
    assert (first.wait_for_end(), first.lines[-1]) == (0, "wrote sess_1.html: 3 events, 0.1 MB")
    (small.parent / "sess_1.html").write_text("mine")
    second = Terminal("kshark", *arguments, cwd=small.parent)
    assert (second.wait_for_end(), second.lines) == (
        2,
        ["kshark: sess_1.html exists already; to overwrite it: -o sess_1.html"],
    )
    assert (small.parent / "sess_1.html").read_text() == "mine"
    assert run_in_process(app, *arguments, "-o", "sess_1.html", cwd=small.parent).code == 0


@pytest.mark.parametrize(
    ("session", "name"),
    [
        ("sess_1", "sess_1.html"),
        ("../../etc/passwd", "_._.._etc_passwd.html"),
        ("-rf", "_rf.html"),
        ("a b\n\u202ec", "a_b__c.html"),
        ("x" * 5000, "x" * 100 + ".html"),
        ("..", "_..html"),
    ],
)
def test_a_session_id_becomes_a_name_that_any_file_system_takes(session: str, name: str) -> None:
    assert make_file_name(session) == name


def test_the_same_session_makes_the_same_page(small: Path) -> None:
    assert len({run_in_process(app, "report", "sess_1", "--file", small).out for _ in range(2)}) == 1


def test_the_page_holds_the_session_as_a_capture_file(small: Path) -> None:
    page = run_in_process(app, "report", "sess_1", "--file", small).text
    assert blocks(page, "events") == run_in_process(app, "replay", "sess_1", "--file", small, "--format", "ndjson").text


def test_what_can_not_be_written_is_said_and_what_was_there_stays(small: Path) -> None:
    page = small.parent / "page.html"
    page.write_text("the page of yesterday")
    missing = run_in_process(app, "report", "nosuch", "--file", small, "-o", page)
    nowhere = run_in_process(app, "report", "sess_1", "--file", small, "-o", "nosuch/page.html", cwd=small.parent)
    empty = run_in_process(app, "report", "", "--file", small)
    assert (missing.code, nowhere.code, empty.code) == (4, 2, 2)
    assert nowhere.error_text.splitlines()[-1] == "kshark: nosuch/page.html can't be written: No such file or directory"
    assert page.read_text() == "the page of yesterday"


def test_only_the_span_asked_for_is_in_the_page_and_it_says_so(small: Path) -> None:
    page = run_in_process(app, "report", "sess_1", "--file", small, "--from", "2026-01-15T14:00:03Z").text
    assert blocks(page, "events").count("\n") == 1
    assert "shown from 2026-01-15 14:00:03 UTC" in page


def test_full_puts_into_the_page_what_a_reference_stands_for(tmp_path: Path) -> None:
    stored = tmp_path / "store" / make_object_name(CONTENT, ".json")
    stored.parent.mkdir(parents=True)
    stored.write_bytes(CONTENT)
    output = make_reference(stored.as_uri(), CONTENT)
    file = write_capture_file(tmp_path / "run.ndjson", make_event(1, payload={"tool": "db.read", "output": output}))
    short, full = (run("kshark", "report", "sess_1", "--file", file, *more).text for more in ([], ["--full"]))
    assert "the end" not in blocks(short, "events") + blocks(short, "wholes")
    assert orjson.loads(blocks(full, "wholes")) == [0, {"tool": "db.read", "output": orjson.loads(CONTENT)}]
    assert blocks(full, "events") == blocks(short, "events")


def test_unreadable_records_are_named_in_the_page_up_to_a_thousand(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    path.write_bytes(encode_events([make_session_end(1)]) + b"<no json\n" * 1_200)
    page = run_in_process(app, "report", "sess_1", "--file", path).text
    assert "<summary>1,200 unreadable</summary>" in page
    assert page.count("run.ndjson:") == 1_000 + 1  # and the line "read"
    assert "200 more; kshark replay --format json names all" in page
