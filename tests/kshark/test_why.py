"""`kshark why`, as a user runs it: which step is meant, what is written, and what is said when there is none."""

from pathlib import Path

import orjson
import pytest

from kshark.cli import app
from tests.kshark.test_hostile import EVIL, OWN_COLOURS, STEERING, hostile_events
from tests.recording import make_event, make_session_end, make_tool_call, write_capture_file
from tests.running import CompletedRun, Terminal, run_in_process

INVOICE = "sess_invoice_847"


def why(file: Path, *arguments: str, session: str = INVOICE) -> CompletedRun:
    return run_in_process(app, "why", session, "--format", "json", *arguments, "--file", file)


def document(done: CompletedRun) -> dict:  # type: ignore[type-arg]
    made: dict = orjson.loads(done.out)  # type: ignore[type-arg]
    return made


def test_json_is_one_line(story_file: Path) -> None:
    done = why(story_file)
    found = document(done)
    assert (done.code, done.out.count(b"\n")) == (0, 1)
    assert (found["wrong"]["kind"], found["wrong"]["step"], found["wrong"]["sure"]) == ("loop", 12, True)
    assert found["wrong"]["loop"] == {"calls": 164, "group": 1, "failing": True, "between": 0, "overcome": False}
    assert [link["step"] for link in found["chain"]] == [1, 2, 3, 9, 11, 12]
    assert found["chain"][-1]["event"]["context"]["confidence"] == 0.94
    assert len(found["came_of_it"]["children"]) == 164
    assert found["searched"]["unreadable"][0]["where"].endswith("story.ndjson:4123")


@pytest.mark.parametrize("written", ["12", "evt_l3bg42d1", "evt_l3bg", "14:23:16.002", "2026-01-15T14:23:16.003Z"])
def test_a_step_is_named_by_its_number_its_event_or_a_time(story_file: Path, written: str) -> None:
    found = document(why(story_file, written))
    assert (found["step"]["step"], found["wrong"]) == (12, None)


def test_a_call_is_named_by_its_announcement_too(story_file: Path) -> None:
    found = document(why(story_file, session="sess_crashed"))
    announced = found["step"]["event_id"]
    call_id = found["chain"][-1]["event"]["payload"]["call_id"]
    for written in (announced, call_id):
        assert document(why(story_file, written, session="sess_crashed"))["step"]["step"] == 14


@pytest.mark.parametrize(("written", "step"), [("1", 1), ("2", 2), ("3", 3), ("0", 1), ("7", 3), ("70", 3)])
def test_a_bare_number_is_a_step_before_it_is_an_event_id(tmp_path: Path, written: str, step: int) -> None:
    file = tmp_path / "run.ndjson"
    events = [make_tool_call(1, input={"n": n}) | {"event_id": name} for n, name in enumerate(("0", "1", "70"))]
    write_capture_file(file, *events)
    assert document(why(file, written, session="sess_1"))["step"]["step"] == step


def test_a_bare_number_is_a_step_also_where_it_is_the_id_of_several_events(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    events = [
        make_tool_call(1, input={"n": n}) | {"event_id": name} for n, name in enumerate(("2", "1", "2", "9", "9"))
    ]
    write_capture_file(file, *events)
    assert document(why(file, "2", session="sess_1"))["step"]["step"] == 2
    assert "steps 4 and 5" in why(file, "9", session="sess_1").error_text


@pytest.mark.parametrize(
    ("written", "code", "said"),
    [
        ("evt_zz", 4, "Nearest: evt_"),
        ("877", 4, "it has 876 steps"),
        ("0", 4, "it has 876 steps"),
        ("evt_a", 2, "is the beginning of evt_a"),
        ("14:00", 4, "nothing had begun at"),
        ("", 2, "EVENT is empty"),
    ],
)
def test_a_step_that_is_not_there_is_said_with_what_is_nearest(
    story_file: Path, written: str, code: int, said: str
) -> None:
    done = why(story_file, written)
    assert (done.code, done.out) == (code, b"")
    assert said in done.error_text


def test_a_session_that_is_not_there_ends_with_4(story_file: Path) -> None:
    done = why(story_file, session="sess_invoice_84")
    assert done.code == 4
    assert INVOICE in done.error_text


def test_a_succeeded_session_went_wrong_nowhere(story_file: Path) -> None:
    done = why(story_file, "--format", "text", session="sess_coding_1096")
    assert done.code == 0
    assert "nothing: it succeeded; 24 calls failed on the way" in done.text


def test_the_text_tells_verdict_chain_and_what_came_of_it(story_file: Path) -> None:
    text = why(story_file, "--format", "text").text
    parts = ("wrong    a loop", "at       step 12", "864 further steps", "> 12", "led to   164 steps", "x162", "read")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_retries_are_told_with_what_came_of_them(story_file: Path) -> None:
    assert "tried again 75 times, none succeeded" in why(story_file, "100", "--format", "text").text
    assert (
        "tried again 1 time, the last succeeded"
        in why(story_file, "10", "--format", "text", session="sess_invoice_ok").text
    )


def test_a_long_chain_is_condensed_and_whole_with_full(tmp_path: Path) -> None:
    parents = [{"parent_event_id": f"evt_{n - 1}"} for n in range(2, 60)]
    calls = [make_tool_call(n, f"tool.{n % 3}", context=parent) for n, parent in enumerate(parents, 2)]
    file = write_capture_file(tmp_path / "run.ndjson", make_event(1, "session_start"), *calls)
    short = run_in_process(app, "why", "sess_1", "59", "--file", file, "--format", "text").text
    full = run_in_process(app, "why", "sess_1", "59", "--file", file, "--format", "text", "--full").text
    assert "... 52 steps: tool 52" in short
    assert all(f" {n}  14:0" in full for n in range(2, 59))


def test_links_that_no_parent_ties_are_marked_and_told(tmp_path: Path) -> None:
    file = write_capture_file(
        tmp_path / "run.ndjson", make_event(1, "session_start"), make_tool_call(2), make_tool_call(3, error="x: y")
    )
    text = run_in_process(app, "why", "sess_1", "3", "--file", file, "--format", "text").text
    assert "~2  " in text
    assert "2 of 3 steps: the step before it in its lane; it names no parent" in text


def test_markdown_tells_the_same(story_file: Path) -> None:
    text = why(story_file, "--format", "markdown").text
    assert text.startswith("# Why: session `sess_invoice_847`")
    assert "- 12 **decision** `retry stripe.create_invoice at once until it goes through`" in text


@pytest.mark.parametrize("columns", [40, 80])
def test_the_text_fits_the_terminal(story_file: Path, columns: int) -> None:
    terminal = Terminal("kshark", "why", INVOICE, "--file", str(story_file), "--no-pager", columns=columns)
    assert terminal.wait_for_end() == 0
    written = terminal.raw[terminal.raw.index(b"\x1b[1msess_invoice_847") :]
    start = next(n for n, line in enumerate(terminal.lines) if line.startswith("sess_invoice_847"))
    assert written.count(b"\r\n") == len(terminal.lines[start:])  # the terminal broke none of them


@pytest.mark.parametrize("shape", ["text", "json", "markdown"])
@pytest.mark.parametrize("more", [(), ("15",), ("8", "--full")], ids=["wrong", "a step", "full"])
def test_hostile_text_is_shown_and_not_obeyed(tmp_path: Path, shape: str, more: tuple[str, ...]) -> None:
    file = write_capture_file(tmp_path / "evil.ndjson", *hostile_events("sess_evil"))
    done = run_in_process(app, "why", "sess_evil", *more, "--file", file, "--format", shape)
    assert done.code == 0
    assert STEERING.search(done.text + done.error_text) is None
    assert "\\u001b[2J" in done.text


def test_a_terminal_shows_hostile_text_and_obeys_only_our_own_colours(tmp_path: Path) -> None:
    file = write_capture_file(tmp_path / "evil.ndjson", *hostile_events("sess_evil"))
    terminal = Terminal("kshark", "why", "sess_evil", "--file", str(file), "--no-pager", columns=100)
    assert terminal.wait_for_end() == 0
    assert b"\x1b" not in OWN_COLOURS.sub(b"", terminal.raw)


def test_a_hostile_event_is_not_obeyed_where_it_is_named(tmp_path: Path) -> None:
    events = [make_event(1, event_id=EVIL), make_event(2, event_id=EVIL + "2"), make_session_end(3)]
    file = write_capture_file(tmp_path / "evil.ndjson", *events)
    for written, code in ((EVIL.replace("\x00", "")[:10], 2), (EVIL.replace("\x00", "") + "x", 4)):
        done = run_in_process(app, "why", "sess_1", written, "--file", file)
        assert done.code == code
        assert STEERING.search(done.error_text) is None
