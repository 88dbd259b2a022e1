"""LangChain and LangGraph: handled errors, pauses, hand-overs, broken calls, and what an answer follows from."""

import asyncio
import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphBubbleUp, GraphInterrupt, ParentCommand
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, Interrupt, interrupt

import agentlog
from agentlog import AgentTracer
from agentlog.adapters.langchain import AgentlogCallback
from tests.tracing import Recording, read_file_events


def config(tracer: Any) -> Any:
    return {"callbacks": [AgentlogCallback(tracer)]}


def asks(*queries: str) -> AIMessage:
    calls: Any = [{"name": "search", "args": {"q": q}, "id": f"call_{q}", "type": "tool_call"} for q in queries]
    return AIMessage("", tool_calls=calls)


@tool
def search(q: str) -> str:
    """Search."""
    return f"found {q}"


def make_loop(*answers: AIMessage) -> Any:
    """Make a graph that asks a model and runs its tools, until the model asks for none."""
    model = FakeMessagesListChatModel(responses=list(answers))

    async def ask(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", ask)
    graph.add_node("tools", ToolNode([search]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition, {"tools": "tools", END: END})
    graph.add_edge("tools", "model")
    return graph.compile()


def list_chain(events: list[dict[str, Any]], last: dict[str, Any]) -> list[str]:
    """List the types of the events that ``last`` follows from."""
    by_id, chain = {event["event_id"]: event for event in events}, []
    at: dict[str, Any] | None = last
    while at is not None:
        chain.append(at["event_type"])
        at = by_id.get(at["context"].get("parent_event_id", ""))
    return chain


@pytest.mark.parametrize("streamed", [False, True])
def test_each_answer_of_a_loop_follows_from_the_tools_result_before_it(streamed: bool, recording: Recording) -> None:
    async def run() -> None:
        loop = make_loop(asks("a"), asks("b", "c"), AIMessage("done"))
        question = {"messages": [HumanMessage("go")]}
        if streamed:
            assert [part async for part in loop.astream(question, config=config(recording.tracer))]
        else:
            await loop.ainvoke(question, config=config(recording.tracer))
        recording.tracer.track_tool_call("mail.send", {}, lambda: 1)

    recording.tracer.user_message("go")
    asyncio.run(run())
    events = recording.events("user_message", "llm_call", "tool_call")
    (sent,) = [event for event in events if event["payload"].get("tool") == "mail.send"]
    assert list_chain(events, sent) == [
        *("tool_call", "llm_call", "tool_call", "llm_call", "tool_call", "llm_call", "user_message")
    ]


def test_an_answer_that_goes_on_from_another_models_answer_follows_from_it(recording: Recording) -> None:
    first = FakeMessagesListChatModel(responses=[AIMessage("a draft", id="m1")])
    second = FakeMessagesListChatModel(responses=[AIMessage("a better one")])
    with recording.tracer.tool_call("answer"):
        draft = first.invoke("write", config=config(recording.tracer))
    callbacks = config(recording.tracer)
    draft = first.invoke("write", config=callbacks)
    recording.tracer.user_message("and now?")
    second.invoke([HumanMessage("write"), draft], config=callbacks)
    _, drafted, improved = recording.events("llm_call")
    assert improved["context"]["parent_event_id"] == drafted["event_id"]


def test_an_answer_to_a_user_follows_from_what_was_before_in_the_session(recording: Recording) -> None:
    asked = recording.tracer.user_message("hi")
    model = FakeMessagesListChatModel(responses=[AIMessage("hello")])
    model.invoke([HumanMessage("hi")], config=config(recording.tracer))
    model.invoke([ToolMessage("x", tool_call_id="unknown")], config=config(recording.tracer))
    first, second = recording.events("llm_call")
    assert first["context"]["parent_event_id"] == asked
    assert second["context"]["parent_event_id"] == first["event_id"]


def test_sessions_that_share_a_callback_and_tool_call_ids_dont_mix(tmp_path: Path) -> None:
    shared = config(agentlog.current())

    async def serve(user: str) -> None:
        async with AgentTracer(f"sess_{user}", agent_id="web", file=tmp_path / "run.ndjson"):
            loop = make_loop(asks("a"), asks("b"), AIMessage("done"))
            await loop.ainvoke({"messages": [HumanMessage(user)]}, config=shared)

    async def serve_all() -> None:
        await asyncio.gather(*(serve(user) for user in "xyz"))
        await make_loop(AIMessage("nobody's")).ainvoke({"messages": [HumanMessage("n")]}, config=shared)

    asyncio.run(serve_all())
    assert AgentTracer(agent_id="web", file=tmp_path / "run.ndjson").flush(10)
    events = read_file_events(tmp_path / "run.ndjson")
    session_of = {event["event_id"]: event["session_id"] for event in events}
    calls = [event for event in events if event["event_type"] in ("llm_call", "tool_call")]
    assert len(calls) == 3 * 5
    assert all(session_of[event["context"]["parent_event_id"]] == event["session_id"] for event in calls)


def refund(order: int) -> str:
    """Refund an order."""
    raise ToolException("card is closed")


@pytest.mark.parametrize("order", [7, "seven"])
def test_a_tools_error_that_was_handled_is_an_error_with_what_the_tool_said(order: Any, recording: Recording) -> None:
    handled = StructuredTool.from_function(refund, handle_tool_error=True, handle_validation_error=True)
    asked: Any = {"name": "refund", "args": {"order": order}, "id": "c", "type": "tool_call"}
    answer = handled.invoke(asked, config=config(recording.tracer))
    payload = recording.call("tool_call")
    assert payload["error"] == answer.content
    assert "output" not in payload


@pytest.mark.parametrize(
    ("output", "error"),
    [
        (ToolMessage("no such order", tool_call_id="c", status="error"), "no such order"),
        (ToolMessage([{"type": "text", "text": "a"}, "b"], tool_call_id="c", status="error"), "a\nb"),
        ([ToolMessage("x", tool_call_id="c"), ToolMessage("y", tool_call_id="d", status="error")], "y"),
        (Command(update={"messages": [ToolMessage("y", tool_call_id="c", status="error")]}), "y"),
        (ToolMessage("fine", tool_call_id="c"), None),
        ({"status": "error"}, None),
        (Command(goto="x"), None),
        (None, None),
    ],
)
def test_an_output_tells_whether_its_tool_failed(output: Any, error: str | None, recording: Recording) -> None:
    callback, run = AgentlogCallback(recording.tracer), uuid4()
    callback.on_tool_start({"name": "t"}, "{}", run_id=run, inputs={})
    callback.on_tool_end(output, run_id=run)
    assert recording.call("tool_call").get("error") == error


class Pause(GraphInterrupt):
    """A pause of a program's own kind."""


class Leave(GraphBubbleUp):
    """Another way to leave a tool."""


INTERRUPTS = (Interrupt(value="Send it?"),)


@pytest.mark.parametrize(
    ("error", "reason", "output"),
    [
        (GraphInterrupt(INTERRUPTS), "interrupted", {"interrupted": ["Send it?"]}),
        (Pause(INTERRUPTS), "interrupted", {"interrupted": ["Send it?"]}),
        (GraphInterrupt(), "interrupted", {"interrupted": []}),
        (GraphInterrupt.__new__(GraphInterrupt), "interrupted", {"interrupted": []}),
        (Leave(), "interrupted", {"interrupted": []}),
        (Leave("shutdown"), "interrupted", {"interrupted": ["shutdown"]}),
    ],
)
@pytest.mark.parametrize("kind", ["tool", "llm", "retriever"])
def test_a_pause_is_no_error(kind: str, error: Exception, reason: str, output: Any, recording: Recording) -> None:
    callback, run = AgentlogCallback(recording.tracer), uuid4()
    if kind == "tool":
        callback.on_tool_start({"name": "t"}, "{}", run_id=run, inputs={})
        callback.on_tool_error(error, run_id=run)
    elif kind == "llm":
        callback.on_llm_start({}, ["go"], run_id=run)
        callback.on_llm_error(error, run_id=run)
    else:
        callback.on_retriever_start({}, "go", run_id=run)
        callback.on_retriever_error(error, run_id=run)
    (event,) = recording.events("tool_call", "llm_call", "retrieval")
    payload = event["payload"]
    assert payload["finish_reason"] == reason
    assert payload["documents" if kind == "retriever" else "output"] == output
    assert "error" not in payload


def test_a_hand_over_to_the_parent_graph_is_no_error(recording: Recording) -> None:
    callback, run = AgentlogCallback(recording.tracer), uuid4()
    callback.on_tool_start({"name": "transfer"}, "{}", run_id=run, inputs={})
    callback.on_tool_error(ParentCommand(Command(goto="boss", graph=Command.PARENT)), run_id=run)
    payload = recording.call("tool_call")
    assert (payload["finish_reason"], payload["output"]["goto"]) == ("handed_over", "boss")
    assert "error" not in payload


def test_what_another_version_may_send_raises_nothing_into_the_graph(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    callback = AgentlogCallback(recording.tracer)
    with caplog.at_level(logging.CRITICAL, "agentlog.recording"):
        for call in (callback.on_retriever_end, callback.on_llm_end, callback.on_tool_end, callback.on_chain_end):
            call(None, run_id=uuid4())
        for begin in (callback.on_llm_start, callback.on_chat_model_start, callback.on_tool_start):
            begin(None, None, run_id=uuid4())
        for fail in (callback.on_llm_error, callback.on_tool_error, callback.on_retriever_error):
            fail(None, run_id=uuid4())
        callback.on_retriever_start(None, None, run_id=uuid4())
        callback.on_interrupt(None)
        callback.on_resume(None)


def test_an_interrupt_in_a_node_is_no_error(recording: Recording) -> None:
    graph = StateGraph(MessagesState)
    graph.add_node("wait", lambda _: {"messages": [AIMessage(interrupt("Send it?"))]})
    graph.add_edge(START, "wait")
    agent = graph.compile(checkpointer=InMemorySaver())
    options = config(recording.tracer) | {"configurable": {"thread_id": "1"}}
    assert agent.invoke({"messages": [HumanMessage("go")]}, config=options)["__interrupt__"]
    assert agent.invoke(Command(resume="yes"), config=options)["messages"][-1].content == "yes"
    assert recording.events("error", "tool_call", "llm_call") == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (AIMessage("Dear Ac", response_metadata={"finish_reason": "length"}), "length"),
        (AIMessage("Dear Ac", response_metadata={"stop_reason": "max_tokens"}), "length"),
        (AIMessage("", response_metadata={"stopReason": "content_filtered"}), "content_filter"),
        (AIMessage("", response_metadata={"finish_reason": "SAFETY"}), "content_filter"),
        (AIMessage("", response_metadata={"status": "completed"}), "stop"),
        (
            AIMessage(
                "", response_metadata={"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
            ),
            "length",
        ),
        (asks("a"), "tool_calls"),
        (AIMessage("hi"), None),
    ],
)
def test_langchain_tells_how_an_answer_ended(message: AIMessage, reason: str | None, recording: Recording) -> None:
    FakeMessagesListChatModel(responses=[message]).invoke("go", config=config(recording.tracer))
    assert recording.call().get("finish_reason") == reason


def test_a_call_that_was_cut_off_is_recorded_as_it_came(recording: Recording) -> None:
    broken: Any = {"name": "send", "args": '{"to": "Ac', "id": "c", "error": None, "type": "invalid_tool_call"}
    model = FakeMessagesListChatModel(responses=[AIMessage("", invalid_tool_calls=[broken])])
    model.invoke("go", config=config(recording.tracer))
    assert recording.call()["output"]["invalid_tool_calls"] == [broken]
