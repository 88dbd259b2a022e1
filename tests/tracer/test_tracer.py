"""AgentTracer by itself, recording into a capture file: what it records, under what, and what it leaves alone."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentlog import AgentTracer, Price, SettingsError, carry
from agentlog.capture import read_line
from agentlog.errors import UsageError
from agentlog.session import timeline
from devkafka import eventually
from tests.running import run
from tests.tracing import in_file


class Recorded:
    """A tracer and the file it writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tracer = AgentTracer("sess_1", agent_id="agent", file=path)

    @property
    def events(self) -> list[dict[str, Any]]:
        assert self.tracer.flush(10)
        return in_file(self.path)

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "run.ndjson")


def test_the_three_ways_to_record_a_call_record_the_same(recorded: Recorded) -> None:
    tracer = recorded.tracer

    @tracer.tool(name="add", reasoning="they ask")
    def add(a: int, b: int) -> int:
        return a + b

    assert add(1, b=2) == 3
    assert tracer.track_tool_call("add", {"a": 1, "b": 2}, lambda: 3, reasoning="they ask") == 3
    with tracer.tool_call("add", {"a": 1, "b": 2}, reasoning="they ask") as call:
        call.output = 3
    for event in recorded.events:
        assert event["event_type"] == "tool_call"
        assert event["payload"].pop("latency_ms") >= 0
        assert event["payload"] == {"tool": "add", "input": {"a": 1, "b": 2}, "output": 3}
        assert event["context"] == {"reasoning": "they ask"}


def test_async_functions_are_recorded_when_they_are_done(recorded: Recorded) -> None:
    tracer = recorded.tracer

    @tracer.tool
    async def add(a: int, b: int) -> int:
        await asyncio.sleep(0)
        return a + b

    async def main() -> None:
        assert asyncio.iscoroutinefunction(add)
        assert await add(1, 2) == 3
        assert await tracer.track_tool_call("add", {"a": 1, "b": 2}, lambda: asyncio.sleep(0, 3)) == 3
        assert (
            await tracer.track_tool_call("add", {"a": 1, "b": 2}, lambda: asyncio.ensure_future(asyncio.sleep(0, 3)))
            == 3
        )
        async with tracer.tool_call("add", {"a": 1, "b": 2}) as call:
            call.output = 3

    asyncio.run(main())
    assert [(event["payload"]["input"], event["payload"]["output"]) for event in recorded.events] == [
        ({"a": 1, "b": 2}, 3)
    ] * 4


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_generators_items_are_passed_on_and_recorded(kind: str, recorded: Recorded) -> None:
    @recorded.tracer.tool
    def count(upto: int) -> Iterator[int]:
        yield from range(upto)

    @recorded.tracer.tool
    async def acount(upto: int) -> Any:
        for n in range(upto):
            yield n

    async def collect() -> list[int]:
        return [n async for n in acount(3)]

    assert (list(count(3)) if kind == "sync" else asyncio.run(collect())) == [0, 1, 2]
    assert recorded.last["payload"]["output"] == [0, 1, 2]


def test_what_a_call_raises_is_recorded_and_raised(recorded: Recorded) -> None:
    def fails() -> None:
        raise ValueError("no such customer")

    async def afails() -> None:
        raise ValueError("no such customer")

    with pytest.raises(ValueError, match="no such customer"):
        recorded.tracer.track_tool_call("a", {}, fails)
    with pytest.raises(ValueError, match="no such customer"):
        asyncio.run(recorded.tracer.track_tool_call("b", {}, afails))
    with pytest.raises(ValueError, match="no such customer"), recorded.tracer.tool_call("c"):
        fails()
    assert [event["payload"]["error"] for event in recorded.events] == ["ValueError: no such customer"] * 3


def test_an_input_that_changes_during_the_call_is_recorded_as_it_was(recorded: Recorded) -> None:
    basket = {"items": ["apple"]}
    with recorded.tracer.tool_call("shop.add", basket) as call:
        basket["items"].append("pear")
        call.output = basket
        basket_after = {"items": ["apple", "pear"]}
    basket["items"].clear()
    assert recorded.last["payload"]["input"] == {"items": ["apple"]}
    assert recorded.last["payload"]["output"] == basket_after


def test_the_other_kinds_of_calls_have_the_fields_of_their_events(recorded: Recorded) -> None:
    tracer = recorded.tracer
    with tracer.llm_call("gpt-4o", "Hi", reasoning="greet") as llm:
        llm.output, llm.input_tokens, llm.output_tokens, llm.cached_tokens = "Hello", 1000, 100, 400
    with tracer.retrieval("capital of France") as search:
        search.documents = ["Paris"]
    assert tracer.track_retrieval("x", lambda: [1]) == [1]
    assert tracer.track_delegation("helper", "count", lambda: 5) == 5
    answer = {"content": "Hi", "usage": {"input_tokens": 10, "output_tokens": 2}}
    assert tracer.track_llm_call("unheard-of", "Hi", lambda: answer) is answer
    payloads = [event["payload"] for event in recorded.events]
    assert payloads[0]["cost_usd"] == 0.003
    assert {name: payloads[0][name] for name in ("input_tokens", "output_tokens", "cached_tokens")} == {
        "input_tokens": 1000,
        "output_tokens": 100,
        "cached_tokens": 400,
    }
    assert (payloads[1]["query"], payloads[1]["documents"]) == ("capital of France", ["Paris"])
    assert payloads[3] == {"to_agent_id": "helper", "task": "count"}
    assert (payloads[4]["from_agent_id"], payloads[4]["result"]) == ("helper", 5)
    assert payloads[5]["input_tokens"] == 10
    assert "cost_usd" not in payloads[5]


def test_users_add_prices_of_their_own(tmp_path: Path) -> None:
    tracer = AgentTracer(agent_id="agent", file=tmp_path / "x.ndjson", prices={"mine": Price(input=2, output=4)})
    with tracer.llm_call("mine") as call:
        call.input_tokens, call.output_tokens = 1_000_000, 500_000
    tracer.close()
    assert in_file(tmp_path / "x.ndjson")[-1]["payload"]["cost_usd"] == 4.0


def test_a_session_begins_and_ends_with_its_with_block(tmp_path: Path) -> None:
    with AgentTracer(agent_id="agent", goal="Invoice Acme", file=tmp_path / "a.ndjson") as tracer:
        tracer.user_message("please")
        tracer.end(result={"invoice": "inv_1"})
    with pytest.raises(KeyError), AgentTracer(agent_id="agent", file=tmp_path / "a.ndjson") as failing:
        raise KeyError("gone")
    assert failing.flush(10)
    events = in_file(tmp_path / "a.ndjson")
    assert [event["event_type"] for event in events] == [
        "session_start",
        "user_message",
        "session_end",
        "session_start",
        "session_end",
    ]
    assert events[0]["payload"] == {"goal": "Invoice Acme"}
    assert events[2]["payload"] == {"status": "succeeded", "result": {"invoice": "inv_1"}}
    assert events[4]["payload"] == {"status": "failed", "error": "KeyError: 'gone'"}
    assert events[0]["session_id"].startswith("sess_")


def test_a_goal_is_recorded_even_where_nothing_starts_the_session(tmp_path: Path) -> None:
    tracer = AgentTracer(agent_id="agent", goal="Invoice Acme", file=tmp_path / "a.ndjson")
    tracer.user_message("please")
    tracer.close()
    kinds = [event["event_type"] for event in in_file(tmp_path / "a.ndjson")]
    assert kinds == ["session_start", "user_message", "session_end"]


def parents(events: list[dict[str, Any]]) -> dict[str, str | None]:
    """For each event its label, and that of its parent."""
    labels = {event["event_id"]: label(event) for event in events}
    return {label(event): labels.get(event["context"].get("parent_event_id")) for event in events}


def label(event: dict[str, Any]) -> str:
    payload = event["payload"]
    return payload.get("tool") or payload.get("text") or payload.get("action") or event["event_type"]


def test_what_is_recorded_follows_from_what_the_agent_was_at(recorded: Recorded) -> None:
    with recorded.tracer as tracer:
        tracer.user_message("please")
        tracer.log_decision("invoice", reasoning="they ask", confidence=0.9)
        with tracer.tool_call("outer"):
            tracer.track_tool_call("inner", {}, lambda: None)
        tracer.track_tool_call("next", {}, lambda: None)
    found = parents([event for event in recorded.events if event["event_type"] != "call_started"])
    assert found == {
        "session_start": None,
        "please": "session_start",
        "invoice": "please",
        "inner": "outer",
        "outer": "invoice",
        "next": "invoice",
        "session_end": "invoice",
    }


def test_parents_go_along_into_tasks_threads_and_to_thread(recorded: Recorded) -> None:
    tracer = recorded.tracer

    def work(name: str) -> None:
        tracer.track_tool_call(name, {}, lambda: None)

    async def main() -> None:
        async with tracer.tool_call("outer"):
            await asyncio.gather(asyncio.create_task(asyncio.to_thread(work, "to_thread")))
            bare = threading.Thread(target=carry(work), args=("carried",))
            bare.start()
            bare.join()

    asyncio.run(main())
    found = parents([event for event in recorded.events if event["event_type"] == "tool_call"])
    assert found == {"to_thread": "outer", "carried": "outer", "outer": None}


def test_tracers_of_two_sessions_in_one_context_keep_their_parents_apart(tmp_path: Path) -> None:
    path = tmp_path / "both.ndjson"
    one, other = (AgentTracer(name, agent_id="agent", file=path) for name in ("sess_one", "sess_other"))
    with one, one.tool_call("one.outer"), other, other.tool_call("other.outer"):
        one.track_tool_call("one.inner", {}, lambda: None)
        other.track_tool_call("other.inner", {}, lambda: None)
    assert one.flush(10)
    found = parents([event for event in in_file(path) if event["event_type"] == "tool_call"])
    assert (found["one.inner"], found["other.inner"]) == ("one.outer", "other.outer")


def test_a_sub_agent_records_under_its_delegation_and_its_end_is_the_result(recorded: Recorded) -> None:
    with recorded.tracer as tracer:
        with tracer.sub_agent("research-agent", task="find it", reasoning="it knows") as sub:
            sub.track_tool_call("search", {}, lambda: "1 Market Street")
            sub.end(result="1 Market Street")
        tracer.agent_message("done")
    events = [event for event in recorded.events if event["event_type"] != "call_started"]
    kinds = {event["event_type"]: event for event in events}
    delegation, result = kinds["delegation"], kinds["delegation_result"]
    assert delegation["payload"] == {"to_agent_id": "research-agent", "task": "find it"}
    assert kinds["tool_call"]["agent_id"] == "research-agent"
    assert kinds["tool_call"]["context"]["parent_event_id"] == delegation["event_id"]
    assert (result["agent_id"], result["payload"]["result"]) == ("agent", "1 Market Street")
    assert kinds["agent_message"]["context"]["parent_event_id"] == result["event_id"]
    lines = recorded.path.read_bytes().splitlines()
    records = [read_line(line, "sess_1", "run", n) for n, line in enumerate(lines, 1)]
    lanes = timeline("sess_1", records).lanes  # type: ignore[arg-type]
    assert [(lane.agent_id, lane.depth) for lane in lanes] == [("agent", 0), ("research-agent", 1)]


def test_a_sub_agent_that_fails_is_told_in_the_result(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="lost"), recorded.tracer.sub_agent("research-agent", task="find it"):
        raise ValueError("lost")
    assert recorded.last["payload"]["error"] == "ValueError: lost"


def test_headers_carry_the_session_and_the_parent_to_another_process(recorded: Recorded) -> None:
    tracer = recorded.tracer
    with tracer.tool_call("call.service") as call:
        headers = {name.title(): value.encode() for name, value in tracer.headers().items()}
        there = AgentTracer.from_headers(headers, agent_id="service", file=recorded.path)
        with there:
            there.track_tool_call("work", {}, lambda: None)
    events = recorded.events
    assert [event["event_type"] for event in events] == ["call_started", "tool_call", "tool_call"]
    assert events[1]["session_id"] == "sess_1"
    assert events[1]["context"]["parent_event_id"] == call.event_id
    alone = AgentTracer.from_headers({"agentlog-session-id": "x" * 300}, agent_id="service", file=recorded.path)
    assert alone.session_id.startswith("sess_")


def test_a_call_is_announced_when_it_takes_long(recorded: Recorded) -> None:
    with recorded.tracer.tool_call("slow", {"n": 1}) as call:
        announced = eventually(lambda: recorded.events if recorded.path.stat().st_size else None, timeout=10)
        assert [event["event_type"] for event in announced] == ["call_started"]
        assert announced[0]["payload"]["call_id"] == call.event_id
        assert announced[0]["payload"]["input"] == {"n": 1}
        assert announced[0]["payload"]["latency_ms"] >= 500
    assert [event["event_type"] for event in recorded.events] == ["call_started", "tool_call"]
    assert recorded.last["event_id"] == call.event_id


def test_nothing_is_recorded_when_it_is_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLOG_DISABLED", "1")
    path = tmp_path / "none.ndjson"
    with AgentTracer(agent_id="agent", cluster="no-such-cluster") as tracer:
        assert tracer.track_tool_call("x", {}, lambda: 1) == 1
        with tracer.tool_call("x") as call, tracer.llm_call("m") as llm, tracer.retrieval("q") as search:
            call.output, llm.input_tokens, search.documents = 1, 2, []
        with tracer.sub_agent("other") as sub, sub.delegation("third") as delegation:
            delegation.output = 1
        assert tracer.tool(len) is len
        tracer.user_message("x")
        tracer.log_decision("x")
    tracer.close()
    assert tracer.stats().recorded == 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"cluster": "a:1", "file": "x"}, UsageError, "one of cluster=, kafka= and file="),
        ({"cluster": "nowhere"}, SettingsError, "no cluster 'nowhere'"),
        ({"kafka": {"bootstrap.server": "a:1"}}, SettingsError, "did you mean bootstrap.servers"),
        ({"kafka": {"acks": "all"}}, SettingsError, "bootstrap.servers is missing"),
        ({"file": "/no/such/folder/run.ndjson"}, UsageError, "No such file"),
        ({"file": "run.ndjson.gz"}, UsageError, "written unpacked"),
        ({"file": "x", "on_outage": "wait"}, SettingsError, "raise"),
        ({"file": "x", "outage_s": -1}, SettingsError, "outage_s"),
        ({"file": "x", "agent_id": ""}, UsageError, "agent_id is ''"),
        ({"file": "x", "session_id": "a\nb"}, UsageError, "session_id is"),
        ({}, SettingsError, "file="),
    ],
)
def test_what_is_set_wrong_is_explained_at_once(
    options: dict[str, Any], error: type[Exception], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENTLOG_CLUSTER", raising=False)
    with pytest.raises(error, match=told):
        AgentTracer(**{"agent_id": "agent", **options})


def test_kshark_replays_what_was_recorded(recorded: Recorded) -> None:
    with recorded.tracer as tracer:
        tracer.user_message("please")
        tracer.track_tool_call("stripe.create_invoice", {"amount": 4500}, lambda: {"invoice": "inv_1"})
    assert tracer.flush(10)
    ran = run("kshark", "replay", "sess_1", "--file", str(recorded.path), "--format", "text")
    assert ran.code == 0, ran.told
    assert "stripe.create_invoice" in ran.text
    assert "succeeded" in ran.text
