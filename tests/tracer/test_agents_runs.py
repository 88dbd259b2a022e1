"""Runs of the OpenAI Agents SDK that wait for an approval, that go on later, and that run at once."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import openai
import pytest
from agents import (
    Agent,
    Handoff,
    Model,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    handoff,
    set_trace_processors,
    trace,
)

import agentlog
from agentlog import AgentTracer
from agentlog.adapters.openai_agents import AgentlogProcessor
from tests.model_server import TEXT
from tests.tracing import Recording, read_file_events

T = TypeVar("T")
ANSWER = "".join(TEXT)
POPULATION = "Paris: 2.1 million people"


@function_tool(needs_approval=True)
def lookup(city: str) -> str:
    return f"{city}: 2.1 million people"


def run_agents(server: str, by: Any, work: Callable[[Model], Coroutine[Any, Any, T]]) -> T:
    """Run ``work`` in the Agents SDK, traced by ``by``, with a model of the local server. Return its result."""

    async def run() -> T:
        async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="x") as client:
            return await work(OpenAIResponsesModel("gpt-4o", client))

    set_trace_processors([AgentlogProcessor(by)])
    try:
        return asyncio.run(run())
    finally:
        set_trace_processors([])


async def resume(agent: Agent[Any], result: Any, *, approve: bool = True) -> str:
    """Decide about all calls that wait, and let the run go on."""
    state = result.to_state()
    for each in state.get_interruptions():
        state.approve(each) if approve else state.reject(each)
    return str((await Runner.run(agent, state)).final_output)


def to(agent: Agent[Any]) -> Handoff[Any, Any]:
    """Make a handoff that the server's model asks for."""
    return handoff(agent, tool_name_override="lookup")


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_run_that_waits_for_an_approval_says_so_and_goes_on_in_its_session(
    streamed: bool, approve: bool, server: str, recording: Recording
) -> None:
    async def run(model: Model) -> str:
        agent = Agent("guide", model=model, tools=[lookup])
        if not streamed:
            return await resume(agent, await Runner.run(agent, "How many?"), approve=approve)
        running = Runner.run_streamed(agent, "How many?")
        assert [event async for event in running.stream_events()]
        return await resume(agent, running, approve=approve)

    assert run_agents(server, recording.tracer, run) == ANSWER
    events = recording.events("llm_call", "tool_call")
    asked, waiting, *decided, answered = events
    assert (waiting["event_type"], answered["event_type"]) == ("tool_call", "llm_call")
    assert (waiting["payload"]["finish_reason"], waiting["payload"]["output"]) == ("waiting_for_approval", None)
    assert [call["payload"]["output"] for call in decided] == ([POPULATION] if approve else [])
    assert not any("finish_reason" in call["payload"] for call in decided)
    parents = [event["context"].get("parent_event_id") for event in (waiting, *decided, answered)]
    assert set(parents) == {asked["event_id"]}


def test_a_tool_that_returns_nothing_waits_for_nobody(server: str, recording: Recording) -> None:
    @function_tool(name_override="lookup")
    def save(city: str) -> None: ...

    async def run(model: Model) -> None:
        await Runner.run(Agent("guide", model=model, tools=[save]), "Save it")

    run_agents(server, recording.tracer, run)
    (saved,) = recording.events("tool_call")
    assert saved["payload"]["output"] is None
    assert "finish_reason" not in saved["payload"]
    assert [event["event_type"] for event in recording.events("llm_call", "tool_call")][1] == "tool_call"


def test_an_agent_that_was_handed_a_run_waits_and_goes_on_in_its_own_lane(server: str, recording: Recording) -> None:
    async def run(model: Model) -> str:
        billing = Agent("billing", instructions="Call your tool", model=model, tools=[lookup])
        result = await Runner.run(Agent("guide", model=model, handoffs=[to(billing)]), "How many?")
        billing.instructions = "Answer"
        return await resume(billing, result)

    assert run_agents(server, recording.tracer, run) == ANSWER
    (delegation,) = recording.events("delegation")
    billing = [event for event in recording.events("llm_call", "tool_call") if event["agent_id"] == "billing"]
    assert [event["event_type"] for event in billing] == ["llm_call", "tool_call", "tool_call", "llm_call"]
    assert billing[0]["context"]["parent_event_id"] == delegation["event_id"]
    (result,) = recording.events("delegation_result")
    assert result["payload"] == {"from_agent_id": "billing", "result": ANSWER}


def test_a_session_of_its_own_stays_open_while_its_run_waits(server: str, recording: Recording) -> None:
    async def run(model: Model) -> None:
        agent = Agent("guide", model=model, tools=[lookup])
        result = await Runner.run(agent, "How many?")
        assert recording.events("session_end") == []
        await resume(agent, result)

    run_agents(server, lambda _: AgentTracer(agent_id="agent", goal="g", file=recording.path), run)
    assert len(recording.events("session_start")) == 1
    (end,) = recording.events("session_end")
    assert end["payload"]["status"] == "succeeded"
    assert len({event["session_id"] for event in recording.events("llm_call", "tool_call", "session_end")}) == 1


def test_runs_at_once_that_hand_over_to_one_agent_have_each_a_lane_and_a_result(
    server: str, recording: Recording
) -> None:
    async def run(model: Model) -> None:
        guide = Agent("guide", model=model, handoffs=[to(Agent("billing", model=model))])
        with trace("batch"):
            await asyncio.gather(*(Runner.run(guide, f"customer {n}") for n in range(4)))

    run_agents(server, recording.tracer, run)
    delegations = {event["event_id"]: event for event in recording.events("delegation")}
    answers = [event for event in recording.events("llm_call") if event["agent_id"] == "billing"]
    results = recording.events("delegation_result")
    asked = {event["event_id"] for event in recording.events("llm_call") if event["agent_id"] == "agent"}
    assert {event["context"]["parent_event_id"] for event in answers} == set(delegations)
    assert sorted(event["context"]["parent_event_id"] for event in results) == sorted(delegations)
    assert {event["context"]["parent_event_id"] for event in delegations.values()} == asked
    assert (len(delegations), len(answers), len(asked)) == (4, 4, 4)
    assert [event["payload"]["result"] for event in results] == [ANSWER] * 4


def test_a_run_after_another_in_a_trace_follows_from_its_last_answer(server: str, recording: Recording) -> None:
    async def run(model: Model) -> None:
        with trace("both"):
            await Runner.run(Agent("first", model=model), "Capital?")
            await Runner.run(Agent("second", model=model), "Capital?")

    run_agents(server, recording.tracer, run)
    first, second = recording.events("llm_call")
    assert second["context"]["parent_event_id"] == first["event_id"]


def test_one_processor_records_each_run_into_the_session_around_it(server: str, tmp_path: Path) -> None:
    async def serve(model: Model, user: str) -> None:
        agent = Agent("guide", model=model, tools=[lookup])
        async with AgentTracer(f"sess_{user}", agent_id="web", file=tmp_path / "run.ndjson") as tracer:
            result = await Runner.run(agent, user)
        async with AgentTracer(f"sess_{user}_2", agent_id="web", file=tmp_path / "run.ndjson") as tracer:
            await resume(agent, result)
        assert tracer.flush(10)

    async def run(model: Model) -> None:
        await asyncio.gather(*(serve(model, user) for user in "ab"))
        await Runner.run(Agent("guide", model=model), "outside")

    run_agents(server, agentlog.current(), run)
    kinds = [(event["session_id"], event["event_type"]) for event in read_file_events(tmp_path / "run.ndjson")]
    assert sorted(each for each in kinds if "session" not in each[1]) == [
        (session, kind)
        for user in "ab"
        for session in (f"sess_{user}", f"sess_{user}_2")
        for kind in ("llm_call", "tool_call")
    ]
