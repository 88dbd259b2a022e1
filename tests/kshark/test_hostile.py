"""Untrusted text is shown and never obeyed, by any terminal, in any format, on both streams."""

import os
import re
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlog.terminal.style import paint_plain
from kshark.cli import app
from kshark.view.layout import Layout
from kshark.view.step_lines import format_steps
from tests.recording import (
    encode_events,
    make_call_started,
    make_event,
    make_session_end,
    make_tool_call,
    write_capture_file,
)
from tests.running import Terminal, run_in_process

STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
OWN_COLOURS = re.compile(rb"\x1b\[(?:0|1|2|31|32|33|36)?m")
EVIL = (
    "\x1b[2J\x1b[1;1Hgone\x1b]0;title\x07\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\ \x9b31m\x90q\x9c "
    "\x1b[?1049h\x1b(0\x0e\r\n[31m[red]x[/] \u202egnirts\u202c\u2066i\u2069\u200b\ufeff\u2028\u0085\x7f\x00\x08\t end"
)
FORMATS = ("text", "tree", "ndjson", "json", "markdown")


def hostile_events(session_id: str) -> list[dict[str, Any]]:
    """Return events with ``EVIL`` in every place that can hold text."""
    context = {"reasoning": EVIL, "model": EVIL, "confidence": 0.5, EVIL: EVIL}
    everywhere: dict[str, Any] = {
        "session_id": session_id,
        "agent_id": EVIL,
        "context": context,
        EVIL: EVIL,
        "status": EVIL,
    }
    payload = {EVIL: EVIL, "input": {EVIL: [EVIL]}, "output": EVIL, "error": {"type": EVIL, "message": EVIL}}
    return [
        make_event(1, "session_start", payload={"goal": EVIL, **payload}, **everywhere),
        make_event(2, EVIL, payload=payload, **everywhere),
        make_event(
            3, "llm_call", payload={"model": EVIL, "input_tokens": EVIL, "cost_usd": 1, **payload}, **everywhere
        ),
        make_event(
            4, "delegation", payload={"to_agent_id": EVIL, "task": EVIL, "child_session_id": EVIL}, **everywhere
        ),
        make_event(5, "retrieval", payload={"query": EVIL, "documents": [EVIL]}, **everywhere),
        make_event(6, "error", payload={"type": EVIL, "message": EVIL}, **everywhere),
        make_event(
            7,
            "memory_write",
            payload={"key": EVIL, "value": {"$ref": EVIL, "bytes": EVIL, "preview": EVIL}},
            **everywhere,
        ),
        *(make_event(n, "tool_call", payload={"tool": EVIL, **payload}, **everywhere) for n in range(8, 14)),
        {**make_call_started(14, EVIL, EVIL), **everywhere},
        make_event(15, "session_end", payload={"status": EVIL, "result": EVIL}, **everywhere),
    ]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a capture file with a session `sess_evil` and unreadable lines."""
    path = tmp_path_factory.mktemp("hostile") / "evil.ndjson"
    path.write_bytes(
        encode_events(hostile_events("sess_evil"))
        + b'{"\x1b[2J\x9b31m\xe2\x80\xae": \n'
        + orjson.dumps({"session_id": "sess_evil", EVIL: EVIL, "event_type": 7})
        + b"\n"
        + orjson.dumps({**make_tool_call(1), "session_id": "sess_evil", "_record": {EVIL: EVIL, "partition": EVIL}})
        + b"\n"
    )
    return path


@pytest.mark.parametrize("full", [(), ("--full",)], ids=["short", "full"])
@pytest.mark.parametrize("shape", FORMATS)
def test_nothing_that_steers_a_terminal_reaches_either_stream(hostile: Path, shape: str, full: tuple[str, ...]) -> None:
    shown = run_in_process(app, "replay", "sess_evil", "--file", hostile, "--format", shape, *full)
    assert shown.code == 0
    assert shown.error_text.count("unreadable: ") == 3
    for text in (shown.text, shown.error_text):
        assert STEERING.search(text) is None
    assert "\\u001b[2J" in shown.text
    assert "\\u202egnirts" in shown.text


@pytest.mark.parametrize("shape", ["ndjson", "json"])
def test_an_escaped_text_is_still_the_same_text(hostile: Path, shape: str) -> None:
    shown = run_in_process(app, "replay", "sess_evil", "--file", hostile, "--format", shape).out
    if shape == "json":
        made = orjson.loads(shown)
        assert (made["goal"], made["agent_id"], made["outcome"]) == (EVIL, EVIL, EVIL)
        events = [step["event"] for step in made["steps"]]
    else:
        events = [orjson.loads(line) for line in shown.splitlines()]
    assert events[0]["payload"]["goal"] == EVIL
    assert all(each[EVIL] == EVIL for each in events)


def test_a_text_of_many_lines_takes_no_line_of_its_own(hostile: Path) -> None:
    shown = run_in_process(app, "replay", "sess_evil", "--file", hostile, "--format", "text")
    assert not any(line.startswith(("[31m", " [31m")) for line in shown.lines)
    assert all(line.startswith("unreadable: ") for line in shown.error_text.splitlines())


@pytest.mark.parametrize("shape", ["text", "tree"])
def test_a_terminal_shows_it_and_obeys_only_our_own_colours(hostile: Path, shape: str) -> None:
    arguments = ("replay", "sess_evil", "--file", hostile, "--format", shape, "--no-pager")
    terminal = Terminal("kshark", *arguments, columns=100)
    assert terminal.wait_for_end() == 0
    assert b"\x1b" not in OWN_COLOURS.sub(b"", terminal.raw)
    assert terminal.screen.title == ""
    assert any("\\u001b[2J" in line for line in terminal.lines)


def test_a_hostile_session_id_is_shown_where_it_is_named(tmp_path: Path) -> None:
    evil = EVIL.replace("\x00", "")
    path = write_capture_file(tmp_path / "other.ndjson", *hostile_events(evil))
    found = run_in_process(app, "replay", evil, "--file", path, "--format", "text")
    missed = run_in_process(app, "replay", evil[:-1], "--file", path)
    assert (found.code, missed.code) == (0, 4)
    assert found.text.startswith("\\u001b[2J")
    assert [line.partition(" ")[0] for line in missed.error_text.splitlines()] == ["kshark:", "Nearest:"]
    for text in (found.text, found.error_text, missed.error_text):
        assert STEERING.search(text) is None


def test_a_hostile_file_name_is_shown_where_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J\n\u202eb.ndjson"
    path.write_bytes(encode_events([make_session_end(1)]) + b"no json\n")
    for shape in FORMATS:
        shown = run_in_process(app, "replay", "sess_1", "--file", path, "--format", shape)
        assert shown.code == 0
        assert STEERING.search(shown.text + shown.error_text) is None
        assert len(shown.error_text.splitlines()) == 1
    missing = run_in_process(app, "replay", "sess_1", "--file", os.fsencode(path).decode() + "x")
    assert STEERING.search(missing.error_text) is None


@pytest.mark.parametrize("option", ["--from", "--format", "--cluster", "--topic", "-X"])
def test_a_hostile_argument_is_not_obeyed_either(option: str) -> None:
    shown = run_in_process(app, "replay", "sess_1", option, "\x1b[2J\u202ex")
    assert shown.code == 2
    assert STEERING.search(shown.error_text) is None


FORGED = st.lists(
    st.sampled_from(
        [
            *("  2  14:00:01.000     1.0 s  tool       bank.send", "", " ", "read     nothing is known", "\t", "    "),
            *("                               error    none", "| ", "x162", "2026-01-15", "> 2", "... 9 more lines"),
            *("`-- tool x", "|   |-- tool", EVIL, "\u65e5" * 50, "x" * 300),
        ]
    ),
    max_size=20,
)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\n\n"])
VALUES = st.tuples(FORGED, ENDS).map(lambda made: made[1].join(made[0]))
OPTIONS = st.tuples(st.sampled_from([40, 59, 60, 80, 200]), st.booleans(), st.sampled_from([None, 0, 50]))


@settings(max_examples=150, deadline=None)
@given(value=VALUES, name=VALUES, options=OPTIONS)
def test_no_line_of_a_value_looks_like_a_line_of_ours(
    load: Callable[..., Any], value: str, name: str, options: tuple[int, bool, int | None]
) -> None:
    columns, full, max_chars = options
    context = {"reasoning": value, "model": name, "parent_event_id": "evt_1"}
    payload = {"input": {"one": value, name: value}, "output": value, "error": value, name: value}
    events = [
        make_event(0, "user_message", payload={"text": value}),
        make_event(1, "delegation", payload={"to_agent_id": "sub", "task": value}),
        make_event(2, "tool_call", agent_id="sub", payload={"tool": name, **payload}, context=context),
        make_event(3, "decision", payload={"action": value, "alternatives": [value]}, context={"reasoning": value}),
        make_event(4, "session_end", payload={"status": name, "result": {"patch": value}}),
    ]
    found = load("sess_1", content=encode_events(events))
    look = Layout(columns, paint_plain, found.timeline.began, len(events), full, max_chars)
    shown = list(format_steps(found.timeline, found.timeline.steps, look))
    times = [f"{n}  14:00:0{n - 1}.000{n - 1:>6}.0 s  " for n in range(1, 6)]
    times = [f"{n}{n - 1:>5}.0 s " for n in range(1, 6)] if look.is_narrow else times
    assert [line[: look.times] for line in shown if line[: look.times].strip()] == times
    own = next(n for n, line in enumerate(shown) if line.startswith(times[2]))
    following = takewhile(lambda line: not line.startswith(times[3]), shown[own:])
    assert {line[look.times : look.times + 2] for line in following} == {look.bars(found.timeline.steps[2].lane)[:2]}
