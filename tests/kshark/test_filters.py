"""Which part of a session is shown, and how much of each value: filters, bounds, --max-chars."""

import re
from pathlib import Path

import orjson
import pytest

from kshark.cli import app
from kshark.view.unknown_choice import describe_unknown_choice, find_mistyped_types
from tests.recording import make_event, make_session_end, make_tool_call, write_capture_file
from tests.running import CompletedRun, run_in_process


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `run.ndjson`: a session from 14:00:00 to 14:00:09 UTC."""
    folder = tmp_path_factory.mktemp("choosing")
    write_capture_file(
        folder / "run.ndjson",
        make_event(0, "session_start", payload={"goal": "send mail"}),
        make_tool_call(1, "mail.send", input={"to": "ann", "text": "x" * 300}),
        make_tool_call(2, "mail.send", error="rate_limit: slow down"),
        make_event(3, "decision", payload={"action": "wait"}, context={"reasoning": "y" * 300, "confidence": 0.5}),
        make_event(4, "escalated", payload={"to": "ann"}, agent_id="helper"),
        make_event(5, "error", payload={"type": "crash", "message": "no disk"}),
        make_tool_call(6, "mail.find", output="z" * 300, agent_id="helper"),
        make_session_end(9, "failed"),
    )
    return folder


def replay(folder: Path, *arguments: str, session: str = "sess_1") -> CompletedRun:
    return run_in_process(app, "replay", session, "--file", "run.ndjson", *arguments, cwd=folder)


def shown(folder: Path, *arguments: str) -> list[int]:
    """Return the numbers of the events that are written as NDJSON."""
    done = replay(folder, *arguments)
    assert done.code == 0
    assert not done.err or re.fullmatch(r"(shown (from|to) |--(type|agent) )[^\n]+\n", done.error_text)
    return [int(orjson.loads(line)["event_id"].removeprefix("evt_")) for line in done.out.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        (["--type", "tool_call"], [1, 2, 6]),
        (["--type", "tool"], [1, 2, 6]),
        (["--type", "decision", "--type", "escalated"], [3, 4]),
        (["--type", "nosuch"], []),
        (["--agent", "helper"], [4, 6]),
        (["--agent", "helper", "--agent", "agent"], [0, 1, 2, 3, 4, 5, 6, 9]),
        (["--agent", "helper", "--type", "tool_call"], [6]),
        (["--errors"], [2, 5]),
        (["--errors", "--type", "tool_call"], [2]),
        (["--from", "2026-01-15T14:00:05Z"], [5, 6, 9]),
        (["--from", "2026-01-15T15:00:05+01:00"], [5, 6, 9]),
        (["--from", "2026-01-15 14:00:05"], [5, 6, 9]),
        (["--from", "1768485605"], [5, 6, 9]),
        (["--to", "2026-01-15T14:00:02.000Z"], [0, 1, 2]),
        (["--from", "2026-01-15T14:00:01Z", "--to", "2026-01-15T14:00:03Z"], [1, 2, 3]),
        (["--from", "@7"], [6, 9]),
        (["--from", "@2", "--to", "@3"], [1, 2]),
        (["--to", "@1"], [0]),
    ],
)
def test_filters_and_bounds_choose_among_the_events(folder: Path, arguments: list[str], numbers: list[int]) -> None:
    assert shown(folder, *arguments) == numbers


def test_a_local_time_is_one_of_the_users_own_zone(folder: Path) -> None:
    arguments = ("replay", "sess_1", "--file", "run.ndjson", "--from", "2026-01-15 15:00:05")
    done = run_in_process(app, *arguments, cwd=folder, variables={"TZ": "Europe/Berlin"})
    assert len(done.out.splitlines()) == 3


def test_with_ndjson_the_bounds_are_said_on_standard_error(folder: Path) -> None:
    done = replay(folder, "--from", "2026-01-15T15:00:05+01:00")
    assert done.error_text == "shown from 2026-01-15 14:00:05 UTC\n"


def test_the_header_and_the_footer_say_how_bounds_were_understood(folder: Path) -> None:
    done = replay(folder, "--from", "2026-01-15T15:00:05+01:00", "--to", "@8", "--format", "text")
    told = " ".join(done.text.split())
    assert "shown from 2026-01-15 14:00:05 UTC to " in told
    assert "8 lines; only from 2026-01-15 14:00:05 UTC to offset 8" in told


def test_bounds_that_hold_nothing_are_4_and_said_back(folder: Path) -> None:
    done = replay(folder, "--from", "2026-01-15T14:01Z")
    assert (done.code, done.out) == (4, b"")
    assert "Searched run.ndjson, from 2026-01-15 14:01:00 UTC: 8 lines." in done.error_text


@pytest.mark.parametrize("bounds", [("--from", "@"), ("--from", "@-1"), ("--to", "soon")])
def test_bounds_that_mean_nothing_are_2_and_shown_how_to_write(folder: Path, bounds: tuple[str, str]) -> None:
    done = replay(folder, *bounds)
    assert done.code == 2
    assert repr(bounds[1]) in done.error_text
    assert "2026-01-15" in done.error_text


def test_a_day_that_is_in_no_calendar_is_2_and_explained(folder: Path) -> None:
    done = replay(folder, "--from", "2026-13-01")
    assert (done.code, done.error_text) == (2, "kshark: '2026-13-01' is wrong: month must be in 1..12\n")


def test_a_filter_says_how_many_steps_it_chose_and_totals_stay_those_of_the_session(folder: Path) -> None:
    done = replay(folder, "--errors", "--format", "text")
    assert "chosen   2 of 8 steps" in done.lines
    assert "3 tool calls, 2 errors" in done.text


def test_a_filter_that_chooses_nothing_still_says_what_there_is(folder: Path) -> None:
    for shape in ("text", "tree", "markdown"):
        done = replay(folder, "--type", "nosuch", "--format", shape)
        assert done.code == 0
        assert "0 of 8 steps" in done.text


def test_a_filter_holds_in_every_format(folder: Path) -> None:
    for shape in ("text", "tree", "ndjson", "json", "markdown"):
        done = replay(folder, "--type", "escalated", "--format", shape)
        assert "escalated" in done.text
        assert "mail.find" not in done.text.replace("most", "").partition("slowest")[0] or shape == "json"
    steps = orjson.loads(replay(folder, "--type", "escalated", "--format", "json").out)["steps"]
    assert [step["index"] for step in steps] == [4]


def test_a_value_has_what_fits_on_its_line(folder: Path) -> None:
    lines = replay(folder, "--format", "text").lines
    assert next(line for line in lines if " to ann  text x" in line).endswith("xxx...")
    assert max(map(len, lines)) == 80


@pytest.mark.parametrize(("number", "rest"), [(20, 280), (299, 1)])
def test_max_chars_shows_so_much_of_each_value_and_says_what_is_left(folder: Path, number: int, rest: int) -> None:
    text = replay(folder, "--format", "text", "--max-chars", str(number)).text
    value = "".join(re.split(r"\n *\d+ +14:", text.partition("   out      ")[2])[0].split())
    assert value == f"{'z' * number}...{rest}morecharacters"


def test_max_chars_0_and_full_show_all_of_each_value(folder: Path) -> None:
    for option in (["--max-chars", "0"], ["--full"]):
        text = "".join(replay(folder, "--format", "text", *option).text.split())
        assert all(letter * 300 in text for letter in "xyz")


def test_max_chars_holds_in_markdown(folder: Path) -> None:
    assert f"`{'z' * 20}...`" in replay(folder, "--format", "markdown", "--max-chars", "20").text
    assert f"`{'z' * 300}`" in replay(folder, "--format", "markdown").text


def test_no_filter_cuts_what_json_and_ndjson_hold(folder: Path) -> None:
    for shape in ("json", "ndjson"):
        assert b"z" * 300 in replay(folder, "--format", shape, "--max-chars", "5").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--type", "toolcall"],
            "--type toolcall: there is none in session sess_1; it has session_start, tool_call, decision, escalated, "
            "error, session_end. Perhaps: tool_call",
        ),
        (["--agent", "helpr"], "--agent helpr: there is none in session sess_1; it has agent, helper. Perhaps: helper"),
        (["--type", "tool", "--agent", "zzz"], "--agent zzz: there is none in session sess_1; it has agent, helper"),
    ],
)
@pytest.mark.parametrize("format_name", ["text", "json", "ndjson", "tree", "markdown"])
def test_a_type_or_agent_that_is_not_there_names_those_that_are(
    folder: Path, arguments: list[str], said: str, format_name: str
) -> None:
    done = replay(folder, *arguments, "--format", format_name)
    assert (done.code, done.error_text) == (0, f"{said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--agent", "helpr"], "--agent helpr: there is none in run.ndjson; it has agent, helper. Perhaps: helper"),
        (
            ["--tool", "mail.sent", "--agent", "agent"],
            "--tool mail.sent: there is none in run.ndjson; it has mail.find, mail.send. Perhaps: mail.send, mail.find",
        ),
    ],
)
def test_sessions_without_such_an_agent_or_tool_names_those_that_are_there(
    folder: Path, arguments: list[str], said: str
) -> None:
    done = run_in_process(app, "sessions", "--file", "run.ndjson", *arguments, cwd=folder)
    assert (done.code, done.error_text) == (0, f"{said}\n")


def test_memory_of_an_agent_that_is_not_there_names_those_that_are(folder: Path) -> None:
    done = run_in_process(app, "memory", "sess_1", "--file", "run.ndjson", "--agent", "agnt", cwd=folder)
    assert (done.code, "it has: agent" in done.error_text, "Perhaps: agent" in done.error_text) == (4, True, True)


def test_a_long_list_of_names_is_cut() -> None:
    text = describe_unknown_choice("--tool", "x" * 300, "this topic", [f"tool_{n}_{'y' * 300}" for n in range(50)])
    assert text.endswith(" and 40 more")
    assert len(text) < 900


def test_a_type_that_is_nearly_one_of_agentlogs_own_is_said_and_another_is_not() -> None:
    assert list(find_mistyped_types(["tool", "tool_call", "escalated"])) == []
    [said] = find_mistyped_types(["toolcall"])
    assert said == "--type toolcall: none of agentlog's own types. Perhaps: tool_call"
