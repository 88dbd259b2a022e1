"""In a shell: exit codes, pipes, signals, encodings, and streams that fail."""

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import orjson
import pytest

from kshark.cli import app
from tests.recording import encode_events, make_event, make_session_end, make_tool_call, write_capture_file
from tests.running import Terminal, feed, make_command, make_environment, run, run_in_process


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return a capture file with a session of two events, one not in ASCII, and an unreadable line."""
    path = tmp_path / "run.ndjson"
    path.write_bytes(encode_events([make_tool_call(1, "café.日本"), make_session_end(2)]) + b"no json\n")
    return path


def shell(script: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script in bash with `kshark` as a command; `$codes` are the exit codes of a pipeline."""
    kshark = f'kshark() {{ {shlex.join(make_command("kshark"))} "$@"; }}\n'
    script = f"{kshark}{script}\necho codes ${{PIPESTATUS[@]}} >&2"
    env = make_environment(**variables)
    return subprocess.run(["bash", "-c", script], cwd=cwd, env=env, capture_output=True, check=False, timeout=60)


def test_success_is_0(small: Path) -> None:
    assert run("kshark", "replay", "sess_1", "--file", small).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay"], "name a SESSION, or take the newest"),
        (["nosuch"], "No such command 'nosuch'"),
        (["replay", "x", "--format", "xml"], "'text', 'tree', 'ndjson', 'json', 'markdown'"),
        (["replay", "x", "--file", "nosuch.ndjson"], "nosuch.ndjson: No such file"),
        (["replay", "x", "--file", "."], ".: Is a directory"),
        (["replay", "x", "--file", "f", "--cluster", "c"], "--file takes the place of --cluster"),
        (["replay", "x", "--from", "tomorrowish"], "'tomorrowish' is neither a time nor an offset"),
        (["replay", "x", "--from", "2026-01-15T14:00Z", "--to", "2026-01-15T13:00Z"], "lies before"),
        (["replay", "x", "--max-chars", "-1"], "-1 is not in the range"),
        (["replay", "x", "--cluster", "nosuch"], "there is no cluster 'nosuch'"),
        (["replay", "x", "--cluster", "h:1", "-X", "sasl.pasword=x"], "did you mean sasl.password?"),
        (["replay", "x", "--topic", "no topic"], "'no topic' can't be a topic"),
        (["replay", "x"], "no cluster is given"),
        (["replay", ""], "SESSION is empty"),
        (["export", "x", "", "-o", "-"], "SESSION is empty"),
        (["replay", "x", "--file", ""], "--file is empty"),
        (["replay", "x", "--file", "f", "--agent", "a", "--agent", ""], "--agent is empty"),
        (["sessions", "--from", ""], "--from is empty"),
        (["sessions", "--file", "f", "--min-cost", "nan"], "--min-cost takes a number"),
        (["replay", "x", "--file", "no\nsuch"], "kshark: no\\nsuch: No such file"),
        (["replay", "x", "--follow", "--file", "f"], "f: No such file"),
        (["demo"], "Where to?"),
        (["demo", "a.ndjson", "--cluster", "h:1"], "Where to?"),
        (["demo", "nosuch/a.ndjson"], "nosuch/a.ndjson: No such file"),
        (["demo", "a.ndjson", "--began", "@7"], "--began takes a time"),
        (["clusters"], "the settings name no cluster"),
    ],
)
def test_what_cannot_be_done_as_written_is_2_and_says_why(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run_in_process(app, *arguments, cwd=tmp_path, variables={"HOME": str(tmp_path)})
    assert (done.code, done.out) == (2, b"")
    assert said in done.error_text
    assert "Traceback" not in done.error_text


def test_no_such_session_is_4_and_says_what_was_searched_and_what_is_near(tmp_path: Path) -> None:
    others = ["sess_invoice_847", "sess_invoice_848", "sess_refund"]
    path = write_capture_file(
        tmp_path / "run.ndjson", *(make_event(n, session_id=name) for n, name in enumerate(others))
    )
    done = run_in_process(app, "replay", "sess_invoice_84", "--file", path)
    assert (done.code, done.out) == (4, b"")
    assert done.error_text.splitlines()[0] == f"kshark: no session sess_invoice_84. Searched {path}: 3 lines."
    assert done.error_text.splitlines()[1].startswith("Nearest: sess_invoice_847, sess_invoice_848")


def test_help_is_0_and_goes_to_standard_output() -> None:
    done = run("kshark", "replay", "--help")
    assert (done.code, done.err) == (0, b"")
    assert "--follow" in done.text


def test_a_pipe_gets_ndjson_and_standard_input_takes_it_back(story_file: Path) -> None:
    one = shell("kshark replay sess_invoice_847 --file story.ndjson", story_file.parent).stdout
    two = shell(
        "kshark replay sess_invoice_847 --file story.ndjson | kshark replay sess_invoice_847 --file -",
        story_file.parent,
    )
    assert two.stdout == one
    assert two.stderr.endswith(b"codes 0 0\n")
    assert len(one.splitlines()) == 888


def test_a_reader_who_has_seen_enough_ends_it_cleanly(story_file: Path) -> None:
    for shape in ("ndjson", "text", "json", "markdown", "tree"):
        script = f"kshark replay sess_invoice_847 --file story.ndjson --format {shape} 2>err | head -c 1"
        done = shell(script, story_file.parent)
        assert done.stderr == b"codes 0 0\n"
        assert len((story_file.parent / "err").read_bytes().splitlines()) == 1


def test_a_closed_standard_error_hides_no_output(small: Path) -> None:
    for elsewhere in ("2>&-", "2>/dev/full", "2> >(exec <&-)"):
        done = shell(f"kshark replay sess_1 --file run.ndjson --format text {elsewhere}", small.parent)
        assert b"succeeded" in done.stdout
        assert done.stderr == b"codes 0\n"


def test_a_full_disk_is_2_and_says_so(small: Path) -> None:
    for arguments in ("replay sess_1 --file run.ndjson", "replay sess_1 --file run.ndjson --format text", "demo -"):
        done = shell(f"kshark {arguments} >/dev/full", small.parent)
        assert b"kshark: standard output can't be written: No space left on device\ncodes 2\n" in done.stderr


def test_closed_standard_streams_are_no_bug(small: Path) -> None:
    done = shell("kshark replay sess_1 --file run.ndjson >&- <&-; kshark replay sess_1 --file - <&-", small.parent)
    assert b"bug" not in done.stderr
    assert b"Searched standard input: 0 lines" in done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C.UTF-8"},
    ],
)
def test_what_the_encoding_cannot_hold_is_escaped(small: Path, variables: dict[str, str]) -> None:
    for shape in ("text", "tree", "markdown"):
        arguments = ("replay", "sess_1", "--file", small, "--format", shape)
        done = run("kshark", *arguments, variables={"LANG": "C", **variables})
        assert (done.code, len(done.error_text.splitlines())) == (0, 1)
        assert "café.日本" in done.text or "caf\\xe9.\\u65e5\\u672c" in done.text


def test_a_session_id_that_is_no_text_is_only_not_found(small: Path) -> None:
    done = shell(r"kshark replay $'\xff' --file run.ndjson", small.parent)
    assert b"no session \\udcff" in done.stderr
    assert done.stderr.endswith(b"codes 4\n")


def test_colour_comes_only_where_it_is_wanted(small: Path) -> None:
    arguments = ("replay", "sess_1", "--file", small, "--format", "text")
    assert b"\x1b" not in run_in_process(app, *arguments).out
    assert b"\x1b[36mtool\x1b[0m" in run_in_process(app, *arguments, variables={"FORCE_COLOR": "1"}).out
    assert b"\x1b" not in run_in_process(app, *arguments, variables={"FORCE_COLOR": "1", "NO_COLOR": "1"}).out


def test_colour_never_gets_into_what_a_program_reads(small: Path) -> None:
    for shape in ("ndjson", "json", "markdown"):
        arguments = ("replay", "sess_1", "--file", small, "--format", shape)
        assert b"\x1b" not in run_in_process(app, *arguments, variables={"FORCE_COLOR": "1"}).out


def test_columns_says_how_wide_the_text_is(small: Path) -> None:
    for columns in ("40", "120"):
        arguments = ("replay", "sess_1", "--file", small, "--format", "text")
        assert len(run_in_process(app, *arguments, variables={"COLUMNS": columns}).lines[0]) <= int(columns)


@pytest.mark.parametrize("arguments", [("why", "sess_invoice_847"), ("memory", "sess_crashed"), ("sessions",)])
def test_a_pipe_gets_the_text_that_a_terminal_of_100_columns_shows(
    story_file: Path, arguments: tuple[str, ...]
) -> None:
    command = (*arguments, "--file", "story.ndjson")
    piped = run("kshark", *command, cwd=story_file.parent)
    terminal = Terminal("kshark", *command, "--no-pager", columns=100, cwd=story_file.parent)
    assert terminal.wait_for_end() == piped.code == 0
    assert piped.lines == [line for line in terminal.lines if not line.startswith("unreadable: ")]
    assert b"\x1b" in terminal.raw
    assert b"\x1b" not in piped.out


def test_colour_in_a_pipe_is_asked_for_by_an_option_too(small: Path) -> None:
    arguments = ("why", "sess_1", "--file", small, "--color")
    assert b"\x1b[" in run_in_process(app, *arguments, "always", variables={"NO_COLOR": "1"}).out
    assert b"\x1b" not in run_in_process(app, *arguments, "never", variables={"FORCE_COLOR": "1"}).out
    assert run_in_process(app, *arguments, "sometimes").code == 2


@pytest.mark.parametrize("command", ["why sess_invoice_847", "memory sess_invoice_847 --full", "sessions --limit 0"])
def test_a_reader_who_has_seen_enough_of_an_answer_ends_it_cleanly(story_file: Path, command: str) -> None:
    done = shell(f"kshark {command} --file story.ndjson 2>err | head -n 1", story_file.parent)
    assert done.stderr == b"codes 0 0\n"
    assert len((story_file.parent / "err").read_bytes().splitlines()) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_exit_code_and_no_traceback(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    running = subprocess.Popen(
        make_command("kshark", "replay", "sess_1", "--file", fifo), env=make_environment(), stderr=subprocess.PIPE
    )
    with fifo.open("wb", buffering=0) as writer:  # opens as soon as the other side reads
        feed(writer, encode_events([make_tool_call(1)]), running.pid)
        running.send_signal(number)
        _, told = running.communicate(timeout=30)
    assert (running.returncode, told) == (code, b"")


def test_the_name_of_the_tool_stands_before_its_messages(tmp_path: Path) -> None:
    assert run("kshark", "replay", "x", "--file", tmp_path / "nosuch").error_text.startswith("kshark: ")


def test_what_cannot_be_read_is_named_in_every_format(small: Path) -> None:
    for shape in ("text", "tree", "ndjson", "json", "markdown"):
        done = run_in_process(app, "replay", "sess_1", "--file", small, "--format", shape)
        assert re.fullmatch(rf"unreadable: {re.escape(str(small))}:3: not JSON: .*\n", done.error_text)


def test_many_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    path.write_bytes(encode_events([make_session_end(1)]) + b"no json\n" * 250)
    done = run_in_process(app, "replay", "sess_1", "--file", path, "--format", "json")
    assert done.error_text == f"unreadable: {path}:2, the first of 250: not JSON: a line of other text\n"
    assert len(orjson.loads(done.out)["searched"]["unreadable"]) == 250
