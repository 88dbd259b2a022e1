"""Names of any length hide neither what was called nor our own marks, wherever they stand."""

from pathlib import Path

import pytest

from kshark.cli import app
from tests.recording import make_call_started, make_event, make_tool_call, write_capture_file
from tests.running import run, run_in_process

LONG = [270, 600, 5_000]


@pytest.fixture(params=LONG)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    long = "n" * (request.param - 4)
    agent = f"a{long}-ag1"
    return write_capture_file(
        tmp_path / "run.ndjson",
        make_event(0, "session_start", payload={"goal": "pay"}),
        make_event(1, "llm_call", payload={"model": f"m{long}-mod", "input_tokens": 5, "latency_ms": 900}),
        make_tool_call(2, "stripe.refund", input={"amount": 9}, error="card_closed", agent_id=agent),
        make_tool_call(3, f"crm.{long}-too", input={f"k{long}-key": "the value"}, error="no_such_user"),
        make_event(4, "delegation", payload={"to_agent_id": agent, "task": "find it"}),
        make_event(5, "memory_write", payload={"key": f"k{long}-key", "value": "paid twice"}),
        make_event(6, "error", payload={"type": f"t{long}-typ", "message": "the disk is full"}),
        make_event(7, "decision", payload={"action": "go"}, context={"reasoning": "for it", "model": f"m{long}-mod"}),
        make_call_started(8, "evt_9", tool=f"o{long}-ope"),
        make_event(10, "session_end", payload={"status": "failed", "error": "no refund"}),
    )


def shown(file: Path, *arguments: str, columns: int = 80) -> str:
    done = run_in_process(app, *arguments, "--file", str(file), variables={"COLUMNS": str(columns)})
    assert done.code == 0, done.error_text
    assert max(map(len, done.text.splitlines())) <= columns
    return done.text


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_replay_shows_what_stands_behind_a_long_name(file: Path, columns: int) -> None:
    text = shown(file, "replay", "sess_1", "--format", "text", columns=columns)
    words = " ".join(text.split())
    for said in (
        "stripe.refund",
        "amount 9",
        "card_closed",
        "no_such_user",
        "find it",
        "paid twice",
        "the disk is full",
    ):
        assert said in words
    for mark in ("0.90 s", "[still open]", "-ag1", "-mod", "-ope"):
        assert mark in "".join(text.split()) or mark in words
    assert len(text.splitlines()) < 75


def test_the_tree_shows_the_marks_and_errors_behind_a_long_name(file: Path) -> None:
    text = shown(file, "replay", "sess_1", "--format", "tree")
    for said in ("0.90 s", "[still open]", "card_closed", "no_such_user"):
        assert said in text


def test_full_shows_the_whole_name(file: Path) -> None:
    text = "".join(shown(file, "replay", "sess_1", "--format", "text", "--full").split())
    assert f"tool{'crm.'}{'n' * 266}" in text


@pytest.mark.parametrize("arguments", [("why", "sess_1"), ("memory", "sess_1"), ("sessions",)])
def test_other_commands_stay_short(file: Path, arguments: tuple[str, ...]) -> None:
    assert len(shown(file, *arguments).splitlines()) < 120


def test_kdiff_stays_short(file: Path) -> None:
    done = run("kdiff", "compare", "sess_1", "sess_1", "--file", file, variables={"COLUMNS": "80"})
    assert done.code == 0, done.error_text
    assert len(done.text.splitlines()) < 60
