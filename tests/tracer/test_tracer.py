"""AgentTracer recording to a capture file: its events, their parents, and its effect on the recorded code."""

import asyncio
import contextlib
import copy
import dataclasses
import errno
import functools
import gc
import inspect
import os
import pickle
import threading
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage

from agentlog import AgentTracer, KafkaUnavailable, Price, SettingsError, carry
from agentlog.capture_format.capture import decode_session_line, split_line
from agentlog.errors import UsageError
from agentlog.event.event import Place
from agentlog.recording.delivery import pipeline
from agentlog.recording.delivery.delivery import Delivery
from agentlog.recording.sinks.file_sink import FileSink
from agentlog.recording.sinks.outbound import Author, OutboundEvent, make_event
from agentlog.session.timeline import build_timeline
from devkafka import eventually
from tests.running import run
from tests.tracing import full_disk, get_error, read_file_events


class Recorded:
    """A tracer and the capture file that it writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tracer = AgentTracer("sess_1", agent_id="agent", file=path)

    @property
    def events(self) -> list[dict[str, Any]]:
        assert self.tracer.flush(10)
        return read_file_events(self.path)

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


def test_a_coroutine_begins_when_it_is_awaited_and_not_when_it_is_made(recorded: Recorded) -> None:
    tracer = recorded.tracer

    async def main() -> None:
        unused = asyncio.sleep(0)
        never = tracer.track_tool_call("never", {}, lambda: unused)
        first, second = (tracer.track_tool_call(name, {}, lambda: asyncio.sleep(0.1)) for name in ("first", "second"))
        assert tracer._recorder is not None
        assert not tracer._recorder.delivery.open_calls
        await first
        await second
        never.close()
        unused.close()

    asyncio.run(main())
    first, second = recorded.events
    assert (first["payload"]["tool"], second["payload"]["tool"]) == ("first", "second")
    took = timedelta(milliseconds=second["payload"]["latency_ms"])
    began, before = datetime.fromisoformat(second["timestamp"]) - took, datetime.fromisoformat(first["timestamp"])
    assert began > before - timedelta(milliseconds=50)


class Request:
    """As aiohttp has it: awaited, it gives the response; entered, it closes that in the end."""

    closed = False

    def __await__(self) -> Generator[Any, Any, str]:
        return asyncio.sleep(0, "response").__await__()

    async def __aenter__(self) -> str:
        return await self

    async def __aexit__(self, *_: object) -> None:
        self.closed = True


def test_what_may_be_awaited_or_entered_still_may_and_is_recorded_either_way(recorded: Recorded) -> None:
    request = Request()
    get = recorded.tracer.tool(name="get")(lambda: request)

    async def main() -> None:
        assert await get() == "response"
        assert not request.closed
        async with get() as response:
            assert response == "response"
        assert request.closed
        assert get().closed

    asyncio.run(main())
    assert [event["payload"]["output"] for event in recorded.events] == ["response", "response"]


def test_an_error_of_a_task_that_nobody_waits_for_is_still_told_by_asyncio(recorded: Recorded) -> None:
    told: list[str] = []

    async def fails() -> None:
        raise ValueError("no such customer")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
        recorded.tracer.track_tool_call("a", {}, lambda: asyncio.create_task(fails()))
        while not told:
            await asyncio.sleep(0)
            gc.collect()

    asyncio.run(asyncio.wait_for(main(), 10))
    assert told == ["no such customer"]
    assert recorded.last["payload"]["error"] == "ValueError: no such customer"


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


def spoken_to() -> Any:
    """A generator that takes what it is sent, outlives what is thrown into it, and returns."""
    try:
        got = yield 1
        yield got
    except ValueError:
        yield "caught"
    return "the end"


def test_a_generator_gets_what_is_sent_and_thrown_into_it_and_returns_what_it_returns(recorded: Recorded) -> None:
    speaking = recorded.tracer.tool(spoken_to)
    assert inspect.isgeneratorfunction(speaking)
    generator = speaking()
    assert [next(generator), generator.send("sent"), generator.throw(ValueError())] == [1, "sent", "caught"]
    with pytest.raises(StopIteration, match="the end"):
        next(generator)
    assert recorded.last["payload"]["output"] == [1, "sent", "caught"]


def test_an_async_generator_gets_what_is_sent_and_thrown_into_it_and_is_closed(recorded: Recorded) -> None:
    closed = []

    @recorded.tracer.tool
    async def speaking() -> Any:
        try:
            got = yield 1
            try:
                yield got
            except ValueError:
                yield "caught"
        finally:
            closed.append(True)

    async def main() -> list[Any]:
        generator = speaking()
        got = [await anext(generator), await generator.asend("sent"), await generator.athrow(ValueError())]
        await generator.aclose()
        return got

    assert inspect.isasyncgenfunction(speaking)
    assert asyncio.run(main()) == [1, "sent", "caught"]
    assert closed == [True]
    assert recorded.last["payload"]["output"] == [1, "sent", "caught"]


def test_what_happens_between_a_generators_items_is_not_under_it_and_what_it_does_is(recorded: Recorded) -> None:
    tracer = recorded.tracer

    def counting(name: str) -> Any:
        for n in range(2):
            tracer.track_tool_call(f"in {name} {n}", {}, str)
            yield n

    one, other = (tracer.tool(name=name)(counting)(name) for name in ("one", "other"))
    next(one)
    next(other)
    tracer.track_tool_call("between", {}, str)
    list(one)
    list(other)
    tracer.track_tool_call("after", {}, str)
    found = parents([event for event in recorded.events if event["event_type"] == "tool_call"])
    under = {"in one 0": "one", "in one 1": "one", "in other 0": "other", "in other 1": "other"}
    assert found == under | {"one": None, "other": None, "between": None, "after": None}


def test_what_a_generator_decides_holds_for_its_next_items(recorded: Recorded) -> None:
    tracer = recorded.tracer

    @tracer.tool
    def working() -> Any:
        tracer.log_decision("go on")
        yield 1
        tracer.track_tool_call("then", {}, str)
        yield 2

    list(working())
    tracer.track_tool_call("after", {}, str)
    events = recorded.events
    found = parents([event for event in events if event["event_type"] != "call_started"])
    assert (found["then"], found["go on"], found["after"]) == ("go on", "working", None)


def test_an_item_that_changes_later_is_recorded_as_it_was(recorded: Recorded) -> None:
    @recorded.tracer.tool
    def growing() -> Iterator[list[int]]:
        items: list[int] = []
        for n in range(3):
            items.append(n)
            yield items

    list(growing())
    assert recorded.last["payload"]["output"] == [[0], [0, 1], [0, 1, 2]]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_generator_that_is_called_wrongly_is_recorded_with_the_error(kind: str, recorded: Recorded) -> None:
    @recorded.tracer.tool
    def count(upto: int) -> Iterator[int]:
        yield from range(upto)

    @recorded.tracer.tool
    async def acount(upto: int) -> Any:
        yield upto

    async def collect() -> list[int]:
        return [n async for n in acount()]

    with pytest.raises(TypeError, match="upto"):
        next(count()) if kind == "sync" else asyncio.run(collect())  # type: ignore[call-arg]
    assert "upto" in recorded.last["payload"]["error"]


def test_a_generator_that_is_left_is_recorded_as_far_as_it_came(recorded: Recorded) -> None:
    for _ in recorded.tracer.tool(spoken_to)():
        break
    assert recorded.last["payload"] == recorded.last["payload"] | {"output": [1]}
    assert "error" not in recorded.last["payload"]


def test_what_comes_after_blocks_in_generators_is_not_under_them_however_they_end(recorded: Recorded) -> None:
    tracer = recorded.tracer

    def holding(name: str) -> Iterator[int]:
        with tracer.tool_call(name):
            yield 1

    async def aholding(block: Any) -> Any:
        with block:
            yield 1

    async def main() -> None:
        for left in (tracer.tool_call("left"), tracer.llm_call("m")):
            async for _ in aholding(left):
                break
            while tracer._recorder is not None and tracer._recorder.delivery.open_calls:
                await asyncio.sleep(0)
            tracer.track_tool_call(f"behind {left.event_type}", {}, str)
        tracer.user_message("hi")
        tracer.track_tool_call("behind the message", {}, str)

    one, other = holding("one"), holding("other")
    next(one)
    next(other)
    list(one)
    list(other)
    tracer.track_tool_call("behind two that overlap", {}, str)
    asyncio.run(main())
    found = parents([event for event in recorded.events if event["event_type"] != "call_started"])
    behind = [found[f"behind {what}"] for what in ("two that overlap", "tool_call", "llm_call", "the message")]
    assert behind == [None, None, "llm_call", "hi"]


def test_a_block_in_a_generator_that_is_left_is_whole_and_in_a_coroutine_that_is_closed_it_is_cancelled(
    recorded: Recorded,
) -> None:
    def streaming() -> Iterator[int]:
        with recorded.tracer.llm_call("m") as call:
            call.output = "as far as it came"
            yield 1

    async def waiting() -> None:
        with recorded.tracer.llm_call("m"):
            await asyncio.Future()

    async def main() -> None:
        coroutine = waiting()
        coroutine.send(None)
        coroutine.close()

    next(streaming())
    asyncio.run(main())
    left, closed = (event["payload"] for event in recorded.events)
    assert (left["output"], left.get("finish_reason")) == ("as far as it came", None)
    assert closed["finish_reason"] == "cancelled"
    assert not any("error" in payload for payload in (left, closed))


class Handle:
    def __repr__(self) -> str:
        return object.__repr__(self)


@pytest.mark.parametrize(
    ("error", "recorded_error"),
    [
        (ValueError(f"no {Handle()}"), "ValueError: no <tests.tracer.test_tracer.Handle object>"),
        (ValueError("code 0x80070005 for 0x7f52ace97420"), "ValueError: code 0x80070005 for 0x7f52ace97420"),
    ],
)
def test_a_text_of_an_error_holds_no_address_of_an_object(
    error: Exception, recorded_error: str, recorded: Recorded
) -> None:
    def work() -> None:
        raise error

    with pytest.raises(ValueError, match=r"no|code"):
        recorded.tracer.track_tool_call("t", Handle(), work)
    payload = recorded.last["payload"]
    assert payload["error"].replace(__name__, "tests.tracer.test_tracer") == recorded_error
    assert " at 0x" not in payload["input"]


def test_a_session_whose_client_has_gone_is_cancelled_without_an_error(recorded: Recorded) -> None:
    async def answer() -> None:
        async with recorded.tracer as tracer:
            with tracer.sub_agent("helper") as helper:
                await helper.track_llm_call("m", "go", lambda: asyncio.sleep(60))

    async def serve() -> None:
        task = asyncio.create_task(answer())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel("Cancelled via cancel scope 7f52ace97420 by <Task pending coro=<x() running at x.py:1>>")
        await asyncio.wait([task])

    asyncio.run(serve())
    events = recorded.events
    call, result, end = (
        next(event["payload"] for event in events if event["event_type"] == kind)
        for kind in ("llm_call", "delegation_result", "session_end")
    )
    assert call["finish_reason"] == result["finish_reason"] == end["status"] == "cancelled"
    assert not any("error" in event["payload"] or event["event_type"] == "error" for event in events)
    assert "7f52ace97420" not in str(events)


def test_a_call_that_ran_into_a_timeout_is_cancelled_and_the_timeout_is_the_error(recorded: Recorded) -> None:
    async def ask() -> None:
        await recorded.tracer.track_tool_call("outer", None, lambda: asyncio.wait_for(inner(), 0.01))

    async def inner() -> None:
        await recorded.tracer.track_tool_call("inner", None, lambda: asyncio.sleep(60))

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(ask())
    inner_call, outer_call = (event["payload"] for event in recorded.events if event["event_type"] == "tool_call")
    assert (inner_call["finish_reason"], inner_call.get("error")) == ("cancelled", None)
    assert outer_call["error"].startswith("TimeoutError")


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "given"),
    [
        (lambda a, b=2: None, (1,), {}, {"a": 1}),
        (lambda a, /, b, *, c: None, (1,), {"b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3}),
        (lambda a, *rest, **more: None, (1, 2, 3), {"d": 4}, {"a": 1, "args": [2, 3], "d": 4}),
        (max, (1, 2), {}, {"args": [1, 2]}),
    ],
)
def test_arguments_are_recorded_by_their_names(
    function: Any, args: tuple[int, ...], kwargs: dict[str, int], given: dict[str, Any], recorded: Recorded
) -> None:
    assert recorded.tracer.tool(name="x")(function)(*args, **kwargs) == function(*args, **kwargs)
    assert recorded.last["payload"]["input"] == given


def test_a_decorated_function_that_is_called_wrongly_says_so_itself(recorded: Recorded) -> None:
    add = recorded.tracer.tool(name="add")(lambda a: a)
    with pytest.raises(TypeError, match="positional argument"):
        add(1, 2, 3)
    assert "TypeError" in recorded.last["payload"]["error"]


def test_methods_of_every_kind_can_be_decorated_on_either_side(recorded: Recorded) -> None:
    tool = recorded.tracer.tool

    class Tools:
        @tool
        def method(self, n: int) -> int:
            return n

        @tool
        @classmethod
        def of_class(cls, n: int) -> int:
            return n

        @classmethod
        @tool
        def of_class_too(cls, n: int) -> int:
            return n

        @tool
        @staticmethod
        def static(n: int) -> int:
            return n

    assert [Tools().method(1), Tools.of_class(2), Tools().of_class_too(3), Tools.static(4)] == [1, 2, 3, 4]
    assert [event["payload"]["input"] for event in recorded.events] == [{"n": n} for n in (1, 2, 3, 4)]
    assert [event["payload"]["tool"] for event in recorded.events] == ["method", "of_class", "of_class_too", "static"]


def test_what_is_called_like_a_function_is_recorded_by_a_name_that_tells(recorded: Recorded) -> None:
    class Search:
        def __call__(self, query: str) -> str:
            return query

    def find(query: str, limit: int) -> str:
        return query * limit

    for function in (Search(), functools.partial(find, limit=2), functools.partial(functools.partial(Search()))):
        recorded.tracer.tool(function)("x")
    assert [event["payload"]["tool"] for event in recorded.events] == ["Search", "find", "Search"]


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


def test_an_error_outside_a_call_is_recorded_with_all_that_is_known_of_it(recorded: Recorded) -> None:
    tracer = recorded.tracer
    tracer.error(ValueError("no such customer"), "while mailing")
    tracer.error(ValueError(), "while mailing")
    tracer.error(ValueError("no such customer"))
    tracer.error(ValueError())
    tracer.error("timeout")
    assert [tuple(event["payload"].values()) for event in recorded.events] == [
        ("ValueError", "while mailing: no such customer"),
        ("ValueError", "while mailing"),
        ("ValueError", "no such customer"),
        ("ValueError", ""),
        ("timeout", ""),
    ]


def test_an_event_whose_payload_is_no_object_is_recorded_as_one(recorded: Recorded) -> None:
    recorded.tracer.record("note", ["a text"])  # type: ignore[arg-type]
    assert recorded.last["payload"] == {"value": ["a text"]}


def test_of_a_group_of_errors_each_is_told(recorded: Recorded) -> None:
    async def fails(name: str) -> None:
        raise KeyError(name)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails("a"))
            group.create_task(fails("b"))

    with pytest.raises(ExceptionGroup):
        asyncio.run(recorded.tracer.track_tool_call("both", {}, main))
    told = "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions): KeyError: 'a'; KeyError: 'b'"
    assert recorded.last["payload"]["error"] == told
    nested = ValueError("no such customer")
    for _ in range(10_000):
        nested = ExceptionGroup("x", [nested])  # type: ignore[assignment]
    recorded.tracer.error(nested)
    assert recorded.last["payload"]["type"] == "ExceptionGroup"


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


@pytest.mark.parametrize("kind", ["function", "decorator", "block"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_kind_of_call_is_recorded_alike_in_all_three_ways(
    kind: str, asynchronous: bool, recorded: Recorded
) -> None:
    tracer = recorded.tracer

    def answer(task: str) -> Any:
        return asyncio.sleep(0, task.upper()) if asynchronous else task.upper()

    async def aanswer(task: str) -> str:
        return task.upper()

    function = aanswer if asynchronous else answer
    made: dict[str, Any] = {
        "tool_call": (tracer.tool(name="x"), tracer.tool_call, tracer.track_tool_call, ("x", {"task": "a"})),
        "llm_call": (tracer.llm("x"), tracer.llm_call, tracer.track_llm_call, ("x", {"task": "a"})),
        "retrieval": (tracer.retriever, tracer.retrieval, tracer.track_retrieval, ("a",)),
        "delegation": (tracer.delegate("x"), tracer.delegation, tracer.track_delegation, ("x", "a")),
    }

    async def main() -> None:
        for decorator, block, track, told in made.values():
            if kind == "block":
                with block(*told) as call:
                    call.output = "A"
                continue
            given = (lambda: answer("a"),) if kind == "function" else ("a",)
            got = track(*told, *given) if kind == "function" else decorator(function)(*given)
            assert (await got if asynchronous else got) == "A"

    asyncio.run(main())
    payloads = [event["payload"] for event in recorded.events]
    assert [payload.pop("latency_ms", 0) >= 0 for payload in payloads] == [True] * 5
    assert payloads == [
        {"tool": "x", "input": {"task": "a"}, "output": "A"},
        {"model": "x", "input": {"task": "a"}, "output": "A"},
        {"query": "a", "documents": "A"},
        {"to_agent_id": "x", "task": "a"},
        {"from_agent_id": "x", "result": "A"},
    ]


def test_a_block_that_is_entered_again_is_a_call_of_its_own(recorded: Recorded) -> None:
    tracer = recorded.tracer
    llm, tool, delegation = tracer.llm_call("m"), tracer.tool_call("t"), tracer.delegation("d")
    with contextlib.suppress(ValueError), llm, tool, delegation:
        llm.input_tokens, tool.output = 7, "half"
        raise ValueError("refused")
    with llm, tool, delegation:
        llm.output = tool.output = delegation.output = "whole"
    assert len({event["event_id"] for event in recorded.events}) == len(recorded.events)
    for kind, output in (("llm_call", "output"), ("tool_call", "output"), ("delegation_result", "result")):
        first, second = (event["payload"] for event in recorded.events if event["event_type"] == kind)
        assert (first["error"], second.get("error"), second[output]) == ("ValueError: refused", None, "whole")
        assert "input_tokens" not in second


def test_a_block_inside_itself_does_the_agent_no_harm(recorded: Recorded) -> None:
    call = recorded.tracer.tool_call("t")
    with call, call:
        pass
    assert recorded.tracer._recorder is not None
    assert not recorded.tracer._recorder.delivery.open_calls
    recorded.tracer.user_message("hi")
    assert recorded.last["payload"] == {"text": "hi"}


def test_a_call_whose_tokens_make_no_sense_is_recorded_all_the_same(recorded: Recorded) -> None:
    with recorded.tracer.llm_call("gpt-4o", "Hi") as call:
        call.output, call.input_tokens = "Hello", "many"  # type: ignore[assignment]
    with recorded.tracer.llm_call("gpt-4o", "Hi") as call:
        call.input_tokens, call.cost_usd = 5, Decimal("0.25")  # type: ignore[assignment]
    first, second = (event["payload"] for event in recorded.events)
    assert first["output"] == "Hello"
    assert second["cost_usd"] == 0.25


def test_what_langchain_puts_into_a_prompt_cache_costs_what_that_costs(recorded: Recorded) -> None:
    details = {"cache_creation": 9_000, "cache_read": 500}
    answer = AIMessage(
        content="Hi",
        usage_metadata={
            "input_tokens": 10_000,
            "output_tokens": 10,
            "total_tokens": 10_010,
            "input_token_details": details,
        },
    )
    recorded.tracer.track_llm_call("claude-sonnet-4-5", "Hi", lambda: answer)
    (event,) = recorded.events
    assert (event["payload"]["cache_write_tokens"], event["payload"]["cached_tokens"]) == (9_000, 500)
    assert event["payload"]["cost_usd"] == (500 * 3 + 500 * 0.3 + 9_000 * 3.75 + 10 * 15) / 1_000_000


def test_users_add_prices_of_their_own(tmp_path: Path) -> None:
    tracer = AgentTracer(agent_id="agent", file=tmp_path / "x.ndjson", prices={"mine": Price(input=2, output=4)})
    with tracer.llm_call("mine") as call:
        call.input_tokens, call.output_tokens = 1_000_000, 500_000
    tracer.close()
    assert read_file_events(tmp_path / "x.ndjson")[-1]["payload"]["cost_usd"] == 4.0


def test_a_session_begins_and_ends_with_its_with_block(tmp_path: Path) -> None:
    with AgentTracer(agent_id="agent", goal="Invoice Acme", file=tmp_path / "a.ndjson") as tracer:
        tracer.user_message("please")
        tracer.end(result={"invoice": "inv_1"})
    with pytest.raises(KeyError), AgentTracer(agent_id="agent", file=tmp_path / "a.ndjson") as failing:
        raise KeyError("gone")
    assert failing.flush(10)
    events = read_file_events(tmp_path / "a.ndjson")
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


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SystemExit(0), "succeeded"),
        (SystemExit("no"), "failed"),
        (KeyboardInterrupt(), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "cancelled"),
    ],
)
def test_a_session_that_is_left_before_its_end_has_the_status_of_it(
    error: BaseException, status: str, recorded: Recorded
) -> None:
    with pytest.raises(type(error)), recorded.tracer:
        raise error
    assert recorded.last["payload"]["status"] == status


def test_a_session_that_ends_with_an_error_failed_unless_it_is_said_otherwise(recorded: Recorded) -> None:
    recorded.tracer.end(error="no such customer")
    assert recorded.last["payload"] == {"status": "failed", "error": "no such customer"}


def test_an_error_that_leaves_a_session_behind_its_end_is_recorded(recorded: Recorded) -> None:
    def agent() -> None:
        with recorded.tracer as tracer:
            tracer.end(result="written")
            raise ValueError("not sent")

    with pytest.raises(ValueError, match="not sent"):
        agent()
    ends, error = recorded.events[-2:]
    assert (ends["event_type"], ends["payload"]["status"]) == ("session_end", "succeeded")
    assert (error["event_type"], error["payload"]) == ("error", {"type": "ValueError", "message": "not sent"})


def test_a_capture_file_that_ends_in_half_a_line_is_gone_on_with_on_the_next(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    path.write_bytes(b'{"event_id": "evt_to')
    tracer = AgentTracer("sess_1", agent_id="agent", file=path)
    tracer.user_message("please")
    assert tracer.flush(10)
    cut, whole = path.read_bytes().splitlines()
    assert cut == b'{"event_id": "evt_to'
    assert orjson.loads(split_line(whole, Place(None, -1, 0))[0])["payload"] == {"text": "please"}


def capture_records(*numbers: int) -> list[OutboundEvent]:
    records = [make_event(Author("sess_1", "a"), f"evt_{n}", "note", {"text": "x" * 500}, {}, []) for n in numbers]
    for record in records:
        record.answers = []
    return records


def write_to(sink: FileSink, records: list[OutboundEvent]) -> list[bool]:
    """Return for each record whether the sink says that the file has it."""
    for record in records:
        sink.send(record)
    sink.poll(0)
    return [record.answers[-1][1] is None for record in records]


def test_a_full_disk_leaves_whole_lines_in_a_capture_file_each_once(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    sink, records = FileSink(path), capture_records(1, 2, 3, 4)
    with full_disk(1_800):
        assert write_to(sink, records) == [True, True, False, False]
        assert [event["event_id"] for event in read_file_events(path)] == ["evt_1", "evt_2"]
        assert write_to(sink, records[2:]) == [False, False]
    assert write_to(sink, records[2:]) == [True, True]
    assert [event["event_id"] for event in read_file_events(path)] == ["evt_1", "evt_2", "evt_3", "evt_4"]
    assert [orjson.loads(line)["_record"]["offset"] for line in path.read_bytes().splitlines()] == [1, 2, 3, 4]


def test_a_full_disk_takes_nothing_from_another_process_that_writes_to_the_capture_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = tmp_path / "run.ndjson", os.write

    def write_a_part(descriptor: int, content: bytes) -> int:
        if path.stat().st_size:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, content[:1_000])
        with path.open("ab") as others:
            others.write(b"theirs\n")
        return written

    sink, records = FileSink(path), capture_records(1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_a_part)
        assert write_to(sink, records) == [True, False]
    assert write_to(sink, records[1:]) == [True]
    lines = path.read_bytes().splitlines()
    assert lines[1].endswith(b"theirs")
    assert [orjson.loads(lines[n])["event_id"] for n in (0, -1)] == ["evt_1", "evt_2"]


def test_several_that_record_to_one_capture_file_number_its_lines_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    here, there = (AgentTracer("sess_1", agent_id="agent", file=path, exit_s=exit_s) for exit_s in (9.0, 10.0))
    for tracer in (here, there, here, there):
        tracer.user_message("x")
        assert tracer.flush(10)
    offsets = [orjson.loads(line)["_record"]["offset"] for line in path.read_bytes().splitlines()]
    assert offsets == [1, 2, 3, 4]


def test_paths_are_those_of_when_the_tracer_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tracer = AgentTracer(
        agent_id="agent", file="run.ndjson", payloads="values", redact=dict, on_outage="spool", spool="waiting"
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    tracer.user_message("long " * 4_000)
    options = tracer._recorder.delivery.options
    assert tracer.flush(20)
    assert (options.target, options.spool_folder) == (tmp_path / "run.ndjson", tmp_path / "waiting")
    assert list(Path().iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"run.ndjson", "values", "waiting", "elsewhere"}


def test_a_tracer_that_goes_on_with_a_session_ends_it_only_when_told_to(recorded: Recorded) -> None:
    recorded.tracer.user_message("go on")
    recorded.tracer.close()
    assert [event["event_type"] for event in recorded.events] == ["user_message"]
    recorded.tracer.end("failed", error="out of time")
    assert recorded.last["event_type"] == "session_end"
    assert recorded.last["payload"] == {"status": "failed", "error": "out of time"}


def test_a_tracer_that_was_closed_records_on(recorded: Recorded) -> None:
    with recorded.tracer as tracer:
        pass
    tracer.close()
    tracer.close()
    tracer.user_message("one thing more")
    assert recorded.last["payload"] == {"text": "one thing more"}
    assert [event["event_type"] for event in recorded.events].count("session_end") == 1


class Interrupted:
    """A lock that Ctrl-C strikes in when it is left."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        raise KeyboardInterrupt


def test_ctrl_c_while_an_event_is_queued_leaves_none_that_is_waited_for_and_never_comes(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recorded.tracer._recorder is not None
    monkeypatch.setattr(recorded.tracer._recorder.delivery, "lock", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        recorded.tracer.user_message("x")
    monkeypatch.undo()
    assert recorded.last["payload"] == {"text": "x"}


def test_a_capture_file_that_is_deleted_is_made_anew(recorded: Recorded) -> None:
    recorded.tracer.user_message("before")
    assert len(recorded.events) == 1
    recorded.path.unlink()
    again = AgentTracer("sess_2", agent_id="agent", file=recorded.path)
    again.user_message("after")
    assert [event["payload"]["text"] for event in recorded.events] == ["after"]


def test_a_tracer_cant_be_pickled_and_says_what_to_do(recorded: Recorded) -> None:
    with pytest.raises(TypeError, match="from_headers"):
        pickle.dumps(recorded.tracer)
    with recorded.tracer as tracer, pytest.raises(TypeError, match="from_headers"):
        pickle.dumps(tracer)


def test_an_agents_state_that_holds_a_tracer_can_be_copied(recorded: Recorded) -> None:
    @dataclasses.dataclass
    class State:
        steps: list[str]
        tracer: AgentTracer

    state = State([], recorded.tracer)
    assert copy.deepcopy(state).tracer is recorded.tracer
    assert dataclasses.asdict(state)["tracer"] is recorded.tracer


def test_a_session_that_ends_before_anything_was_recorded_has_a_beginning(tmp_path: Path) -> None:
    tracer = AgentTracer(agent_id="agent", goal="Invoice Acme", file=tmp_path / "a.ndjson")
    tracer.end("cancelled")
    assert tracer.flush(10)
    assert [event["event_type"] for event in read_file_events(tmp_path / "a.ndjson")] == [
        "session_start",
        "session_end",
    ]


def test_a_goal_is_recorded_even_where_nothing_starts_the_session(tmp_path: Path) -> None:
    tracer = AgentTracer(agent_id="agent", goal="Invoice Acme", file=tmp_path / "a.ndjson")
    tracer.user_message("please")
    tracer.close()
    kinds = [event["event_type"] for event in read_file_events(tmp_path / "a.ndjson")]
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
    found = parents([event for event in read_file_events(path) if event["event_type"] == "tool_call"])
    assert (found["one.inner"], found["other.inner"]) == ("one.outer", "other.outer")


@pytest.mark.parametrize("in_a_block", [True, False])
def test_what_a_tracer_is_at_holds_inside_the_block_of_another(in_a_block: bool, tmp_path: Path) -> None:
    path = tmp_path / "both.ndjson"
    one, other = (AgentTracer(name, agent_id="agent", file=path) for name in ("sess_one", "sess_other"))

    def message(text: str) -> None:
        with one.tool_call("look"), other:
            one.user_message(text)
            other.user_message("another")
            one.track_tool_call("in it", {}, str)
            other.track_tool_call("other's", {}, str)

    one.user_message("before")
    with one if in_a_block else contextlib.nullcontext():
        message("inside")
    with other:
        one.track_tool_call("after", {}, str)
    assert one.flush(10)
    events = read_file_events(path)
    found = parents([event for event in events if event["event_type"] in {"tool_call", "user_message"}])
    assert (found["in it"], found["other's"], found["after"]) == ("inside", "another", "before")


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
    records = [decode_session_line(line, "sess_1", "run", n) for n, line in enumerate(lines, 1)]
    seen = build_timeline("sess_1", records)  # type: ignore[arg-type]
    shown = [step.kind for step in seen.steps]
    assert shown == ["session_start", "delegation", "tool_call", "delegation_result", "agent_message", "session_end"]
    lanes = seen.lanes
    assert [(lane.agent_id, lane.depth) for lane in lanes] == [("agent", 0), ("research-agent", 1)]


def test_a_sub_agents_own_session_has_its_task_for_a_goal(recorded: Recorded) -> None:
    with recorded.tracer.sub_agent("other", task="find it", session_id="sess_2") as sub:
        sub.user_message("where?")
    recorded.tracer.sub_agent("other", session_id="sess_3").start()
    starts = [event for event in recorded.events if event["event_type"] == "session_start"]
    assert [(start["session_id"], start["payload"]) for start in starts] == [
        ("sess_2", {"goal": "find it"}),
        ("sess_3", {}),
    ]


def test_sub_agents_work_in_parallel_each_under_its_own_delegation(recorded: Recorded) -> None:
    tracer = recorded.tracer

    async def work(name: str) -> None:
        async with tracer.sub_agent(name) as sub:
            await sub.track_tool_call(f"{name}.1", {}, lambda: asyncio.sleep(0.001))
            async with sub.sub_agent(f"{name}.sub") as below:
                await below.track_tool_call(f"{name}.2", {}, lambda: asyncio.sleep(0.001))

    async def main() -> None:
        async with tracer:
            await asyncio.gather(*(work(name) for name in ("a", "b", "c")))

    asyncio.run(main())
    events = {event["event_id"]: event for event in recorded.events}
    calls = [event for event in events.values() if event["event_type"] == "tool_call"]
    assert len(calls) == 6
    for call in calls:
        above = events[call["context"]["parent_event_id"]]
        assert (above["event_type"], above["payload"]["to_agent_id"]) == ("delegation", call["agent_id"])


def test_a_sub_agent_that_fails_is_told_in_the_result(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="lost"), recorded.tracer.sub_agent("research-agent", task="find it"):
        raise ValueError("lost")
    assert recorded.last["payload"]["error"] == "ValueError: lost"


def test_a_sub_agent_that_says_that_it_failed_is_told_in_the_result(recorded: Recorded) -> None:
    with recorded.tracer.sub_agent("research-agent") as sub:
        sub.end("failed", result="half of it")
    payload = recorded.last["payload"]
    assert payload == {"from_agent_id": "research-agent", "result": "half of it", "error": "failed"}


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
    alone = AgentTracer.from_headers({"agentlog-session-id": "x" * 501}, agent_id="service", file=recorded.path)
    assert alone.session_id.startswith("sess_")


@pytest.mark.parametrize("session_id", ["sess_ü 你/%41", "x" * 500])
def test_any_session_goes_into_headers_of_http_and_comes_out_as_it_was(session_id: str, tmp_path: Path) -> None:
    headers = AgentTracer(session_id, agent_id="agent", file=tmp_path / "x.ndjson").headers()
    assert all(value.isascii() for value in headers.values())
    options: dict[str, Any] = {"agent_id": "service", "file": tmp_path / "x.ndjson", "session_id": "sess_own"}
    assert AgentTracer.from_headers(headers, **options).session_id == session_id
    assert AgentTracer.from_headers({}, **options).session_id == "sess_own"


@pytest.mark.parametrize("value", [None, ["sess_1"], 7])
def test_a_header_that_is_no_text_names_no_session(value: object, tmp_path: Path) -> None:
    headers = {"agentlog-session-id": value, "agentlog-parent-event-id": value}
    tracer = AgentTracer.from_headers(headers, agent_id="service", file=tmp_path / "x.ndjson")
    assert tracer.session_id.startswith("sess_")
    assert tracer.session_id != "sess_1"


def test_a_call_is_announced_when_it_takes_long(recorded: Recorded) -> None:
    with recorded.tracer.tool_call("slow", {"n": 1}) as call:
        announced = eventually(lambda: recorded.events if recorded.path.stat().st_size else None, timeout=10)
        assert [event["event_type"] for event in announced] == ["call_started"]
        assert announced[0]["payload"]["call_id"] == call.event_id
        assert announced[0]["payload"]["input"] == {"n": 1}
        assert announced[0]["payload"]["latency_ms"] >= 500
    assert [event["event_type"] for event in recorded.events] == ["call_started", "tool_call"]
    assert recorded.last["event_id"] == call.event_id


def test_a_call_with_something_under_it_is_announced_once_behind_what_it_is_under(recorded: Recorded) -> None:
    with recorded.tracer.tool_call("outer") as outer, recorded.tracer.tool_call("inner") as inner:
        recorded.tracer.memory_write("a", 1)
        recorded.tracer.memory_write("b", 2)
    events = recorded.events
    announced = [event["payload"]["call_id"] for event in events if event["event_type"] == "call_started"]
    assert announced == [outer.event_id, inner.event_id]
    assert [event["event_type"] for event in events[:2]] == ["call_started", "call_started"]


def test_nothing_is_recorded_when_it_is_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLOG_DISABLED", "1")
    path = tmp_path / "none.ndjson"
    with AgentTracer(agent_id="agent", cluster="no-such-cluster") as tracer:
        assert tracer.track_tool_call("x", {}, lambda: 1) == 1
        with tracer.tool_call("x") as call, tracer.llm_call("m") as llm, tracer.retrieval("q") as search:
            call.output, llm.input_tokens, search.documents = 1, 2, []
            call.announce()
            assert (call.began, call.error, call.event_id, llm.model, llm.cost_usd, search.output) == (
                0,
                None,
                "",
                "",
                None,
                [],
            )
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
        ({"kafka": "127.0.0.1:9092"}, SettingsError, "an address is given as cluster="),
        ({"file": "/no/such/folder/run.ndjson"}, UsageError, "No such file"),
        ({"file": "run.ndjson.gz"}, UsageError, "a tracer writes no .gz"),
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
    assert ran.code == 0, ran.error_text
    assert "stripe.create_invoice" in ran.text
    assert "succeeded" in ran.text


@pytest.mark.parametrize("leave", [None, ValueError("broken"), SystemExit(0)], ids=["end", "error", "exit"])
def test_a_capture_file_holds_the_whole_session_when_its_block_ends(
    tmp_path: Path, leave: BaseException | None
) -> None:
    for number in range(5):
        file = tmp_path / f"{number}.ndjson"
        with contextlib.suppress(ValueError, SystemExit), AgentTracer(agent_id="a", goal="g", file=file) as tracer:
            tracer.track_tool_call("a.get", {"n": number}, lambda: 1)
            with tracer.sub_agent("helper") as helper:
                helper.record("decision", {"action": "go"})
            if leave is not None:
                raise leave
        kinds = [orjson.loads(line)["event_type"] for line in file.read_bytes().splitlines()]
        assert kinds[0] == "session_start"
        assert kinds[-1] == "session_end"
        assert {"tool_call", "decision", "delegation_result"} < set(kinds)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The times for which deliveries are waited for, each at most."""
    waits: list[float] = []
    wait = Delivery._wait

    def note_wait(delivery: Delivery, timeout_s: float, **options: Any) -> bool:
        waits.append(timeout_s)
        return wait(delivery, timeout_s, **options)

    monkeypatch.setattr(Delivery, "_wait", note_wait)
    return waits


@pytest.mark.parametrize("leave", [None, ValueError("broken")], ids=["end", "error"])
def test_a_session_is_waited_for_once(leave: BaseException | None, tmp_path: Path, waits: list[float]) -> None:
    tracer = AgentTracer(agent_id="a", file=tmp_path / "run.ndjson", exit_s=7)
    with contextlib.suppress(ValueError), tracer:
        if leave is not None:
            raise leave
    assert waits == [7]
    other = AgentTracer("sess_2", agent_id="a", file=tmp_path / "run.ndjson", exit_s=7)
    other.start()
    other.close(5)
    assert waits == [7, 5]


def test_a_session_waits_for_no_capture_file_once_the_next_call_raises(tmp_path: Path, waits: list[float]) -> None:
    tracer = AgentTracer(agent_id="a", file=tmp_path / "run.ndjson", exit_s=7)
    with tracer, full_disk(10):
        eventually(lambda: get_error(tracer, UsageError))
        waits.clear()
        tracer.end()
        assert waits == []
    eventually(lambda: tracer.flush(1))


def test_a_session_that_waits_for_its_capture_file_stops_when_the_next_call_raises(tmp_path: Path) -> None:
    tracer = AgentTracer(agent_id="a", file=tmp_path / "run.ndjson", exit_s=100_000)
    with full_disk(10):
        with tracer:
            pass
        assert "File too large" in get_error(tracer, UsageError)
    assert tracer.flush(20)


def test_what_a_slow_redact_function_holds_up_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    may_go_on = threading.Event()

    def redact(event: dict[str, Any]) -> dict[str, Any]:
        may_go_on.wait()
        return event

    tracer = AgentTracer(agent_id="a", file=tmp_path / "run.ndjson", redact=redact)
    tracer.user_message("please")
    with pytest.raises(KafkaUnavailable, match=r"^events are still being prepared, because redact= is slow"):
        tracer.close(0.05)
    may_go_on.set()
    tracer.close(10)


def test_what_a_slow_payload_store_holds_up_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on, open_store = threading.Event(), pipeline.open_store

    def open_slowly(location: str) -> Any:
        may_go_on.wait()
        return open_store(location)

    monkeypatch.setattr(pipeline, "open_store", open_slowly)
    tracer = AgentTracer(agent_id="a", file=tmp_path / "run.ndjson", payloads=tmp_path / "payloads")
    tracer.user_message("x" * 20_000)
    eventually(lambda: "payloads=" in str(tracer._recorder.delivery.explain_undelivered()))
    with pytest.raises(KafkaUnavailable, match=r"^the payload store is slow or can't be reached: payloads=; 1 event"):
        tracer.close(0)
    may_go_on.set()
    tracer.close(10)
