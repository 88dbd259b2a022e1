"""`kshark sessions` of a capture file, and the list to choose from: goals, words, whole ids."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unicodedata import normalize

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agentlog.session.summary import GOAL_CHARACTERS
from kshark.catalogue.query import ORDERS
from kshark.catalogue.text import fold_case, has_words
from kshark.cli import app
from tests.kshark.test_hostile import EVIL, STEERING
from tests.recording import Event, make_event, make_session_end, make_tool_call, write_capture_file
from tests.running import CompletedRun, Terminal, run_in_process

LONG = "sess_of_the_team_that_gives_long_names_to_its_sessions_{:04}"


def session(name: str, goal: Any, number: int = 0) -> list[Event]:
    """Return the events of a session with a goal."""
    start = make_event(number, "session_start", payload={"goal": goal})
    events = [start, make_tool_call(number + 1), make_session_end(number + 2)]
    return [{**each, "session_id": name, "event_id": f"{name}{each['event_id']}"} for each in events]


def listed(file: Path, *options: str, columns: int = 80) -> CompletedRun:
    done = run_in_process(app, "sessions", "--file", file, *options, variables={"COLUMNS": str(columns)})
    assert done.code == 0, done.error_text
    return done


def rows(file: Path, *options: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in listed(file, "--format", "ndjson", *options).out.splitlines()]


def found(file: Path, words: str, *options: str) -> set[str]:
    """Return the sessions whose goal has these words."""
    return {row["session_id"] for row in rows(file, "--text", words, *options)}


@pytest.fixture
def goals(tmp_path: Path) -> Path:
    """Return a capture file with a session for each of several goals."""
    texts = {
        "acme": "Invoice ACME Corp for milestone 2",
        "street": "Send it to Straße 7, Ägypten",
        "apart": normalize("NFD", "Ägypten: der Café-Bericht"),
        "turkish": "Fatura: İstanbul şubesi",
        "signs": "100% of a_b, and C:\\temp",
        "lines": "first line\n\tsecond line\r\n\n third",
        "zero": "before\x00beyond zero",
        "none": None,
        "number": 7,
        "long": "begin " + "x" * GOAL_CHARACTERS + " beyond",
    }
    return write_capture_file(
        tmp_path / "run.ndjson",
        *(each for n, (name, goal) in enumerate(texts.items()) for each in session(name, goal, n)),
    )


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("acme", {"acme"}),
        ("milestone Acme", {"acme"}),
        ("milestone nobody", set()),
        ("voice", {"acme"}),
        ("STRASSE", {"street"}),
        ("ägypten", {"street", "apart"}),
        (normalize("NFD", "ägypten"), {"street", "apart"}),
        ("CAFÉ", {"apart"}),
        ("istanbul ŞUBESİ", {"turkish"}),
        ("%", {"signs"}),
        ("100%", {"signs"}),
        ("a_b", {"signs"}),
        ("a.b", set()),
        ("c:\\TEMP", {"signs"}),
        ("'; DROP TABLE sessions --", set()),
        ("second third", {"lines"}),
        ("7", {"street"}),
        ("\udcff", set()),
        ("begin", {"long"}),
        ("beyond", {"zero"}),
        ("before\x00be", {"zero"}),
        (" ".join(["line"] * 5000), {"lines"}),
    ],
)
def test_words_choose_the_sessions_whose_goal_has_them_all(goals: Path, words: str, names: set[str]) -> None:
    assert found(goals, words) == names


def test_words_go_together_with_other_filters_and_the_totals_are_of_what_they_chose(goals: Path) -> None:
    assert found(goals, "ägypten", "--to", "2026-01-15T14:00:01Z") == {"street"}
    assert found(goals, "ägypten", "--status", "failed") == set()
    document = orjson.loads(listed(goals, "--text", "ägypten", "--format", "json", "--limit", "1").out)
    assert (len(document["sessions"]), document["totals"]["sessions"], document["totals"]["events"]) == (1, 2, 6)


@pytest.mark.parametrize("words", ["", " ", "\u00a0"])
def test_no_words_are_2(goals: Path, words: str) -> None:
    done = run_in_process(app, "sessions", "--file", goals, "--text", words)
    assert (done.code, done.out) == (2, b"")
    assert "--text is empty" in done.error_text


@given(st.text(), st.text())
def test_a_text_has_each_of_its_own_words(before: str, text: str) -> None:
    assert has_words(f"{before} {text}", fold_case(text))


def test_an_agents_name_that_is_no_text_chooses_nothing(goals: Path) -> None:
    assert rows(goals, "--agent", "\udcff", "--tool", "\udcff") == []


def test_a_row_holds_the_goal_as_far_as_a_catalogue_keeps_it(goals: Path) -> None:
    told = {row["session_id"]: row["goal"] for row in rows(goals)}
    assert told["lines"] == "first line\n\tsecond line\r\n\n third"
    assert (told["none"], told["number"]) == ("", "")
    assert told["long"] == "begin " + "x" * (GOAL_CHARACTERS - 6)


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(60, None), (80, None), (92, "Invoice ACME Corp fo"), (160, "Invoice ACME Corp for milestone 2")],
)
def test_the_goal_stands_where_there_is_room(goals: Path, columns: int, shown: str | None) -> None:
    head, *lines = listed(goals, columns=columns).lines
    assert ("goal" in head) is (shown is not None)
    assert any(shown in line for line in lines) if shown else not any("Invoice" in line for line in lines)


def test_a_goal_of_several_lines_stands_in_one(goals: Path) -> None:
    (line,) = [line for line in listed(goals, columns=200).lines if line.startswith("lines ")]
    assert line.endswith("  first line second line third")


def test_where_no_session_says_its_goal_there_is_no_column_for_it(tmp_path: Path) -> None:
    file = write_capture_file(tmp_path / "run.ndjson", make_tool_call(1))
    assert "goal" not in listed(file, columns=250).lines[0]


@pytest.mark.parametrize("columns", [40, 59, 80, 100, 160])
def test_ids_that_must_be_cut_keep_their_end(tmp_path: Path, columns: int) -> None:
    events = [each for n in range(3) for each in session(LONG.format(n), "go", n)]
    lines = listed(write_capture_file(tmp_path / "run.ndjson", *events), columns=columns).lines
    assert max(map(len, lines)) <= columns
    for number in range(3):
        assert any(re.match(rf"sess_of_\S*_{number:04} ", line) for line in lines)


@pytest.mark.parametrize("columns", [40, 80, 120, 250])
def test_a_hostile_goal_and_a_hostile_id_stay_in_their_line(tmp_path: Path, columns: int) -> None:
    file = write_capture_file(tmp_path / "run.ndjson", *session(EVIL, EVIL), *session("日本" * 30, "日本語" * 50, 5))
    done = listed(file, columns=columns)
    assert max(map(cell_len, done.lines)) <= columns
    assert STEERING.search(done.text.replace("\n", "")) is None


def test_of_goals_that_differ_the_first_counts_as_in_a_replay(tmp_path: Path) -> None:
    events = [
        make_event(1, "session_start", payload={"goal": "the first"}),
        make_event(2, "session_start", payload={"goal": "another"}, agent_id="helper"),
        make_event(3, "session_start", payload={"goal": "the later"}, context={"parent_event_id": "evt_1"}),
        make_session_end(9),
    ]
    file = write_capture_file(tmp_path / "run.ndjson", *events)
    replayed = orjson.loads(run_in_process(app, "replay", "sess_1", "--file", file, "--format", "json").out)
    assert rows(file)[0]["goal"] == replayed["goal"] == "the first"


@pytest.fixture
def offered(tmp_path: Path) -> Path:
    """Return a folder with `run.ndjson`: three sessions with long names, the newest first."""
    events = [each for n in range(3) for each in session(LONG.format(n), "Invoice Acme Corp", 10 - n)]
    write_capture_file(tmp_path / "run.ndjson", *events)
    return tmp_path


def picking(folder: Path, columns: int) -> Terminal:
    terminal = Terminal("kshark", "replay", "--file", "run.ndjson", columns=columns, cwd=folder)
    terminal.wait_for_text("Which one? [1]:")
    return terminal


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_an_id_that_is_offered_is_whole_and_stands_between_blanks(offered: Path, columns: int) -> None:
    terminal = picking(offered, columns)
    shown = terminal.raw.decode()
    for number in range(3):
        assert re.search(rf"\n{number + 1}  \x1b\[1m{LONG.format(number)}\x1b\[0m(  |\r\n)", shown)
    terminal.process.sendline("")
    assert terminal.wait_for_end() == 0
    assert LONG.format(0) in "".join(terminal.lines)


@pytest.mark.parametrize("pasted", ["2", " 2 ", LONG.format(1), f" 2  {LONG.format(1)}  succeeded  2026-01-15 14:00"])
def test_a_number_an_id_or_a_row_can_be_pasted(offered: Path, pasted: str) -> None:
    terminal = picking(offered, 100)
    terminal.process.sendline(pasted)
    assert terminal.wait_for_end() == 0
    assert any(line.startswith(LONG.format(1)) for line in terminal.lines)


def test_what_is_none_of_them_is_asked_again(offered: Path) -> None:
    terminal = picking(offered, 160)
    for wrong in ("4", "0", "sess_2", "²"):
        terminal.process.sendline(wrong)
        terminal.wait_for_text(f"Error: {wrong} is not in the list: type a number from 1 to 3, or an id")
    terminal.process.sendline("3")
    assert terminal.wait_for_end() == 0
    assert any(line.startswith(LONG.format(2)) for line in terminal.lines)


@pytest.mark.parametrize("order", ORDERS)
def test_a_limit_shows_the_first_of_all_rows_whatever_they_are_sorted_by(tmp_path: Path, order: str) -> None:
    calls = [
        make_event(
            n, "llm_call", session_id=f"s{n * n % 7}", payload={"latency_ms": n, "cost_usd": n % 4, "output_tokens": n}
        )
        for n in range(40)
    ]
    file = write_capture_file(tmp_path / "run.ndjson", *calls)
    assert rows(file, "--sort", order, "--limit", "3") == rows(file, "--sort", order)[:3]


def test_totals_of_no_session_are_none_of_each_status(tmp_path: Path) -> None:
    file = write_capture_file(tmp_path / "run.ndjson", make_tool_call(1))
    totals = orjson.loads(listed(file, "--tool", "other", "--format", "json").out)["totals"]
    assert [totals[name] for name in ("sessions", "succeeded", "failed", "running")] == [0, 0, 0, 0]


@pytest.mark.parametrize("module", ["session.accumulator", "session.timeline", "text.step_text", "log.capture_file"])
def test_a_list_of_known_sessions_loads_nothing_that_reads_new_ones(module: str) -> None:
    code = f"import sys, kshark.sessions.command; sys.exit('agentlog.{module}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
