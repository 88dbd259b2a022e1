"""The text for a terminal: its content, its width, and that it never controls the terminal."""

import base64
import json
import os
import re
from collections.abc import Callable, Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from agentlog.terminal.style import paint_plain
from kshark.replay.json_document import render_json
from kshark.replay.markdown import render_markdown
from kshark.replay.tree import render_tree
from kshark.view.layout import Layout
from kshark.view.timeline_text import format_timeline
from tests.recording import encode_events, make_call_started, make_event, make_session_end, make_tool_call
from tests.running import run

DATA = Path(__file__).parent.parent / "data"
SHAPES = {"text": format_timeline, "tree": render_tree}
STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
NASTY = st.text(st.sampled_from("ab :`|[]日é\u0301👩\u200d🚀\x1b\n\r\t\x9b\u202e\u2066\u200b\u2028\\\"'<"), max_size=60)

Loaded = Any  # of conftest.py
Load = Callable[..., Loaded]


def written(found: Loaded, columns: int = 80, shape: str = "text", *, full: bool = False) -> list[str]:
    look = Layout(columns, paint_plain, found.timeline.began, len(found.timeline.steps), full)
    return list(SHAPES[shape](found.timeline, found.timeline.steps, found.covered, look))


def line_with(lines: list[str], part: str) -> str:
    """Return the only line that contains ``part``."""
    (found,) = [line for line in lines if part in line]
    return found


def footer(lines: list[str]) -> dict[str, str]:
    """Return the footer's entries by their names, each on one line."""
    start = len(lines) - lines[::-1].index("")
    found: dict[str, str] = {}
    for line in lines[start:]:
        name = line[:9].strip() or list(found)[-1]
        found[name] = f"{found.get(name, '')} {line[9:]}".strip()
    return found


@pytest.mark.parametrize("columns", [40, 80, 160])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_line_is_wider_than_the_terminal(sessions: dict[str, Loaded], columns: int, shape: str) -> None:
    for found in sessions.values():
        lines = written(found, columns, shape)
        assert [line for line in lines if cell_len(line) > columns] == []


@pytest.mark.parametrize("columns", [40, 80])
def test_no_line_of_full_output_is_wider_than_the_terminal(sessions: dict[str, Loaded], columns: int) -> None:
    for name in ("sess_trip_planner", "sess_hostile", "sess_large", "sess_late_claim"):
        assert [line for line in written(sessions[name], columns, full=True) if cell_len(line) > columns] == []


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(10**15, 10**400)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | NASTY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NASTY | st.just("$ref"), inner, max_size=3),
    max_leaves=5,
)
NAMES = "tool model input output error goal query documents text latency_ms input_tokens output_tokens cost_usd status "
NAMES += (
    "result task to_agent_id from_agent_id key value type message action alternatives call_id call_type cached_tokens"
)
TYPES = "session_start session_end user_message llm_call tool_call retrieval decision delegation delegation_result "
TYPES += "memory_write error call_started"
ANYTHING = st.lists(
    st.tuples(
        st.sampled_from(TYPES.split()),
        st.dictionaries(st.sampled_from(NAMES.split()), VALUES, max_size=4),
        st.dictionaries(st.sampled_from(["reasoning", "model", "confidence", "parent_event_id", "x"]), VALUES),
        st.datetimes(),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=200)
@given(ANYTHING, st.booleans())
def test_no_value_of_an_event_makes_any_format_fail(load: Load, events: list[Any], full: bool) -> None:
    made = b"".join(
        json.dumps(make_event(n, kind, payload=payload, context=context, timestamp=f"{at.isoformat()}Z")).encode()
        + b"\n"
        for n, (kind, payload, context, at) in enumerate(events)
    )
    found = load("sess_1", content=made)
    if not found.timeline.steps:
        return
    look = Layout(80, paint_plain, found.timeline.began, is_full=full)
    for shape in SHAPES:
        assert all(cell_len(line) <= 80 for line in written(found, 80, shape, full=full))
    assert list(render_markdown(found.timeline, found.timeline.steps, found.covered, look))
    shown = json.loads(render_json(found.timeline, found.timeline.steps, found.covered, found.unreadable))
    assert len(shown["steps"]) + len(shown["searched"]["unreadable"]) <= len(events)


def test_numbers_that_nobody_can_mean_break_no_format(load: Load) -> None:
    usage = {"model": "m", "input_tokens": 1e300, "output_tokens": 10**18, "cost_usd": 1e308, "latency_ms": 1e200}
    found = load("sess_1", content=encode_events([make_event(n, "llm_call", payload=usage) for n in range(3)]))
    assert "3 llm calls, tokens unknown, cost unknown" in " ".join(written(found))
    shown = json.loads(render_json(found.timeline, found.timeline.steps, found.covered, found.unreadable))
    assert shown["totals"]["input_tokens"] is None


def test_a_session_of_days_keeps_its_columns(load: Load) -> None:
    stamps = ["01-15T14:00:00", "01-15T16:50:00", "01-19T14:00:00.25", "02-15T14:00:00"]
    found = load(
        "sess_1", content=encode_events(make_event(n, "note", timestamp=f"2026-{at}Z") for n, at in enumerate(stamps))
    )
    times = [line[15:25] for line in written(found) if line.endswith("note")]
    assert times == ["     0.0 s", "  10,200 s", " 345,600 s", "  31 d 0 h"]


def test_an_error_that_is_false_is_none(load: Load) -> None:
    lines = written(
        load("sess_1", content=encode_events([make_tool_call(1, error=False), make_tool_call(2, error=0)])), full=True
    )
    assert not any("error" in line for line in lines)


def test_how_a_call_ended_stands_behind_it_unless_it_is_whole(load: Load) -> None:
    reasons = ("length", "waiting_for_approval", "stop", "tool_calls", "a\nb", 7, None, "x" * 50)
    payloads = [{"model": f"model-{n}", "finish_reason": reason} for n, reason in enumerate(reasons)]
    events = [make_event(n, "llm_call", payload=payload) for n, payload in enumerate(payloads)]
    found = load("sess_1", content=encode_events(events))
    told = re.findall(r" llm +model-\d *(.*)", "\n".join(written(found, 160)))
    assert told == ["[length]", "[waiting for approval]", "", "", "", "", "", f"[{'x' * 40}]"]


def test_full_shows_what_the_context_holds_too(load: Load) -> None:
    found = load(
        "sess_1",
        content=encode_events([make_tool_call(1, context={"trace_id": "abc", "reasoning": "so", "model": "m"})]),
    )
    assert line_with(written(found, full=True), "trace_id").endswith("trace_id  abc")


PAYLOADS = st.dictionaries(
    st.sampled_from(["tool", "model", "input", "output", "error", "goal", "query", "text", "finish_reason"]), NASTY
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["tool_call", "session_start", "decision", "delegation", "session_end"]) | NASTY,
        NASTY,
        PAYLOADS,
        NASTY,
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150)
@given(EVENTS, st.integers(40, 100), st.sampled_from([*SHAPES]), st.booleans())
def test_whatever_an_event_holds_no_line_is_too_wide_and_nothing_steers_the_terminal(
    load: Load, events: list[tuple[str, str, dict[str, str], str]], columns: int, shape: str, full: bool
) -> None:
    made = [
        make_event(
            n,
            kind or "x",
            agent_id=agent or "a",
            payload=payload,
            context={"reasoning": why, "model": agent, "confidence": 0.5},
        )
        for n, (kind, agent, payload, why) in enumerate(events)
    ]
    for line in written(load("sess_1", content=encode_events(made)), columns, shape, full=full):
        assert cell_len(line) <= columns
        assert STEERING.search(line) is None


def test_the_header_says_how_it_ended_what_it_did_and_what_it_cost(sessions: dict[str, Loaded]) -> None:
    lines = written(sessions["sess_invoice_847"])
    assert lines[0] == "sess_invoice_847  Invoice Acme Corp for milestone 2        failed after 10 m 5 s"
    assert " ".join(lines[1:3]) == (
        "invoice-generator-v2 and 1 other agent   847 tool calls, 164 errors   1 search "
        "12 llm calls, 182,400 tokens, $4.31   888 events"
    )
    assert lines[3] == "began 2026-01-15 14:23:09 UTC"


def test_where_the_goal_has_no_room_the_outcome_goes_to_the_next_line(sessions: dict[str, Loaded]) -> None:
    assert written(sessions["sess_invoice_847"], 40)[:2] == [
        "sess_invoice_847  Invoice Acme Corp f...",
        "failed after 10 m 5 s",
    ]


def test_colours_change_no_line_break(sessions: dict[str, Loaded]) -> None:
    found = sessions["sess_trip_planner"].timeline, sessions["sess_trip_planner"].timeline.steps
    covered, began = sessions["sess_trip_planner"].covered, sessions["sess_trip_planner"].timeline.began
    look = Layout(80, lambda said, style: f"\x1b[{style.value}m{said}\x1b[0m", began, len(found[1]))
    marked = format_timeline(*found, covered, look)
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in marked] == written(sessions["sess_trip_planner"])


def test_like_calls_in_a_row_are_one_line(sessions: dict[str, Loaded]) -> None:
    lines = written(sessions["sess_invoice_847"], 160)
    assert line_with(lines, "x162").endswith(
        "x162       stripe.create_invoice  steps 14 to 175: all rate_limit, every 0.55 s, for 1 m 29 s, one input"
    )
    assert line_with(lines, "x163").endswith("all done, every 0.12 s, for 19.7 s, 163 inputs, one answer")


def test_like_calls_between_which_others_are_filtered_out_say_among_which_steps_they_are(load: Load) -> None:
    events = [event for n in range(5) for event in (make_tool_call(2 * n), make_tool_call(2 * n + 1, "disk.read"))]
    found = load("sess_1", content=encode_events(events))
    chosen = [step for step in found.timeline.steps if step.label == "mail.send"]
    lines = list(
        format_timeline(found.timeline, chosen, found.covered, Layout(120, paint_plain, found.timeline.began, 10))
    )
    assert "mail.send  among steps 3 to 9: all done, " in line_with(lines, "x4")


def test_a_fold_says_how_many_answers_it_holds_and_names_the_one_that_is_unlike_the_others(load: Load) -> None:
    answers = ["clicked 1", "clicked 2", "clicked 3", "clicked 3", "nothing there to click"]
    events = [make_tool_call(n, output=answer) for n, answer in enumerate(answers)]
    lines = written(load("sess_1", content=encode_events(events)), 200)
    assert "one input, 3 answers, one unlike the others: nothing there to click" in line_with(lines, "x4")


def test_a_fold_of_calls_whose_answers_failed_says_how(load: Load) -> None:
    events = [make_tool_call(n, output=[{"type": "text", "text": "Error: no seats"}]) for n in range(5)]
    lines = written(load("sess_1", content=encode_events(events)), 160)
    assert "all Error: no seats, " in line_with(lines, "x4")
    assert "error    Error: no seats" in "\n".join(lines)


@pytest.mark.parametrize("render", [format_timeline, render_markdown])
@pytest.mark.parametrize(
    ("output", "keys"),
    [
        ("rm: cannot remove 'x': Permission denied", ["error"]),
        ("\x1b[31mError: no disk\x1b[0m", ["error"]),
        ({"ok": False, "error": "no disk"}, ["out", "error"]),
        ("fine", ["out"]),
    ],
)
def test_a_failed_step_shows_without_colour_also_where_its_answer_is_the_error(
    load: Load, render: Callable[..., Iterable[str]], output: object, keys: list[str]
) -> None:
    found = load("sess_1", content=encode_events([make_tool_call(1, "sh", output=output)]))
    rendered = render(found.timeline, found.timeline.steps, found.covered, Layout(80, paint_plain, 0))
    lines = [line.strip(" -").replace(":", " ") for line in rendered]
    shown = [key for line in lines for key in ("out", "error") if line.startswith(f"{key} ")]
    assert shown == keys
    [step] = json.loads(render_json(found.timeline, found.timeline.steps, found.covered, []))["steps"]
    assert (step["failed"], step["error"] is not None) == ("error" in keys, "error" in keys)


def test_calls_with_different_errors_are_not_folded(load: Load) -> None:
    errors = ["old_str is required", "disk full", "old_str is required", "it is read-only", "disk full"]
    events = [make_tool_call(n, output=f"ERROR:\n{error}") for n, error in enumerate(errors)]
    text = "\n".join(written(load("sess_1", content=encode_events(events)), 160))
    assert "all " not in text
    assert text.count("error    ERROR: disk full") == 2
    events = [make_tool_call(n, output=f"ERROR:\nline {n} is too long") for n in range(5)]
    assert "all ERROR: line 1 is too long, " in "\n".join(written(load("sess_1", content=encode_events(events)), 160))


def test_an_error_that_repeats_the_output_is_shown_by_its_telling_line(load: Load) -> None:
    output = "Reading package lists... Done\nBuilding dependency tree... Done\nE: Unable to locate package x"
    events = [make_tool_call(0, output=output, error=output), make_tool_call(1, output="x", error="a\nb")]
    text = "\n".join(written(load("sess_1", content=encode_events(events)), 160))
    assert "error    E: Unable to locate package x" in text
    assert "error    a\n" in text


def test_full_shows_every_step_on_its_own_and_cuts_nothing(sessions: dict[str, Loaded]) -> None:
    lines = written(sessions["sess_invoice_847"], full=True)
    steps = [
        line for line in lines if re.match(r" *\d+  \d\d:\d\d:\d\d\.\d{3} .* tool       stripe.create_invoice", line)
    ]
    assert len(steps) == 164
    assert not any(line.endswith("...") for line in lines)
    assert "retry stripe.create_invoice at once until it goes through" in " ".join(" ".join(lines).split())


def test_a_reason_stands_with_its_model_and_confidence_however_much_of_it_is_cut(load: Load) -> None:
    context = {"reasoning": "because " * 200, "model": "gpt-4o", "confidence": 0.94}
    lines = written(
        load("sess_1", content=encode_events([make_event(1, "decision", payload={"action": "go"}, context=context)]))
    )
    because = next(n for n, line in enumerate(lines) if "because  because" in line)
    told = " ".join(line.strip() for line in lines[because : lines.index("", because)])
    assert re.search(r"\.\.\. 1,3\d\d more characters \(gpt-4o, confidence 0\.94\)$", told)


def test_a_reason_that_goes_on_from_step_to_step_stands_once(load: Load) -> None:
    reasons = ["look it up", "look it up", "", "look it up", "ask Ann"]
    found = load(
        "sess_1", content=encode_events(make_event(n, "note", context={"reasoning": r}) for n, r in enumerate(reasons))
    )
    told = [line.split("because")[1].strip() for line in written(found) if "because" in line]
    assert told == ["look it up", "look it up", "ask Ann"]
    assert sum("because" in line for line in written(found, full=True)) == 4


def test_like_calls_in_a_row_say_how_many_reasons_they_had(load: Load) -> None:
    calls = [make_tool_call(n, input=n, context={"reasoning": f"page {n} of 4"}) for n in range(4)]
    assert line_with(written(load("sess_1", content=encode_events(calls)), 160), "x3").endswith("3 inputs, 3 reasons")


def test_sub_agents_stand_indented_under_their_delegation_with_its_result(sessions: dict[str, Loaded]) -> None:
    lines = written(sessions["sess_trip_planner"], 160)
    assert "s  delegate   research-agent: when is the blossom" in line_with(lines, "when is the blossom")
    assert "s  | delegate   fares-agent: the cheapest return" in line_with(lines, "the cheapest return")
    assert "s  | | delegate   currency-agent: 281,900 yen" in line_with(lines, "281,900 yen")
    assert "s  | | | tool       rates.get" in line_with(lines, "rates.get")
    assert "                            | | |   in       base JPY  quote EUR" in lines
    assert "s  | | result     currency-agent: 1711.98" in line_with(lines, "1711.98")
    assert "s  | result     fares-agent: offer off_7714" in line_with(lines, "result     fares-agent")
    assert "s  result     research-agent: dates" in line_with(lines, "result     research-agent")


def test_a_delegation_without_a_task_or_a_result_names_the_agent_alone(load: Load) -> None:
    handed_over = make_event(0, "delegation", payload={"to_agent_id": "mail-agent", "task": None})
    back = make_event(1, "delegation_result", payload={"from_agent_id": "mail-agent", "result": None})
    lines = written(load("sess_1", content=encode_events([handed_over, back])))
    assert line_with(lines, "delegate").endswith("delegate   mail-agent")
    assert line_with(lines, "result").endswith("result     mail-agent")


def test_what_is_open_and_what_never_ended_is_said(sessions: dict[str, Loaded]) -> None:
    lines = written(sessions["sess_crashed"])
    assert lines[0].endswith("  not ended, 19.4 s so far")
    assert line_with(lines, "[still open]").endswith("tool       ledger.export  [still open]")
    assert footer(lines)["open"] == "ledger.export"
    assert footer(lines)["end"] == "there is no session_end: it is still running, or it died"


def test_what_came_late_and_twice_is_marked_and_counted(sessions: dict[str, Loaded]) -> None:
    lines = written(sessions["sess_late_claim"], 160)
    assert sum("late]" in line for line in lines) >= 3
    assert "[arrived 1 m 12 s late]" in line_with(lines, "courier.scan  0.34 s")
    assert "6 duplicates, 6 late" in footer(lines)["read"]


def test_a_step_that_moved_says_what_its_clock_says(sessions: dict[str, Loaded]) -> None:
    assert "[its clock says 14:04:02]" in line_with(written(sessions["sess_clock_skew"], 160), "returns.weigh  0.13 s")


@pytest.mark.parametrize(("clock", "said"), [("14:00:01.250", "14:00:01.250"), ("14:00:00.250", "14:00:00")])
def test_a_step_that_moved_by_less_than_a_second_says_it_to_the_millisecond(load: Load, clock: str, said: str) -> None:
    parent = make_event(1, "decision", timestamp="2026-01-15T14:00:01.500Z", payload={"action": "ask"})
    child = make_event(2, "agent_message", context={"parent_event_id": "evt_1"}, payload={"text": "x"})
    found = load("sess_1", content=encode_events([child | {"timestamp": f"2026-01-15T{clock}Z"}, parent]))
    assert f"[its clock says {said}]" in line_with(written(found, 160), "  x")


@pytest.mark.parametrize("kind", ["user_message", "agent_message"])
def test_a_picture_beside_a_message_is_shown_as_a_mark(load: Load, kind: str) -> None:
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20).decode()
    event = make_event(1, kind, payload={"text": "right?", "image": url, "lang": "en", "id": "9" * 80})
    text = "\n".join(written(load("sess_1", content=encode_events([event])), 160))
    assert re.search(r"image +\[image/png, [^]]+\]", text)
    assert "lang" not in text
    assert "99" not in text


def test_a_value_kept_elsewhere_shows_its_beginning_its_size_and_its_place(sessions: dict[str, Loaded]) -> None:
    told = " ".join(" ".join(written(sessions["sess_large"], 160, full=True)).split())
    assert re.search(r"in +document .{10,400} \[[\d]+ bytes in s3://northwind-agent-payloads/\S+\]", told)
    assert "$ref" not in told


def test_the_footer_says_where_time_and_money_went_and_how_far_to_trust_it(sessions: dict[str, Loaded]) -> None:
    told = footer(written(sessions["sess_invoice_847"]))
    assert told["slowest"].startswith("claude-opus-4-1 1 m 2 s at 476.8 s, ")
    assert told["cost"] == "claude-opus-4-1 $4.29, claude-sonnet-4-5 $0.0197, claude-haiku-4-5 $0.0026"
    assert "stripe.create_invoice 164 (164 errors)" in told["most"]
    assert told["read"] == "standard input: 888 lines; nothing is known of what was never captured"


def test_an_item_of_the_footer_that_fits_on_a_line_is_not_broken(sessions: dict[str, Loaded]) -> None:
    lines = written(sessions["sess_invoice_847"])
    assert "cost     claude-opus-4-1 $4.29, claude-sonnet-4-5 $0.0197," in lines
    assert "         claude-haiku-4-5 $0.0026" in lines


def test_an_announced_call_and_its_end_are_one_step(load: Load) -> None:
    events = [make_call_started(1, "evt_4"), make_tool_call(4), make_session_end(5)]
    lines = written(load("sess_1", content=encode_events(events)))
    assert "3.0 s" not in line_with(lines, "mail.send  0.2")
    assert not any("call_started" in line or "still open" in line for line in lines)


def test_a_session_over_midnight_shows_the_new_day(load: Load) -> None:
    events = [make_tool_call(1), {**make_tool_call(2), "timestamp": "2026-01-16T00:00:01Z"}]
    assert "2026-01-16" in written(load("sess_1", content=encode_events(events)))


def test_an_event_type_that_is_not_known_is_shown_plainly(load: Load) -> None:
    lines = written(
        load("sess_1", content=encode_events([make_event(1, "handover", payload={"to": "Ann", "urgent": True})]))
    )
    assert line_with(lines, "handover").endswith("handover   to Ann  urgent true")


@pytest.mark.parametrize(
    ("name", "session", "columns", "shape"),
    [
        ("invoice_847.text80", "sess_invoice_847", 80, "text"),
        ("trip_planner.tree100", "sess_trip_planner", 100, "tree"),
        ("trip_planner.text40", "sess_trip_planner", 40, "text"),
    ],
)
def test_the_story_reads_as_it_did(story_file: Path, name: str, session: str, columns: int, shape: str) -> None:
    arguments = ("replay", session, "--file", story_file.name, "--format", shape)
    shown = run("kshark", *arguments, cwd=story_file.parent, variables={"COLUMNS": str(columns)}).text
    golden = DATA / name
    if os.environ.get("RENEW"):
        golden.write_text(shown)
    assert shown == golden.read_text(), f"If {name} should read so: RENEW=1 python -m pytest tests/kshark/test_text.py"


@pytest.mark.parametrize("shape", SHAPES)
def test_what_came_of_a_sub_agent_is_told_once_and_whole(load: Load, shape: str) -> None:
    failed = {"from_agent_id": "half", "error": "ValueError: lost", "result": "some of it"}
    events = [
        make_event(0, "delegation", payload={"to_agent_id": "half", "task": None}),
        make_event(1, "delegation_result", payload=failed, context={"parent_event_id": "evt_0"}),
        make_event(2, "delegation", payload={"to_agent_id": "no"}),
        make_event(3, "delegation_result", payload={"from_agent_id": "no", "result": False}),
    ]
    lines = written(load("sess_1", content=encode_events(events)), 120, shape)
    assert line_with(lines, "lost").endswith("half: ValueError: lost, with the result some of it")
    assert line_with(lines, "no: false")
    assert not [line for line in lines if "null" in line]


def test_a_step_has_the_number_by_which_why_knows_it_whatever_is_filtered_out(story_file: Path) -> None:
    arguments = ("sess_invoice_847", "--file", story_file.name)
    replay = run("kshark", "replay", *arguments, "--type", "decision", "--format", "text", cwd=story_file.parent)
    numbers = [line[:3] for line in replay.lines if "  decision   " in line]
    assert numbers[:3] == ["  9", " 12", "177"]
    for number in numbers[:3]:
        why = run("kshark", "why", *arguments, number.strip(), "--format", "json", cwd=story_file.parent)
        assert json.loads(why.out)["step"]["kind"] == "decision"


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_stand_in_a_column_as_wide_as_the_largest(load: Load, shape: str) -> None:
    lines = written(load("sess_1", content=encode_events(make_event(n, f"note{n}") for n in range(101))), 80, shape)
    assert [line_with(lines, f"note{n}")[:5] for n in (0, 98, 99)] == ["  1  ", " 99  ", "100  "]


def test_a_narrow_terminal_has_the_number_and_loses_the_time_of_day(sessions: dict[str, Loaded]) -> None:
    assert line_with(written(sessions["sess_invoice_847"], 64), "create the invoice").startswith(
        "  9    3.5 s decision   create the invoice"
    )


TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "app.py", line {n}, in f{n}\n    f{n + 1}()\n' for n in range(10)
)


def value_of(lines: list[str], key: str) -> list[str]:
    """The lines of the value that stands under a key."""
    start = next(n for n, line in enumerate(lines) if line[29:].startswith(f"{key} "))
    further = takewhile(lambda line: line.startswith(" " * 38), lines[start + 1 :])
    return [lines[start][38:], *(line[38:] for line in further)]


def test_of_a_long_traceback_the_beginning_and_the_end_are_shown_and_how_much_lies_between(load: Load) -> None:
    found = load("sess_1", content=encode_events([make_tool_call(1, error=f"{TRACEBACK}ValueError: no account\n")]))
    shown = value_of(written(found), "error")
    assert shown[:3] == ["Traceback (most recent call last):", '  File "app.py", line 0, in f0', "    f1()"]
    assert shown[8:] == [
        "... 10 more lines",
        "    f9()",
        '  File "app.py", line 9, in f9',
        "    f10()",
        "ValueError: no account",
    ]
    assert value_of(written(found, full=True), "error") == [*TRACEBACK.splitlines(), "ValueError: no account"]


def test_code_diffs_and_tables_keep_their_lines_and_their_indentation(load: Load) -> None:
    diff = "--- a.go\r\n+++ a.go\r\n@@ -1,2 +1,2 @@\r\n-\treturn nil\r\n+\treturn err"
    given = {"path": "a.go", "mode": "patch", "diff": diff, "dry_run": False}
    lines = written(load("sess_1", content=encode_events([make_tool_call(1, input=given)])))
    assert value_of(lines, "in") == [
        "path a.go  mode patch",
        "diff",
        "    --- a.go",
        "    +++ a.go",
        "    @@ -1,2 +1,2 @@",
        "    -   return nil",
        "    +   return err",
        "dry_run false",
    ]


def test_each_text_of_an_object_has_lines_of_its_own(load: Load) -> None:
    given = {"old": "\n".join(f"old {n}" for n in range(20)), "new": "\n".join(f"new {n}" for n in range(20))}
    lines = written(load("sess_1", content=encode_events([make_tool_call(1, input=given)])))
    assert value_of(lines, "in") == [
        *("old", "    old 0", "    old 1", "    old 2", "... 15 more lines", "    old 18", "    old 19"),
        *("new", "    new 0", "    new 1", "    new 2", "... 15 more lines", "    new 18", "    new 19"),
    ]


def test_max_chars_is_so_much_of_a_value_in_as_many_lines_as_that_takes(load: Load) -> None:
    found = load("sess_1", content=encode_events([make_tool_call(1, output="\n".join("abcdefghij"))]))
    look = Layout(80, paint_plain, found.timeline.began, 1, max_chars=15)
    lines = list(format_timeline(found.timeline, found.timeline.steps, found.covered, look))
    assert value_of(lines, "out") == [*"abcdefg", "h... 4 more characters"]


def test_further_lines_of_a_value_stand_behind_the_bars_of_its_lane(load: Load) -> None:
    events = [
        make_event(0, "delegation", payload={"to_agent_id": "b"}, agent_id="a"),
        make_tool_call(1, output="one\n\nthree", agent_id="b", context={"parent_event_id": "evt_0"}),
    ]
    lines = written(load("sess_1", content=encode_events(events)))
    assert [line for line in lines if line.startswith(" " * 27 + "|")] == [
        f"{' ' * 27}|   out      one",
        f"{' ' * 27}|            ",
        f"{' ' * 27}|            three",
    ]


def test_a_tree_shows_the_lines_of_a_message_between_its_branches(load: Load) -> None:
    events = [
        make_event(0, "user_message", payload={"text": "do\nthis"}),
        make_tool_call(1, error="no:\nnever"),
        make_session_end(2),
    ]
    lines = written(load("sess_1", content=encode_events(events)), 80, "tree")
    start = next(n for n, line in enumerate(lines) if "user do" in line)
    assert [line[14:] for line in lines[start : start + 4]] == [
        "  |-- user do",
        "  |   this",
        "  |-- tool mail.send  0.25 s  no:",
        "  |   never",
    ]
