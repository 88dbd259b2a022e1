"""The current tracer: what all sessions share records into the session around each call, and into no other."""

import asyncio
import contextvars
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

import agentlog
from agentlog import AgentTracer, ContextThreadPoolExecutor
from agentlog.adapters.anthropic import record_anthropic
from agentlog.adapters.openai import record_openai
from agentlog.errors import UsageError
from tests.tracing import read_file_events


def make_tracer(path: Path, user: str, **options: Any) -> AgentTracer:
    return AgentTracer(f"sess_{user}", agent_id="web", file=path / "run.ndjson", **options)


def read_sessions(path: Path, tracer: AgentTracer, event_type: str) -> list[tuple[str, Any]]:
    """Return the session and the input of each event of a type."""
    assert tracer.flush(10)
    events = [event for event in read_file_events(path / "run.ndjson") if event["event_type"] == event_type]
    return [(event["session_id"], event["payload"].get("input", event["payload"].get("query"))) for event in events]


@agentlog.current().tool
def look_up(user: str) -> str:
    return user.upper()


@agentlog.current().tool(name="stream")
def stream(user: str) -> Iterator[str]:
    got = yield user
    yield f"{user} {got}"


@agentlog.current().retriever
async def search(user: str) -> str:
    await asyncio.sleep(0)
    return user


@agentlog.current().tool
async def stream_later(user: str) -> AsyncIterator[str]:
    yield user


def test_a_decorated_function_records_into_the_session_around_each_call(tmp_path: Path) -> None:
    async def serve(user: str) -> None:
        async with make_tracer(tmp_path, user):
            await asyncio.sleep(0)
            assert look_up(user) == user.upper()
            assert await search(user) == user
            assert [item async for item in stream_later(user)] == [user]

    async def serve_all() -> None:
        await asyncio.gather(*(serve(user) for user in "abcd"))

    asyncio.run(serve_all())
    tracer = make_tracer(tmp_path, "x")
    assert sorted(read_sessions(tmp_path, tracer, "retrieval")) == [(f"sess_{user}", user) for user in "abcd"]
    calls = sorted(read_sessions(tmp_path, tracer, "tool_call"))
    assert calls == [(f"sess_{user}", {"user": user}) for user in "abcd" for _ in range(2)]


def test_outside_of_any_session_functions_run_and_nothing_is_recorded(tmp_path: Path) -> None:
    tracer = agentlog.current()
    assert look_up("a") == "A"
    assert asyncio.run(search("a")) == "a"
    items = stream("a")
    assert (next(items), items.send("b")) == ("a", "a b")
    with tracer.tool_call("t") as call, tracer.llm_call("m") as model:
        call.output = model.output = 1
    assert tracer.user_message("hi") == ""
    assert tracer.headers() == {}
    with tracer.sub_agent("helper") as helper:
        assert helper.track_tool_call("t", None, lambda: 7) == 7
    assert (tracer.flush(), tracer.stats().recorded, tracer.session_id) == (True, 0, "")


def test_a_generator_of_a_session_is_recorded_by_the_current_tracer(tmp_path: Path) -> None:
    with make_tracer(tmp_path, "a") as tracer:
        items = stream("a")
        assert (next(items), items.send("b")) == ("a", "a b")
        items.close()
    assert read_sessions(tmp_path, tracer, "tool_call") == [("sess_a", {"user": "a"})]


def test_the_current_tracer_is_that_of_the_innermost_block(tmp_path: Path) -> None:
    current = agentlog.current()
    with make_tracer(tmp_path, "a") as outer:
        with make_tracer(tmp_path, "b"):
            look_up("b")
            assert current.session_id == "sess_b"
            assert current.headers()["agentlog-session-id"] == "sess_b"
        with outer.sub_agent("helper"):
            look_up("helper")
            assert current.agent_id == "helper"
        look_up("a")
        assert (current.session_id, current.agent_id) == ("sess_a", "web")
    assert current.session_id == ""
    sessions = [session for session, _ in read_sessions(tmp_path, outer, "tool_call")]
    assert sessions == ["sess_b", "sess_a", "sess_a"]


def test_a_session_that_goes_on_can_be_the_current_one_without_its_beginning_and_end(tmp_path: Path) -> None:
    tracer = make_tracer(tmp_path, "a")
    with tracer.as_current() as same:
        assert same is tracer
        look_up("a")
    look_up("a")
    assert read_sessions(tmp_path, tracer, "tool_call") == [("sess_a", {"user": "a"})]
    assert read_sessions(tmp_path, tracer, "session_start") == read_sessions(tmp_path, tracer, "session_end") == []


def test_threads_of_a_pool_that_carries_the_context_know_the_current_session(tmp_path: Path) -> None:
    with ContextThreadPoolExecutor(2) as pool:
        for user in "ab":
            with make_tracer(tmp_path, user) as tracer:
                assert pool.submit(look_up, user).result() == user.upper()
    assert read_sessions(tmp_path, tracer, "tool_call") == [("sess_a", {"user": "a"}), ("sess_b", {"user": "b"})]


def test_a_thread_without_the_context_records_into_no_session(tmp_path: Path) -> None:
    with make_tracer(tmp_path, "a") as tracer:
        thread = threading.Thread(target=look_up, args=("a",))
        thread.start()
        thread.join()
    assert read_sessions(tmp_path, tracer, "tool_call") == []


def test_a_block_that_ends_in_another_context_leaves_no_session_behind(tmp_path: Path) -> None:
    tracer = make_tracer(tmp_path, "a")
    context = contextvars.copy_context()
    context.run(tracer.__enter__)
    tracer.__exit__(None, None, None)
    assert context.run(lambda: agentlog.current().session_id) == ""


def test_a_disabled_session_is_no_other_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_tracer(tmp_path, "a") as tracer:
        monkeypatch.setenv("AGENTLOG_DISABLED", "1")
        with make_tracer(tmp_path, "b"):
            look_up("b")
    assert read_sessions(tmp_path, tracer, "tool_call") == []


def test_one_client_records_each_call_into_the_session_around_it(server: str, tmp_path: Path) -> None:
    async def serve() -> None:
        async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="x") as client:
            record_openai(client, agentlog.current())
            record_openai(client, agentlog.current())

            async def ask(user: str) -> None:
                messages: Any = [{"role": "user", "content": user}]
                async with make_tracer(tmp_path, user):
                    await client.chat.completions.create(model="gpt-4o", messages=messages)
                    created = await client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
                    assert [chunk async for chunk in created]

            await asyncio.gather(*(ask(user) for user in "abc"))
            await client.chat.completions.create(model="gpt-4o", messages=[])

    asyncio.run(serve())
    calls = read_sessions(tmp_path, make_tracer(tmp_path, "x"), "llm_call")
    assert len(calls) == 6
    assert all(session == f"sess_{messages[0]['content']}" for session, messages in calls)


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_client_that_another_tracer_records_is_refused(kind: str, tmp_path: Path) -> None:
    record: Any = record_openai if kind == "openai" else record_anthropic
    client: Any = openai.OpenAI(api_key="x") if kind == "openai" else anthropic.Anthropic(api_key="x")
    alice, bob = make_tracer(tmp_path, "alice"), make_tracer(tmp_path, "bob")
    assert record(record(client, alice), alice) is client
    with pytest.raises(UsageError, match=r"agentlog\.current\(\)"):
        record(client, bob)


def test_a_disabled_tracer_leaves_a_client_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLOG_DISABLED", "1")
    client = openai.OpenAI(api_key="x")
    before = client.chat.completions.create
    for user in ("alice", "bob"):
        record_openai(client, make_tracer(tmp_path, user))
    assert client.chat.completions.create == before


def run_empty_block(tracer: AgentTracer) -> None:
    with tracer:
        pass


def run_empty_async_block(tracer: AgentTracer) -> None:
    """Run the block without an event loop, whose own handling of Ctrl-C would come between."""
    tracer.__enter__()
    tracer.__aexit__(None, None, None).send(None)


@pytest.mark.parametrize("run_block", [run_empty_block, run_empty_async_block])
def test_ctrl_c_during_the_wait_at_the_end_leaves_the_session(
    run_block: Callable[[AgentTracer], None], tmp_path: Path
) -> None:
    interrupted = threading.Event()

    def interrupt(event: dict[str, Any]) -> dict[str, Any]:
        if event["event_type"] == "session_end" and not interrupted.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert interrupted.wait(20)
        return event

    tracer = make_tracer(tmp_path, "a", goal="g", redact=interrupt)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with make_tracer(tmp_path, "outer") as outer:
            with pytest.raises(KeyboardInterrupt):
                run_block(tracer)
            interrupted.set()
            assert agentlog.current().session_id == "sess_outer"
            look_up("outer")
    finally:
        interrupted.set()
        signal.signal(signal.SIGINT, handler)
    assert agentlog.current().session_id == ""
    look_up("nobody")
    assert tracer.flush(10)
    assert read_sessions(tmp_path, outer, "tool_call") == [("sess_outer", {"user": "outer"})]
    assert ("sess_a", None) in read_sessions(tmp_path, outer, "session_end")
