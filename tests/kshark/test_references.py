"""`--full` fetches payloads by their references, and shows only what was recorded."""

import contextlib
from pathlib import Path

import orjson
import pytest

from agentlog import AgentTracer
from agentlog.capture_format import capture
from agentlog.event.event import Place
from agentlog.payloads import make_object_name, make_reference
from tests.running import run

CONTENT = orjson.dumps({"rows": ["first", "second"], "note": "x" * 400 + " the end"})


@pytest.fixture
def session(tmp_path: Path) -> Path:
    stored = tmp_path / "store" / make_object_name(CONTENT, ".json")
    stored.parent.mkdir(parents=True)
    stored.write_bytes(CONTENT)
    event = {
        "event_id": "evt_1",
        "session_id": "sess_1",
        "agent_id": "a",
        "timestamp": "2026-01-15T14:00:00Z",
        "event_type": "tool_call",
        "payload": {"tool": "db.read", "output": make_reference(stored.as_uri(), CONTENT)},
    }
    file = tmp_path / "run.ndjson"
    file.write_bytes(capture.write_line(orjson.dumps(event), Place("t", 0, 0)))
    return file


def shown(file: Path, *options: str) -> str:
    text = run("kshark", "replay", "sess_1", "--file", file, "--format", "text", *options).text
    return " ".join(text.split())


def test_a_reference_is_shown_as_what_it_stands_for(session: Path) -> None:
    assert "the end" in shown(session, "--full")
    assert "the end" not in shown(session)


def test_a_long_reasoning_is_shown_whole(tmp_path: Path) -> None:
    tracer = AgentTracer("sess_1", agent_id="a", file=tmp_path / "run.ndjson", payloads=tmp_path / "store")
    tracer.track_tool_call("mail", "to Acme", lambda: 1, reasoning="because " * 2_000 + "the end")
    tracer.close()
    assert "the end" in shown(tmp_path / "run.ndjson", "--full")


def test_what_is_not_what_was_recorded_is_said_and_not_shown(session: Path) -> None:
    stored = next((session.parent / "store").rglob("*.json"))
    stored.write_bytes(CONTENT.replace(b"the end", b"THE END"))
    text = shown(session, "--full")
    assert "its SHA-256 differs" in text
    assert "THE END" not in text


def test_what_is_gone_is_said_behind_its_preview(session: Path) -> None:
    next((session.parent / "store").rglob("*.json")).unlink()
    text = shown(session, "--full")
    assert "not shown whole" in text
    assert "first" in text


@pytest.mark.parametrize("command", ["why", "memory"])
def test_a_reference_is_shown_so_by_other_commands_too(session: Path, command: str) -> None:
    step = ("1",) if command == "why" else ()
    shorter, whole = (
        " ".join(run("kshark", command, "sess_1", *step, "--file", session, "--format", "text", *more).text.split())
        for more in ((), ("--full",))
    )
    assert "xx the end" in whole
    assert "xx the end" not in shorter


def test_messages_hold_what_a_reference_stands_for_with_full(session: Path) -> None:
    asked = ("memory", "sess_1", "--file", session, "--format", "messages")
    assert b"the end" in run("kshark", *asked, "--full").out
    assert b"the end" not in run("kshark", *asked).out


def test_what_was_shortened_is_shown_by_its_preview(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    with AgentTracer("sess_1", agent_id="a", file=file) as tracer:
        for _ in range(4):
            with contextlib.suppress(ValueError), tracer.tool_call("read", {"text": "how it begins " * 1000}):
                raise ValueError("why " * 5000)
    assert tracer.flush(10)
    text = shown(file)
    assert "$ref" not in text
    assert "how it begins how" in text
    assert "all ValueError" in text
