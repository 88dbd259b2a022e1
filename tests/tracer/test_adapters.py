"""The adapters, each with the real library. The model clients talk to a local server that speaks their API."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import anthropic
import openai
import pydantic
import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    Handoff,
    InputGuardrailTripwireTriggered,
    MaxTurnsExceeded,
    Model,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    Trace,
    agent_span,
    function_span,
    function_tool,
    guardrail_span,
    handoff,
    handoff_span,
    input_guardrail,
    set_trace_processors,
    trace,
)
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt

from agentlog import AgentTracer, KafkaUnavailable
from agentlog.adapters.anthropic import record_anthropic
from agentlog.adapters.langchain import AgentlogCallback
from agentlog.adapters.openai import record_openai
from agentlog.adapters.openai_agents import AgentlogProcessor
from agentlog.errors import UsageError
from devkafka import eventually
from tests.model_server import TEXT
from tests.tracing import Recording, full_disk, get_error, read_file_events

T = TypeVar("T")
ANSWER = "".join(TEXT)
ASKED: Any = [{"role": "user", "content": "What is the capital of France?"}]
TOOLS: Any = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}]
OPENAI_CHAT = {"input_tokens": 20, "output_tokens": 7, "cached_tokens": 8, "cost_usd": 0.00011}
OPENAI_RESPONSE = {"input_tokens": 30, "output_tokens": 9, "cached_tokens": 10, "cost_usd": 0.000152}
CLAUDE = {"input_tokens": 112, "output_tokens": 6, "cached_tokens": 100, "cost_usd": 0.000156}


def used(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: payload[name] for name in ("input_tokens", "output_tokens", "cached_tokens", "cost_usd")}


def openai_client(server: str, recording: Recording) -> openai.OpenAI:
    return record_openai(openai.OpenAI(base_url=f"{server}/v1", api_key="x", max_retries=0), recording.tracer)


def test_a_chat_completion_is_recorded_with_its_answer_tokens_and_cost(server: str, recording: Recording) -> None:
    with openai_client(server, recording) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=ASKED, temperature=0)
    assert answer.choices[0].message.content == ANSWER
    payload = recording.call()
    assert (payload["model"], payload["input"], payload["output"]) == ("gpt-4o-2024-08-06", ASKED, ANSWER)
    assert payload["parameters"] == {"temperature": 0}
    assert used(payload) == OPENAI_CHAT


def test_an_answer_that_is_cut_off_before_it_can_be_parsed_is_recorded_with_its_cost(
    server: str, recording: Recording
) -> None:
    class City(pydantic.BaseModel):
        name: str

    with openai_client(server, recording) as client, pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model="gpt-4o", messages=ASKED, response_format=City, max_tokens=7)
    payload = recording.call()
    assert payload["error"].startswith("LengthFinishReasonError: ")
    assert payload["output"] == ANSWER
    assert used(payload) == OPENAI_CHAT


def test_a_streamed_chat_is_recorded_when_it_ends(server: str, recording: Recording) -> None:
    with openai_client(server, recording) as client:
        stream = client.chat.completions.create(
            model="gpt-4o", messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
        got = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert got == TEXT
    payload = recording.call()
    assert payload["output"] == ANSWER
    assert used(payload) == OPENAI_CHAT


def test_a_streams_tool_calls_are_put_together(server: str, recording: Recording) -> None:
    with openai_client(server, recording) as client:
        list(client.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True, tools=TOOLS))
    (call,) = recording.call()["output"]["tool_calls"]
    assert call["function"] == {"name": "lookup", "arguments": '{"city": "Paris"}'}


def test_a_stream_that_is_left_early_is_recorded_as_far_as_it_came(server: str, recording: Recording) -> None:
    client = openai_client(server, recording)
    with client, client.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True) as stream:
        next(iter(stream))
    assert recording.call()["output"] == TEXT[0]


def test_a_stream_that_is_dropped_is_recorded_as_far_as_it_came(server: str, recording: Recording) -> None:
    with openai_client(server, recording) as client:
        stream = client.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True)
        next(stream)
        stream.response.close()
        del stream
    assert recording.call()["output"] == TEXT[0]


def test_a_refused_call_is_recorded_with_its_error_and_raises(server: str, recording: Recording) -> None:
    with openai_client(server, recording) as client, pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "fail"}])
    assert "BadRequestError" in recording.call()["error"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_is_recorded(stream: bool, server: str, recording: Recording) -> None:
    with openai_client(server, recording) as client:
        answer: Any = client.responses.create(model="gpt-4o", input="Capital?", instructions="Be short", stream=stream)
        if stream:
            assert [event.delta for event in answer if event.type == "response.output_text.delta"] == TEXT
    payload = recording.call()
    assert payload["input"] == {"instructions": "Be short", "input": "Capital?"}
    assert payload["output"] == ANSWER
    assert used(payload) == OPENAI_RESPONSE


def test_the_async_client_is_recorded_too(server: str, recording: Recording) -> None:
    async def ask() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="x") as client:
            record_openai(client, recording.tracer)
            await client.chat.completions.create(model="gpt-4o", messages=ASKED)
            stream = await client.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True)
            return [chunk async for chunk in stream]

    assert len(asyncio.run(ask())) == 4
    assert [event["payload"]["output"] for event in recording.events("llm_call")] == [ANSWER, ANSWER]


def test_the_stream_helpers_of_openais_client_are_recorded(server: str, recording: Recording) -> None:
    with openai_client(server, recording) as client:
        with client.chat.completions.stream(model="gpt-4o", messages=ASKED) as chat:
            assert chat.get_final_completion().choices[0].message.content == ANSWER
        with client.responses.stream(model="gpt-4o", input="Capital?") as response:
            assert response.get_final_response().output_text == ANSWER
    assert [event["payload"]["output"] for event in recording.events("llm_call")] == [ANSWER, ANSWER]


def test_a_stream_helper_that_is_left_early_is_recorded_as_far_as_it_came(server: str, recording: Recording) -> None:
    async def ask() -> None:
        async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="x") as client:
            record_openai(client, recording.tracer)
            async with client.responses.stream(model="gpt-4o", input="Capital?") as stream:
                assert await anext(event async for event in stream if event.type == "response.output_text.delta")
            kept.append(stream)

    kept: list[Any] = []
    with openai_client(server, recording) as client:
        with client.chat.completions.stream(model="gpt-4o", messages=ASKED) as chat:
            assert next(event for event in chat if event.type == "content.delta")
        kept.append(chat)
        asyncio.run(ask())
        assert [event["payload"]["output"] for event in recording.events("llm_call")] == [TEXT[0], TEXT[0]]


def test_a_raw_response_is_recorded_by_what_it_holds_and_left_to_the_program(server: str, recording: Recording) -> None:
    async def ask() -> None:
        async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="x") as client:
            raw = await record_openai(client, recording.tracer).chat.completions.with_raw_response.create(
                model="gpt-4o", messages=ASKED
            )
            assert raw.parse().choices[0].message.content == ANSWER
        async with anthropic.AsyncAnthropic(base_url=server, api_key="x") as claude:
            answer: Any = await record_anthropic(claude, recording.tracer).messages.with_raw_response.create(
                model="claude-x", max_tokens=9, messages=ASKED
            )
            assert (await answer.parse()).content[0].text == ANSWER

    asyncio.run(ask())
    with openai_client(server, recording) as client:
        completions = client.chat.completions
        assert completions.with_raw_response.create(model="gpt-4o", messages=ASKED).parse().choices
        with completions.with_streaming_response.create(model="gpt-4o", messages=ASKED) as body:
            assert ANSWER in "".join(body.iter_text())
    *outputs, left = [event["payload"]["output"] for event in recording.events("llm_call")]
    assert outputs == [ANSWER] * 3
    assert left == "<read by the program itself>"


def test_an_error_inside_of_anthropics_stream_block_is_the_calls(server: str, recording: Recording) -> None:
    def read(client: anthropic.Anthropic) -> None:
        with client.messages.stream(model="claude-x", max_tokens=9, messages=ASKED) as stream:
            next(iter(stream))
            raise LookupError("mine")

    with anthropic_client(server, recording) as client, pytest.raises(LookupError):
        read(client)
    assert recording.call()["error"] == "LookupError: mine"


def test_what_is_no_call_of_a_model_is_left_alone(recording: Recording) -> None:
    client = openai.OpenAI(api_key="x")
    before = client.embeddings.create
    record_openai(client, recording.tracer)
    assert client.embeddings.create == before
    once = client.chat.completions.create
    record_openai(client, recording.tracer)
    assert client.chat.completions.create is once


def anthropic_client(server: str, recording: Recording) -> anthropic.Anthropic:
    return record_anthropic(anthropic.Anthropic(base_url=server, api_key="x", max_retries=0), recording.tracer)


@pytest.mark.parametrize("stream", [False, True])
def test_a_message_is_recorded_with_its_cached_tokens_among_the_input(
    stream: bool, server: str, recording: Recording
) -> None:
    with anthropic_client(server, recording) as client:
        answer: Any = client.messages.create(
            model="claude-x", max_tokens=99, messages=ASKED, system="Be short", stream=stream
        )
        if stream:
            assert [event.delta.text for event in answer if event.type == "content_block_delta"] == TEXT
    payload = recording.call()
    assert payload["input"] == {"system": "Be short", "messages": ASKED}
    assert payload["output"] == ANSWER
    assert used(payload) == CLAUDE


def test_anthropics_stream_helper_is_recorded(server: str, recording: Recording) -> None:
    client = anthropic_client(server, recording)
    with client, client.messages.stream(model="claude-x", max_tokens=99, messages=ASKED) as stream:
        assert list(stream.text_stream) == TEXT
    payload = recording.call()
    assert payload["output"] == ANSWER
    assert used(payload) == CLAUDE


def test_a_streamed_tool_use_is_put_together(server: str, recording: Recording) -> None:
    with anthropic_client(server, recording) as client:
        tools: Any = [{"name": "lookup", "input_schema": {"type": "object"}}]
        list(client.messages.create(model="claude-x", max_tokens=9, messages=ASKED, stream=True, tools=tools))
    payload = recording.call()
    assert payload["output"][1]["input"] == {"city": "Paris"}


def test_what_is_asked_by_the_beta_of_a_client_is_recorded(server: str, recording: Recording) -> None:
    with openai_client(server, recording) as client:
        client.beta.chat.completions.create(model="gpt-4o", messages=ASKED)
    with anthropic_client(server, recording) as claude:
        claude.beta.messages.create(model="claude-x", max_tokens=9, messages=ASKED)
        with claude.beta.messages.stream(model="claude-x", max_tokens=9, messages=ASKED) as stream:
            stream.until_done()
    assert [event["payload"]["output"] for event in recording.events("llm_call")] == [ANSWER] * 3


def test_anthropics_async_client_is_recorded_too(server: str, recording: Recording) -> None:
    async def ask() -> None:
        async with anthropic.AsyncAnthropic(base_url=server, api_key="x") as client:
            record_anthropic(client, recording.tracer)
            await client.messages.create(model="claude-x", max_tokens=99, messages=ASKED)
            async with client.messages.stream(model="claude-x", max_tokens=99, messages=ASKED) as stream:
                assert [text async for text in stream.text_stream] == TEXT

    asyncio.run(ask())
    assert [event["payload"]["output"] for event in recording.events("llm_call")] == [ANSWER, ANSWER]


@tool
def lookup(city: str) -> str:
    """Look a city up."""
    if city == "Atlantis":
        raise ValueError("no such city")
    return f"{city}: 2.1 million people"


class Library(BaseRetriever):
    """Knows one thing."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document("Paris lies on the Seine", metadata={"source": "atlas"})]


def test_a_langgraph_agents_models_tools_and_searches_are_recorded(recording: Recording) -> None:
    model = FakeMessagesListChatModel(
        responses=[
            AIMessage("", tool_calls=[{"id": "1", "name": "lookup", "args": {"city": "Paris"}}]),
            AIMessage(ANSWER, usage_metadata={"input_tokens": 30, "output_tokens": 9, "total_tokens": 39}),
        ]
    )
    graph = StateGraph(MessagesState)
    graph.add_node("search", lambda state: {"messages": [AIMessage(Library().invoke("Paris")[0].page_content)]})
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([lookup]))
    graph.add_edge(START, "search")
    graph.add_edge("search", "model")
    graph.add_conditional_edges("model", tools_condition, {"tools": "tools", END: END})
    graph.add_edge("tools", "model")
    with recording.tracer.tool_call("answer") as outer:
        callbacks: Any = {"callbacks": [AgentlogCallback(recording.tracer)]}
        graph.compile().invoke({"messages": [HumanMessage("How many people live in Paris?")]}, config=callbacks)
    events = recording.events("llm_call", "tool_call", "retrieval")
    assert [event["event_type"] for event in events] == ["retrieval", "llm_call", "tool_call", "llm_call", "tool_call"]
    search, first, called, second, _ = (event["payload"] for event in events)
    assert search["documents"] == [{"text": "Paris lies on the Seine", "metadata": {"source": "atlas"}}]
    assert first["output"]["tool_calls"][0]["name"] == "lookup"
    assert (called["tool"], called["input"], called["output"]) == (
        "lookup",
        {"city": "Paris"},
        "Paris: 2.1 million people",
    )
    assert second["input_tokens"] == 30
    assert events[0]["context"]["parent_event_id"] == outer.event_id


def test_a_tool_call_of_langgraph_follows_from_the_answer_that_asked_for_it(recording: Recording) -> None:
    asked = [{"id": city, "name": "lookup", "args": {"city": city}} for city in ("Paris", "Rome")]
    model = FakeMessagesListChatModel(responses=[AIMessage("", tool_calls=asked)])
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([lookup]))
    graph.add_edge(START, "model")
    graph.add_edge("model", "tools")
    callbacks: Any = {"callbacks": [AgentlogCallback(recording.tracer)]}
    graph.compile().invoke({"messages": [HumanMessage("How many?")]}, config=callbacks)
    model_call, *tool_calls = recording.events("llm_call", "tool_call")
    assert [call["context"]["parent_event_id"] for call in tool_calls] == [model_call["event_id"]] * 2


def test_a_stream_of_langchain_that_is_left_early_is_recorded_as_far_as_it_came(recording: Recording) -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage("Paris, of course")]))
    stream: Any = model.stream("Capital?", config={"callbacks": [AgentlogCallback(recording.tracer)]})
    assert next(stream).content == "Paris,"
    stream.close()
    payload = recording.call()
    assert payload["output"] == {"role": "ai", "content": "Paris,"}
    assert "error" not in payload


def test_a_langgraph_tool_that_waits_for_a_human_has_not_failed(recording: Recording) -> None:
    @tool
    def ask(question: str) -> str:
        """Ask a human."""
        return str(interrupt(question))

    call = {"id": "1", "name": "ask", "args": {"question": "Send it?"}, "type": "tool_call"}
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([ask]))
    graph.add_edge(START, "tools")
    agent = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"callbacks": [AgentlogCallback(recording.tracer)], "configurable": {"thread_id": "1"}}
    agent.invoke({"messages": [AIMessage("", tool_calls=[call])]}, config=config)
    agent.invoke(Command(resume="yes"), config=config)
    waited, answered = (event["payload"] for event in recording.events("tool_call"))
    assert (waited["output"], answered["output"]) == ({"interrupted": ["Send it?"]}, "yes")
    assert (waited["finish_reason"], waited.get("error")) == ("interrupted", None)


def test_a_call_that_is_cancelled_with_its_langgraph_run_ends(recording: Recording) -> None:
    class Slow(FakeMessagesListChatModel):
        async def _agenerate(self, *_: Any, **__: Any) -> Any:
            asked.set()
            await asyncio.Event().wait()

    async def ask(state: MessagesState) -> Any:
        return {"messages": [await Slow(responses=[]).ainvoke(state["messages"])]}

    async def run() -> None:
        graph = StateGraph(MessagesState)
        graph.add_node("model", ask)
        graph.add_edge(START, "model")
        callbacks: Any = {"callbacks": [AgentlogCallback(recording.tracer)]}
        task = asyncio.create_task(graph.compile().ainvoke({"messages": [HumanMessage("Hello")]}, config=callbacks))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asked = asyncio.Event()
    asyncio.run(run())
    payload = recording.call()
    assert (payload["finish_reason"], payload.get("error")) == ("cancelled", None)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_a_langchain_tool_records_belongs_to_its_call(asynchronous: bool, recording: Recording) -> None:
    @tool
    def census(city: str) -> int:
        """Count the people of a city."""
        return recording.tracer.track_retrieval(city, lambda: 2_100_000)

    @tool
    async def async_census(city: str) -> int:
        """Count the people of a city."""
        return recording.tracer.track_retrieval(city, lambda: 2_100_000)

    async def ask() -> None:
        await async_census.ainvoke(*arguments)
        recording.tracer.log_decision("go on")

    arguments: Any = {"city": "Paris"}, {"callbacks": [AgentlogCallback(recording.tracer)]}
    if asynchronous:
        asyncio.run(ask())
    else:
        census.invoke(*arguments)
        recording.tracer.log_decision("go on")
    search, called, decision = recording.events("retrieval", "tool_call", "decision")
    assert search["context"]["parent_event_id"] == called["event_id"]
    assert "parent_event_id" not in decision["context"]


def test_a_langchain_tool_that_fails_is_recorded_with_its_error(recording: Recording) -> None:
    with pytest.raises(ValueError, match="no such city"):
        lookup.invoke({"city": "Atlantis"}, config={"callbacks": [AgentlogCallback(recording.tracer)]})
    assert recording.call("tool_call")["error"] == "ValueError: no such city"


def away(tmp_path: Path) -> AgentTracer:
    """Make a tracer whose events have waited too long for Kafka."""
    tracer = AgentTracer(
        "sess_1", agent_id="agent", cluster="127.0.0.1:1", topic=tmp_path.name, outage_s=0.05, exit_s=0
    )
    tracer.user_message("before")
    eventually(lambda: get_error(tracer, KafkaUnavailable), timeout=20)
    return tracer


@pytest.mark.parametrize("asynchronous", [False, True])
def test_langchain_is_told_that_events_cant_be_delivered(asynchronous: bool, tmp_path: Path) -> None:
    arguments: Any = {"city": "Paris"}, {"callbacks": [AgentlogCallback(away(tmp_path))]}
    with pytest.raises(KafkaUnavailable):
        asyncio.run(lookup.ainvoke(*arguments)) if asynchronous else lookup.invoke(*arguments)


def test_langchain_is_told_that_a_capture_file_takes_no_events(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "run.ndjson")
    with full_disk(10):
        tracer.user_message("before")
        eventually(lambda: get_error(tracer, UsageError))
        with pytest.raises(UsageError, match="events can't be recorded to this capture file"):
            lookup.invoke({"city": "Paris"}, {"callbacks": [AgentlogCallback(tracer)]})
    assert "a run of LangChain couldn't be recorded" not in caplog.text
    tracer.close(10)


@contextmanager
def traced(by: Any) -> Iterator[None]:
    """Trace the Agents SDK with `by` only: a tracer, or a function that makes one for each run."""
    set_trace_processors([AgentlogProcessor(by)])
    try:
        yield
    finally:
        set_trace_processors([])


def run_agents(
    server: str, by: Any, work: Callable[[Model], Coroutine[Any, Any, T]], kind: Any = OpenAIResponsesModel
) -> T:
    """Run ``work`` in the Agents SDK, traced by ``by``, with a model of the local server. Return its result."""

    async def run() -> T:
        async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="x") as client:
            return await work(kind("gpt-4o", client))

    with traced(by):
        return asyncio.run(run())


async def ask(agent: Agent[Any], streamed: bool) -> None:
    if streamed:
        assert [event async for event in Runner.run_streamed(agent, "Capital?").stream_events()]
    else:
        await Runner.run(agent, "Capital?")


def test_an_agent_of_the_agents_sdk_goes_on_without_kafka_and_its_events_wait(tmp_path: Path) -> None:
    tracer = away(tmp_path)
    with traced(tracer), trace("w"), agent_span("guide"):
        with function_span("lookup", "{}"), guardrail_span("no_capitals", triggered=True):
            pass
        with handoff_span("guide", "billing"):
            pass
    assert tracer.stats().queued == 6


def test_an_agent_of_the_agents_sdk_is_recorded(server: str, recording: Recording) -> None:
    @function_tool
    def lookup(city: str) -> str:
        return recording.tracer.track_retrieval(city, lambda: f"{city}: 2.1 million people")

    async def run(model: Model) -> str:
        agent = Agent("guide", instructions="Be short", model=model, tools=[lookup], model_settings=ModelSettings())
        result = await Runner.run(agent, "How many people live in Paris?", run_config=RunConfig(workflow_name="w"))
        return str(result.final_output)

    assert run_agents(server, recording.tracer, run) == ANSWER
    (search,) = recording.events("retrieval")
    events = recording.events("llm_call", "tool_call")
    assert [event["event_type"] for event in events] == ["llm_call", "tool_call", "llm_call"]
    assert search["context"]["parent_event_id"] == events[1]["event_id"]
    called = events[1]["payload"]
    assert (called["tool"], called["input"], called["output"]) == (
        "lookup",
        {"city": "Paris"},
        "Paris: 2.1 million people",
    )
    assert used(events[2]["payload"]) == OPENAI_RESPONSE
    assert events[2]["payload"]["output"] == ANSWER
    assert events[0]["payload"]["input"][0]["content"] == "How many people live in Paris?"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_chat_in_the_agents_sdk_is_recorded_with_what_the_model_says(
    streamed: bool, server: str, recording: Recording
) -> None:
    async def run(model: Model) -> None:
        await ask(Agent("guide", model=model), streamed)

    run_agents(server, recording.tracer, run, OpenAIChatCompletionsModel)
    payload = recording.call()
    assert payload["output"] == ANSWER
    assert used(payload) == OPENAI_CHAT


def test_a_model_in_the_agents_sdk_tells_its_tokens_also_where_contents_are_kept_out(
    server: str, recording: Recording
) -> None:
    async def run(model: Model) -> None:
        agent = Agent("guide", model=model)
        await Runner.run(agent, "Capital?", run_config=RunConfig(trace_include_sensitive_data=False))

    run_agents(server, recording.tracer, run)
    payload = recording.call()
    assert (payload["input"], payload["output"], payload["input_tokens"]) == (None, None, 30)


def test_a_model_that_is_cancelled_in_the_agents_sdk_has_not_answered(server: str, recording: Recording) -> None:
    class Slow(OpenAIResponsesModel):
        async def _fetch_response(self, *_: Any, **__: Any) -> Any:
            asked.set()
            await asyncio.Event().wait()

    async def run(model: Model) -> None:
        task = asyncio.create_task(Runner.run(Agent("guide", model=model), "Capital?"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asked = asyncio.Event()
    run_agents(server, recording.tracer, run, Slow)
    payload = recording.call()
    assert (payload["finish_reason"], payload.get("error")) == ("cancelled", None)


def who_did_what(recording: Recording) -> list[tuple[str, str, str | None]]:
    """List each event's agent, its type, and the type of its parent."""
    events = read_file_events(recording.path) if recording.tracer.flush(10) else []
    kinds = {event["event_id"]: event["event_type"] for event in events}
    return [(e["agent_id"], e["event_type"], kinds.get(e["context"].get("parent_event_id", ""))) for e in events]


def to(agent: Agent[Any]) -> Handoff[Any, Any]:
    """Make a handoff that the server's model asks for."""
    return handoff(agent, tool_name_override="lookup")


@pytest.mark.parametrize("streamed", [False, True])
def test_what_an_agent_of_the_agents_sdk_hands_over_is_a_delegation_to_the_one_that_goes_on(
    streamed: bool, server: str, recording: Recording
) -> None:
    async def run(model: Model) -> None:
        expert = Agent("expert", model=model)
        billing = Agent("billing", instructions="Call your tool", model=model, handoffs=[to(expert)])
        await ask(Agent("guide", model=model, handoffs=[to(billing)]), streamed)

    run_agents(server, recording.tracer, run)
    assert who_did_what(recording) == [
        ("agent", "llm_call", None),
        ("agent", "delegation", "llm_call"),
        ("billing", "llm_call", "delegation"),
        ("billing", "delegation", "llm_call"),
        ("agent", "delegation_result", "delegation"),
        ("expert", "llm_call", "delegation"),
        ("billing", "delegation_result", "delegation"),
    ]
    assert [event["payload"]["result"] for event in recording.events("delegation_result")] == [None, ANSWER]


def test_an_agent_of_the_agents_sdk_that_is_handed_the_run_back_goes_on_in_its_own_name(
    server: str, recording: Recording
) -> None:
    async def run(model: Model) -> None:
        guide: Agent[Any] = Agent("guide", model=model)
        guide.handoffs = [to(Agent("billing", instructions="Call your tool", model=model, handoffs=[to(guide)]))]
        await Runner.run(guide, "Capital?")

    run_agents(server, recording.tracer, run)
    assert who_did_what(recording) == [
        ("agent", "llm_call", None),
        ("agent", "delegation", "llm_call"),
        ("billing", "llm_call", "delegation"),
        ("agent", "delegation_result", "delegation"),
        ("agent", "llm_call", "llm_call"),
    ]


def test_what_a_tool_of_an_agent_that_was_handed_the_run_records_belongs_to_the_tool(
    server: str, recording: Recording
) -> None:
    @function_tool
    def lookup(city: str) -> str:
        return recording.tracer.track_retrieval(city, lambda: city)

    async def run(model: Model) -> None:
        billing = Agent("billing", instructions="Call your tool", model=model, tools=[lookup])
        with suppress(MaxTurnsExceeded):
            await Runner.run(Agent("guide", model=model, handoffs=[to(billing)]), "Capital?", max_turns=3)

    run_agents(server, recording.tracer, run)
    actions = [did for did in who_did_what(recording) if did[1] != "call_started"]
    assert actions == [
        ("agent", "llm_call", None),
        ("agent", "delegation", "llm_call"),
        ("billing", "llm_call", "delegation"),
        ("agent", "retrieval", "tool_call"),
        ("billing", "tool_call", "llm_call"),
        ("billing", "llm_call", "llm_call"),
        ("agent", "retrieval", "tool_call"),
        ("billing", "tool_call", "llm_call"),
        ("agent", "delegation_result", "delegation"),
    ]
    assert recording.call("delegation_result")["error"].startswith("Max turns exceeded")


def test_a_run_of_the_agents_sdk_whose_stream_is_left_leaves_nothing_open(server: str, recording: Recording) -> None:
    async def run(model: Model) -> None:
        running = Runner.run_streamed(Agent("guide", model=model), "Capital?")
        async for event in running.stream_events():
            if event.type == "raw_response_event":
                running.cancel()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

    run_agents(server, recording.tracer, run)
    begun, ended = recording.events("call_started"), recording.events("llm_call")
    assert len(ended) == 1
    assert {event["payload"]["call_id"] for event in begun} <= {event["event_id"] for event in ended}


def test_an_agent_of_the_agents_sdk_that_a_tool_runs_works_under_its_call(server: str, recording: Recording) -> None:
    async def run(model: Model) -> None:
        @function_tool
        async def lookup(city: str) -> str:
            return str((await Runner.run(Agent("expert", model=model), city)).final_output)

        await Runner.run(Agent("guide", model=model, tools=[lookup]), "Capital?")

    run_agents(server, recording.tracer, run)
    actions = [did[1:] for did in who_did_what(recording) if did[1] != "call_started"]
    assert actions == [
        ("llm_call", None),
        ("llm_call", "tool_call"),
        ("tool_call", "llm_call"),
        ("llm_call", "llm_call"),
    ]


def test_a_guardrail_of_the_agents_sdk_that_is_triggered_is_an_error(server: str, recording: Recording) -> None:
    @input_guardrail
    async def no_capitals(_: Any, __: Any, asked: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered="Capital" in str(asked))

    async def run(model: Model) -> None:
        guide = Agent("guide", model=model, input_guardrails=[no_capitals])
        await Runner.run(guide, "Which river?")
        with pytest.raises(InputGuardrailTripwireTriggered):
            await Runner.run(guide, "Capital?")

    run_agents(server, recording.tracer, run)
    assert recording.call("error") == {"type": "guardrail", "message": "no_capitals was triggered"}


def test_a_handoff_of_the_agents_sdk_that_fails_is_an_error(server: str, recording: Recording) -> None:
    def refuse(_: Any) -> None:
        raise LookupError("nobody is there")

    async def run(model: Model) -> None:
        away = handoff(Agent("billing", model=model), tool_name_override="lookup", on_handoff=refuse)
        await Runner.run(Agent("guide", model=model, handoffs=[away]), "Capital?")

    with pytest.raises(LookupError):
        run_agents(server, recording.tracer, run)
    message = "guide couldn't hand over: LookupError: nobody is there"
    assert recording.call("error") == {"type": "handoff", "message": message}
    assert recording.events("delegation") == []


def test_a_session_for_each_run_of_the_agents_sdk_ends_as_the_run_did(server: str, recording: Recording) -> None:
    def tracer_of(_: Trace) -> AgentTracer:
        return AgentTracer(agent_id="agent", goal="Tell a capital", file=recording.path)

    async def run(model: Model) -> None:
        agent = Agent("guide", model=model)
        try:
            await Runner.run(agent, "fail")
        except openai.BadRequestError:
            await Runner.run(agent, "Capital?")

    run_agents(server, tracer_of, run)
    begun, ended = recording.events("session_start"), recording.events("session_end")
    assert [event["payload"] for event in begun] == [{"goal": "Tell a capital"}] * 2
    assert [event["payload"]["status"] for event in ended] == ["failed", "succeeded"]
    assert ended[0]["payload"]["error"].startswith("BadRequestError: ")
