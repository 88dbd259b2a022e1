"""In a terminal: the picture, its width, colours, the pager, progress and Ctrl-C."""

import os
import signal
from pathlib import Path

import orjson
import pytest

from devkafka import eventually
from kshark.view.output_format import HINT
from tests.recording import encode_events, make_session_end, make_tool_call, write_capture_file
from tests.running import Terminal, feed

LONG = ("replay", "sess_trip_planner", "--file", "story.ndjson")
SHORT = ("replay", "sess_1", "--file", "run.ndjson")


@pytest.fixture(scope="module")
def folder(story_file: Path) -> Path:
    """Return a folder with `story.ndjson`, and a short session in `run.ndjson`."""
    write_capture_file(story_file.parent / "run.ndjson", make_tool_call(1), make_session_end(2))
    return story_file.parent


def pager(folder: Path, script: str) -> str:
    """Return a pager that runs ``script``."""
    path = folder / "pager.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_the_text_fits_the_terminal(folder: Path, columns: int) -> None:
    terminal = Terminal("kshark", *LONG, "--no-pager", columns=columns, cwd=folder)
    assert terminal.wait_for_end() == 0
    start = next(n for n, line in enumerate(terminal.lines) if line.startswith("sess_trip_planner  Plan ten days"))
    assert terminal.lines[start].endswith("succeeded after 1 m 16 s" if columns > 40 else "Plan ten days in J...")
    assert terminal.lines[-1].endswith("captured")
    written = terminal.raw[terminal.raw.index(b"\x1b[1msess_trip_planner") :]
    assert written.count(b"\r\n") == len(terminal.lines[start:])  # the terminal broke none of them


def test_a_terminal_gets_text_in_colour(folder: Path) -> None:
    terminal = Terminal("kshark", *SHORT, cwd=folder)
    assert terminal.wait_for_end() == 0
    assert b"\x1b[36mtool\x1b[0m" in terminal.raw
    assert terminal.lines[0].startswith("sess_1")


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}])
def test_a_terminal_that_wants_no_colour_gets_none(folder: Path, variables: dict[str, str]) -> None:
    terminal = Terminal("kshark", *SHORT, "--no-pager", cwd=folder, variables=variables)
    assert terminal.wait_for_end() == 0
    assert b"\x1b" not in terminal.raw


@pytest.mark.parametrize(("when", "is_coloured"), [("always", True), ("auto", False), ("never", False)])
def test_a_choice_of_colour_goes_before_the_environments(folder: Path, when: str, is_coloured: bool) -> None:
    terminal = Terminal("kshark", *SHORT, "--color", when, "--no-pager", cwd=folder, variables={"NO_COLOR": "1"})
    assert terminal.wait_for_end() == 0
    assert (b"\x1b[36mtool\x1b[0m" in terminal.raw) is is_coloured


def test_a_choice_of_no_colour_goes_before_a_forced_one(folder: Path) -> None:
    arguments = (*SHORT, "--color", "never", "--no-pager")
    terminal = Terminal("kshark", *arguments, cwd=folder, variables={"FORCE_COLOR": "1"})
    assert terminal.wait_for_end() == 0
    assert b"\x1b" not in terminal.raw


def test_less_ends_by_itself_when_all_fits_on_the_screen(folder: Path) -> None:
    terminal = Terminal("kshark", *SHORT, cwd=folder)
    assert terminal.wait_for_end() == 0
    assert "read     run.ndjson: 2 lines" in "\n".join(terminal.lines)


def test_long_output_waits_in_less_and_q_ends_it(folder: Path) -> None:
    terminal = Terminal("kshark", *LONG, cwd=folder)
    terminal.wait_until(lambda: terminal.lines[-1:] == [":"], "less's prompt")
    assert not any(line.startswith("read ") for line in terminal.lines)
    terminal.process.send("q")
    assert terminal.wait_for_end() == 0
    assert b"Traceback" not in terminal.raw


def test_ctrl_c_in_less_does_not_end_it(folder: Path) -> None:
    terminal = Terminal("kshark", *LONG, cwd=folder)
    terminal.wait_until(lambda: terminal.lines[-1:] == [":"], "less's prompt")
    terminal.process.sendintr()
    terminal.wait_until(lambda: b"\a" in terminal.raw, "less's bell")
    terminal.press("G", "never captured")
    terminal.process.send("q")
    assert terminal.wait_for_end() == 0


def test_output_goes_through_the_users_pager(folder: Path) -> None:
    variables = {"PAGER": pager(folder, 'echo "LESS is $LESS, LV is $LV"; sed "s/^/paged: /"') + " an argument"}
    terminal = Terminal("kshark", *LONG, cwd=folder, variables=variables)
    assert terminal.wait_for_end() == 0
    assert "LESS is FRX, LV is -c" in terminal.lines
    assert any(line.startswith("paged: sess_trip_planner") for line in terminal.lines)
    assert terminal.lines[-1].startswith("paged:          never captured")


def test_the_users_own_options_for_less_are_kept(folder: Path) -> None:
    variables = {"PAGER": pager(folder, 'echo "LESS is $LESS"; cat'), "LESS": "-S"}
    terminal = Terminal("kshark", *SHORT, cwd=folder, variables=variables)
    assert terminal.wait_for_end() == 0
    assert "LESS is -S" in terminal.lines


def test_a_pager_that_stops_reading_ends_it_cleanly(folder: Path) -> None:
    variables = {"PAGER": pager(folder, "head -n 2; exit 3")}
    terminal = Terminal("kshark", "replay", "sess_invoice_847", "--full", *LONG[2:], cwd=folder, variables=variables)
    assert terminal.wait_for_end() == 0
    assert b"Traceback" not in terminal.raw


@pytest.mark.parametrize(
    "variables", [{"PAGER": "cat"}, {"PAGER": ""}, {"PAGER": "no-such-pager"}, {"PAGER": 'less "'}, {"TERM": "dumb"}]
)
def test_where_there_is_no_pager_all_is_written_at_once(folder: Path, variables: dict[str, str]) -> None:
    terminal = Terminal("kshark", *LONG, cwd=folder, variables=variables)
    assert terminal.wait_for_end() == 0
    assert terminal.lines[-1].strip() == "never captured"


def test_ctrl_c_is_the_pagers(folder: Path) -> None:
    script = "trap 'echo interrupted; exit' INT; cat >/dev/null; echo ready; while :; do sleep 0.05; done"
    terminal = Terminal("kshark", *LONG, cwd=folder, variables={"PAGER": pager(folder, script)})
    terminal.wait_for_text("ready")
    terminal.process.sendintr()
    terminal.wait_for_text("interrupted")
    assert terminal.wait_for_end() == 0


def test_sigterm_ends_the_pager_too(folder: Path) -> None:
    script = "echo pid=$$; cat >/dev/null; while :; do sleep 0.05; done"
    terminal = Terminal("kshark", *LONG, cwd=folder, variables={"PAGER": pager(folder, script)})
    terminal.wait_for_text("pid=")
    paging = int(terminal.lines[-1].removeprefix("pid="))
    os.kill(terminal.process.pid, signal.SIGTERM)
    assert terminal.wait_for_end() == 143
    eventually(lambda: not Path(f"/proc/{paging}").exists())


def test_ndjson_is_never_paged(folder: Path) -> None:
    variables = {"PAGER": pager(folder, "echo paged")}
    terminal = Terminal("kshark", *SHORT, "--format", "ndjson", cwd=folder, variables=variables)
    assert terminal.wait_for_end() == 0
    assert "paged" not in terminal.lines


def test_a_person_who_pipes_a_replay_is_told_once_behind_the_records(folder: Path) -> None:
    terminal = Terminal("kshark", *SHORT, columns=400, cwd=folder, then="| cat")
    assert terminal.wait_for_end() == 0
    *records, told = terminal.lines
    assert [orjson.loads(line)["event_id"] for line in records] == ["evt_1", "evt_2"]
    assert told == HINT


@pytest.mark.parametrize("session", ["sess_crashed", "sess_invoice_847"])
def test_a_person_sees_in_the_pager_or_behind_it_what_a_pipe_gets(folder: Path, session: str) -> None:
    arguments = ("replay", session, "--file", "story.ndjson")
    terminal = Terminal("kshark", *arguments, columns=100, cwd=folder, then="| less")
    is_long = session == "sess_invoice_847"
    terminal.wait_until(
        lambda: terminal.lines[-1:] == [":"] if is_long else HINT in terminal.screen.display[-2], "less"
    )
    terminal.process.send("q")
    assert terminal.wait_for_end() == 0
    left = terminal.raw.rindex(b"\x1b[?1049l")
    assert (HINT.encode() in terminal.raw[left:]) is is_long


@pytest.mark.parametrize(
    ("options", "then"),
    [
        ((), "> run.out; cat run.out"),
        (("--format", "ndjson"), "| cat"),
        (("--format", "text"), "| cat"),
        ((), "2>&1 | cat"),
        ((), "2>/dev/null | cat"),
    ],
)
def test_nobody_is_told_who_means_it(folder: Path, options: tuple[str, ...], then: str) -> None:
    terminal = Terminal("kshark", *SHORT, *options, columns=200, cwd=folder, then=then)
    assert terminal.wait_for_end() == 0
    assert "mail.send" in "\n".join(terminal.lines)
    assert "A pipe gets" not in "\n".join(terminal.lines)


def test_progress_fits_the_terminal_though_the_output_is_in_a_pipe(tmp_path: Path) -> None:
    name = "a-capture-file-with-a-name-that-is-longer-than-any-line-has-room-for-it"
    os.mkfifo(tmp_path / name)
    arguments = ("why", "sess_1", "--file", name)
    terminal = Terminal("kshark", *arguments, columns=60, cwd=tmp_path, then="| cat >/dev/null")
    with (tmp_path / name).open("wb", buffering=0) as writer:
        writer.write(encode_events([make_tool_call(1)]))
        terminal.wait_for_text("a-capture-file-")
        writer.write(encode_events([make_session_end(2)]))
    assert terminal.wait_for_end() == 0
    assert terminal.lines == []


def test_progress_shows_while_it_takes_long_and_is_gone_behind_it(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    terminal = Terminal("kshark", "replay", "sess_1", "--file", "fifo", "--no-pager", cwd=tmp_path)
    with fifo.open("wb", buffering=0) as writer:
        writer.write(encode_events([make_tool_call(1), make_tool_call(2)]))
        terminal.wait_for_text("fifo: read 2 records")
        writer.write(encode_events([make_session_end(3)]))
    assert terminal.wait_for_end() == 0
    assert terminal.lines[0].startswith("sess_1")
    assert not any("read 2 records" in line for line in terminal.lines)


def test_ctrl_c_while_it_reads_ends_it_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    terminal = Terminal("kshark", "replay", "sess_1", "--file", "fifo", cwd=tmp_path)
    with fifo.open("wb", buffering=0) as writer:
        feed(writer, encode_events([make_tool_call(1)]), terminal.process.pid)
        terminal.process.sendintr()
        assert terminal.wait_for_end() == 130
    assert b"Traceback" not in terminal.raw
