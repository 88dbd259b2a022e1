"""What an agent knew at a point: each result once, nothing from later, and messages that a model accepts."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from agentlog import AgentTracer
from agentlog.analysis.causality import CauseGraph
from agentlog.event.event import Record
from agentlog.session.timeline import Step, Timeline, build_timeline
from kshark.cli import app
from kshark.memory.agent_state import AgentState, compare_states, find_lanes, find_states
from kshark.memory.query import MemoryReport
from tests.common.test_timeline_properties import any_log, many
from tests.kshark.test_hostile import STEERING, hostile_events
from tests.recording import Event, encode_events, make_call_started, make_event, make_tool_call, write_capture_file
from tests.running import CompletedRun, Terminal, run_in_process

MESSAGES: TypeAdapter[list[Any]] = TypeAdapter(list[ChatCompletionMessageParam])
ASKED = [{"role": "system", "content": "You invoice."}, {"role": "user", "content": "Invoice Acme"}]

Load = Callable[..., Any]


def memory(file: Path, *arguments: str, session: str = "sess_1") -> CompletedRun:
    return run_in_process(app, "memory", session, "--format", "json", *arguments, "--file", file)


def lanes(file: Path, *arguments: str, session: str = "sess_1") -> list[dict[str, Any]]:
    done = memory(file, *arguments, session=session)
    assert done.code == 0, done.error_text
    found: list[dict[str, Any]] = orjson.loads(done.out)["lanes"]
    return found


def steps(items: Sequence[dict[str, Any]]) -> list[int]:
    return [item["step"] for item in items]


def minds(found: Timeline, at: Step | None) -> list[AgentState]:
    causes = CauseGraph(found)
    return find_states(found, causes, find_lanes(found, causes, at, None), at)


def check(messages: list[dict[str, Any]]) -> None:
    """Fail unless a provider of chat completions would accept the messages."""
    MESSAGES.validate_python(messages)
    waiting: list[str] = []
    every: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            continue
        assert not waiting
        for each in message.get("tool_calls", []):
            waiting.append(each["id"])
            assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", each["function"]["name"])
            assert isinstance(orjson.loads(each["function"]["arguments"]), dict)
        every += waiting
    assert not waiting
    assert len(every) == len(set(every))


# Properties, of any log at all.


@many
@given(any_log())
def test_at_the_end_every_step_that_ended_is_known_once(log: list[Record]) -> None:
    found = build_timeline("s", log)
    if found.steps:
        seen = [step for mind in minds(found, None) for step in mind.seen]
        assert len(seen) == len(set(seen))
        assert set(seen) == {step for step in found.steps if not step.is_open}


@many
@given(any_log(), st.integers(0, 11), st.integers(0, 11))
def test_what_was_known_and_what_changed_make_what_is_known(log: list[Record], one: int, other: int) -> None:
    found = build_timeline("s", log)
    if not found.steps:
        return
    causes = CauseGraph(found)
    since, at = sorted((one % len(found.steps), other % len(found.steps)))
    points = found.steps[since], found.steps[at]
    for lane in found.lanes:
        [before], [after] = (find_states(found, causes, [lane], point) for point in points)
        changed = compare_states(before, after)
        assert {*before.seen, *changed.seen} >= set(after.seen)
        assert {*before.open, *changed.opened} - set(changed.closed) == set(after.open)
        assert {**before.memory, **{key.key: key.after for key in changed.memory}} == {**before.memory, **after.memory}


@many
@given(any_log(), st.integers(0, 12))
def test_nothing_is_known_that_came_later(log: list[Record], place: int) -> None:
    found = build_timeline("s", log)
    if place < len(found.steps):
        at = found.steps[place]
        for mind in minds(found, at):
            assert not {*mind.seen, *mind.open} & set(found.steps[place:])
            assert not set(mind.seen) & set(mind.open) - {step for step in mind.open if step.kind == "delegation"}


@many
@given(any_log(), st.integers(0, 12))
def test_messages_are_always_valid(log: list[Record], place: int) -> None:
    found = build_timeline("s", log)
    if found.steps:
        at = found.steps[place] if place < len(found.steps) else None
        causes = CauseGraph(found)
        recalled = MemoryReport(found, causes, at, None, minds(found, at), [])
        for mind in recalled.states:
            check(recalled.build_messages(mind).messages)


# Of the story.


def test_before_a_step_an_agent_knows_what_led_to_it(story_file: Path) -> None:
    [mind] = lanes(story_file, "--at", "12", session="sess_invoice_847")
    assert steps(mind["results"]) == [4, 5, 6, 7, 8, 10]
    assert (steps(mind["decisions"]), steps(mind["model"]), steps(mind["conversation"])) == ([9], [3, 11], [2])
    assert mind["model_input"]["input"].startswith("stripe.create_invoice answered: rate_limit")


def test_each_tool_result_of_the_session_is_known_once_at_its_end(story_file: Path) -> None:
    found = lanes(story_file, session="sess_invoice_847")
    calls = [item for mind in found for item in mind["results"] if item["kind"] == "tool_call"]
    assert len({item["event_id"] for item in calls}) == len(calls) == 847
    assert [mind["agent_id"] for mind in found] == ["invoice-generator-v2", "research-agent"]


def test_a_sub_agent_knows_its_task_and_its_own_results(story_file: Path) -> None:
    [mind] = lanes(story_file, "--agent", "research-agent", session="sess_invoice_847")
    assert mind["task"] == "find the billing address"
    assert (len(mind["documents"]), len(mind["results"]), mind["conversation"]) == (1, 1, [])


@pytest.mark.parametrize(
    ("written", "time"),
    [("13:55:29", "13:55:29"), ("23:00", "23:00:00"), ("-10s", None)],
)
def test_a_time_of_day_is_one_of_the_sessions_last_day_and_not_called_today(
    story_file: Path, written: str, time: str | None
) -> None:
    text = memory(story_file, "--at", written, "--format", "text", session="sess_trip_planner").text
    said = next(line for line in text.splitlines() if line.startswith("known at "))
    assert "today" not in said
    assert time is None or said.endswith(f" {time} UTC")


def test_at_a_time_what_runs_is_open_and_its_answer_unknown(story_file: Path) -> None:
    done = memory(story_file, "--at", "13:55:29", "--format", "text", session="sess_trip_planner")
    assert "In Kyoto the smaller one is quieter" not in done.text
    found = lanes(story_file, "--at", "13:55:29", session="sess_trip_planner")
    assert [(mind["agent_id"], [item["label"] for item in mind["open"]]) for mind in found] == [
        ("trip-planner", ["research-agent", "hotels-agent"]),
        ("research-agent", ["fares-agent"]),
        ("hotels-agent", ["claude-haiku-4-5"]),
        ("fares-agent", ["flights.search"]),
    ]


def test_the_call_in_which_a_process_died_is_open_and_memory_has_what_was_written(story_file: Path) -> None:
    [mind] = lanes(story_file, session="sess_crashed")
    assert [item["input"]["account"] for item in mind["open"]] == [1209]
    assert mind["memory"] == [
        {"key": "close.2025-12", "value": {"reconciled": 9, "of": 14}, "step": 12, "before": None}
    ]


def test_what_changed_since_a_step_is_told(story_file: Path) -> None:
    [mind] = lanes(story_file, "--at", "12", "--since", "9", session="sess_invoice_847")
    assert mind["changed"] == {"seen": [9, 10, 11], "opened": [], "closed": [], "memory": []}
    text = memory(story_file, "--at", "12", "--since", "9", "--format", "text", session="sess_invoice_847").text
    assert "create the invoice" in text
    assert "crm.find_customer" not in text


@pytest.mark.parametrize("session", ["sess_invoice_847", "sess_trip_planner", "sess_crashed", "sess_hostile"])
def test_the_storys_messages_are_valid(story_file: Path, session: str) -> None:
    done = memory(story_file, "--format", "messages", session=session)
    check(orjson.loads(done.out))
    assert "put together from events" in done.error_text


# Of sessions made for it.


def test_messages_say_what_was_said_asked_and_answered(tmp_path: Path) -> None:
    file = write_capture_file(
        tmp_path / "run.ndjson",
        make_event(1, "session_start", payload={"goal": "Invoice Acme"}),
        make_event(2, "user_message", payload={"text": "please"}, agent_id="user"),
        make_event(3, "llm_call", payload={"model": "m", "output": "I look it up."}),
        make_tool_call(4, "crm.find", input={"n": 1}, output={"id": 7}),
        make_tool_call(5, "crm find", error="E1: no"),
        make_event(6, "memory_write", payload={"key": "acme", "value": 7}),
        {
            **make_call_started(7, "evt_8", "mail.send"),
            "payload": {"call_id": "evt_8", "tool": "mail.send", "input": "x"},
        },
    )
    messages = orjson.loads(memory(file, "--format", "messages").out)
    check(messages)
    asked = [each["function"] for message in messages for each in message.get("tool_calls", [])]
    assert messages[0] == {"role": "system", "content": "Goal: Invoice Acme\nIn memory:\n- acme: 7"}
    assert messages[1] == {"role": "user", "content": "please"}
    assert messages[2]["content"] == "I look it up."
    assert [each["name"] for each in asked] == ["crm_find", "crm_find_2", "mail_send"]
    assert [each["arguments"] for each in asked] == ['{"n": 1}', "{}", '{"input": "x"}']
    answers = [message["content"] for message in messages if message["role"] == "tool"]
    assert answers == ['{"id": 7}', "Error: E1: no", "(no answer by then)"]


def test_calls_that_ran_at_the_same_time_are_asked_for_in_one_message(tmp_path: Path) -> None:
    calls = [make_tool_call(n, f"t{n}", latency_ms=3000) for n in (4, 5)]
    file = write_capture_file(tmp_path / "run.ndjson", make_event(1, "session_start"), *calls, make_tool_call(9, "t9"))
    messages = orjson.loads(memory(file, "--format", "messages").out)
    check(messages)
    assert [len(message["tool_calls"]) for message in messages if "tool_calls" in message] == [2, 1]


def test_what_a_model_call_recorded_as_its_input_stands_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    with AgentTracer("sess_1", agent_id="agent", goal="Invoice", file=str(file)) as tracer:
        tracer.user_message("Invoice Acme")
        with tracer.llm_call("gpt-4o", ASKED) as model:
            model.output = "I look it up."
        tracer.track_tool_call("crm.find", {"n": 1}, lambda: "cus_1")
    tracer.flush()
    done = memory(file, "--format", "messages")
    messages = orjson.loads(done.out)
    check(messages)
    assert messages[:2] == ASKED
    assert [(message["role"], message["content"]) for message in messages[2:]] == [
        ("assistant", "I look it up."),
        ("tool", "cus_1"),
    ]
    assert "2 messages as recorded with step 3" in done.error_text
    assert orjson.loads(memory(file, "--at", "3", "--format", "messages").out) == ASKED


@pytest.mark.parametrize(
    "recorded",
    [
        [{"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "robot", "content": "x"}],
        [{"role": "assistant", "content": None, "tool_calls": [{"id": "a", "function": {"name": "f"}}]}],
        [{"role": "tool", "tool_call_id": "a", "content": "x"}],
        [{"role": "user"}],
        ["text"],
        [],
    ],
)
def test_an_input_that_no_model_would_take_is_not_given_to_one_again(tmp_path: Path, recorded: object) -> None:
    model = make_event(2, "llm_call", payload={"model": "m", "input": recorded, "output": "hm"})
    file = write_capture_file(tmp_path / "run.ndjson", make_event(1, "session_start", payload={"goal": "g"}), model)
    messages = orjson.loads(memory(file, "--format", "messages").out)
    check(messages)
    assert messages == [{"role": "system", "content": "Goal: g"}, {"role": "assistant", "content": "hm"}]


def test_a_delegation_is_a_call_that_its_result_answers(load: Load) -> None:
    events: list[Event] = [
        make_event(1, "session_start"),
        make_event(2, "delegation", payload={"to_agent_id": "sub", "task": "look"}),
        make_tool_call(3, "web.find", agent_id="sub", context={"parent_event_id": "evt_2"}),
        make_event(4, "delegation_result", payload={"from_agent_id": "sub", "result": "found"}),
    ]
    for upto, answer in ((3, "(no answer by then)"), (4, "found")):
        found = load("sess_1", content=encode_events(events[:upto])).timeline
        recalled = MemoryReport(found, CauseGraph(found), None, None, minds(found, None), [])
        messages = recalled.build_messages(recalled.states[0]).messages
        check(messages)
        assert [each["content"] for each in messages if each["role"] == "tool"] == [answer]
        task = recalled.build_messages(recalled.states[1]).messages[0]
        assert task == {"role": "user", "content": "look"}


def test_a_number_of_any_size_stays_what_it_was(tmp_path: Path) -> None:
    event_ = make_event(2, "memory_write", payload={"key": "n", "value": 2**70})
    file = tmp_path / "run.ndjson"
    file.write_text(encode_events([make_event(1)]).decode() + json.dumps(event_) + "\n")
    assert str(2**70).encode() in memory(file).out
    assert str(2**70).encode() in memory(file, "--format", "messages").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--at", "evt_zz"), 4, "no step evt_zz"),
        (("--agent", "nobody"), 4, "no agent nobody"),
        (("--at", "2", "--since", "3"), 2, "--since 3 is later than --at 2"),
        (("--since", "2030-01-01"), 2, "--since 2030-01-01 is later than the end"),
    ],
)
def test_a_point_that_is_not_there_is_said(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    file = write_capture_file(tmp_path / "run.ndjson", *(make_tool_call(n) for n in range(1, 5)))
    done = memory(file, *arguments)
    assert (done.code, done.out) == (code, b"")
    assert said in done.error_text


@pytest.mark.parametrize("shape", ["text", "json", "messages"])
@pytest.mark.parametrize("more", [(), ("--at", "14"), ("--since", "5", "--full")], ids=["end", "at", "since"])
def test_hostile_text_is_shown_and_not_obeyed(tmp_path: Path, shape: str, more: tuple[str, ...]) -> None:
    file = write_capture_file(tmp_path / "evil.ndjson", *hostile_events("sess_evil"))
    done = memory(file, *more, "--format", shape, session="sess_evil")
    assert done.code == 0
    assert STEERING.search(done.text + done.error_text) is None
    assert "\\u001b[2J" in done.text
    if shape == "messages":
        check(orjson.loads(done.out))


@pytest.mark.parametrize("columns", [40, 80])
def test_the_text_fits_the_terminal(story_file: Path, columns: int) -> None:
    arguments = ("memory", "sess_trip_planner", "--file", str(story_file), "--no-pager")
    terminal = Terminal("kshark", *arguments, columns=columns)
    assert terminal.wait_for_end() == 0
    start = next(n for n, line in enumerate(terminal.lines) if line.startswith("sess_trip_planner"))
    written = terminal.raw[terminal.raw.index(b"\x1b[1msess_trip_planner") :]
    assert written.count(b"\r\n") == len(terminal.lines[start:])  # the terminal broke none of them


@pytest.mark.parametrize("option", ["--since", "--at"])
def test_the_name_of_a_tool_cannot_forge_a_line(tmp_path: Path, option: str) -> None:
    name = "a" * 34 + " read     whole log, 9 lines"
    file = write_capture_file(tmp_path / "run.ndjson", make_tool_call(1), make_tool_call(2, name))
    done = run_in_process(app, "memory", "sess_1", option, "2", "--file", file, variables={"COLUMNS": "60"})
    assert "wholelog" in "".join(done.text.split())
    assert not [line for line in done.lines if line.startswith("read ") and "whole log" in line]
