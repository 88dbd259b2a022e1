"""Answers as services send them: in pieces, cut off, refused, failed, made in the background. Real client libraries."""

import asyncio
from typing import Any

import anthropic
import openai
import pytest
from langchain_core.messages import AIMessage

from agentlog.adapters.anthropic import record_anthropic
from agentlog.adapters.openai import record_openai
from agentlog.recording.prepare.finish import FINISH_REASONS, extract_finish, normalize_finish_reason
from tests.model_server import CHAT, CLAUDE, RESPONSE_USAGE, name_events, script_answers
from tests.tracing import Recording

ASKED: Any = [{"role": "user", "content": "go"}]


def openai_client(server: str, recording: Recording) -> openai.OpenAI:
    return record_openai(openai.OpenAI(base_url=f"{server}/v1", api_key="x", max_retries=0), recording.tracer)


def anthropic_client(server: str, recording: Recording) -> anthropic.Anthropic:
    return record_anthropic(anthropic.Anthropic(base_url=server, api_key="x", max_retries=0), recording.tracer)


def stream_chat(server: str, recording: Recording, *deltas: dict[str, Any], **last: Any) -> dict[str, Any]:
    """Record a streamed chat of these deltas, the last with the finish reason and further fields."""
    chunk = CHAT | {"object": "chat.completion.chunk"}
    chunks: Any = [(None, chunk | {"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
    chunks += [(None, chunk | {"choices": [{"index": 0, "delta": {}, **last}]})]
    script_answers("streamed", chunks)
    with openai_client(server, recording) as client:
        list(client.chat.completions.create(model="streamed", messages=ASKED, stream=True))
    return recording.call()


def call(index: int | None, call_id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    """Make a part of a streamed tool call."""
    fields = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [{name: value for name, value in fields.items() if value is not None}]}


OSLO, UTC = ("weather", '{"city":"Oslo"}'), ("time", '{"tz":"UTC"}')


@pytest.mark.parametrize(
    ("parts", "calls"),
    [
        pytest.param([(0, "a", *OSLO), (1, "b", *UTC)], [OSLO, UTC], id="an index for each"),
        pytest.param([(0, "a", *OSLO), (0, "b", *UTC)], [OSLO, UTC], id="one index"),
        pytest.param([(None, "a", *OSLO), (None, "b", *UTC)], [OSLO, UTC], id="no index"),
        pytest.param([(0, None, *OSLO), (0, None, *UTC)], [OSLO, UTC], id="one index and no ids"),
        pytest.param([(None, None, *OSLO), (None, None, *OSLO)], [OSLO, OSLO], id="the same call twice"),
        pytest.param(
            [
                (0, "a", "weather", '{"ci'),
                (1, "b", "time", '{"t'),
                (0, None, None, 'ty":"Oslo"}'),
                (1, "", "", 'z":"UTC"}'),
            ],
            [OSLO, UTC],
            id="in turns",
        ),
        pytest.param(
            [(0, "a", "weather", '{"ci'), (0, "a", "weather", 'ty":"Oslo"}')], [OSLO], id="id and name in each part"
        ),
        pytest.param(
            [(0, "a", "wea", ""), (0, None, "ther", ""), (0, None, None, OSLO[1])], [OSLO], id="a name in parts"
        ),
        pytest.param(
            [(0, "a", "weather", '{"ci'), (1, None, None, 'ty":"'), (2, None, None, 'Oslo"}')],
            [OSLO],
            id="counted parts",
        ),
        pytest.param([(0, None, *OSLO), (0, "a", None, "")], [OSLO], id="a late id"),
        pytest.param(
            [
                (0, "a", "weather", '{"ci'),
                (0, None, None, 'ty":"Oslo"}'),
                (0, "b", "time", '{"t'),
                (0, None, None, 'z":"UTC"}'),
            ],
            [OSLO, UTC],
            id="one index, in parts",
        ),
        pytest.param([(0, "a", "weather", '{"city":"Os')], [("weather", '{"city":"Os')], id="broken"),
        pytest.param([(0, "a", "now", "")], [("now", "")], id="without arguments"),
    ],
)
def test_the_tool_calls_of_a_streamed_chat_are_told_apart(
    parts: list[Any], calls: list[Any], server: str, recording: Recording
) -> None:
    payload = stream_chat(server, recording, *(call(*part) for part in parts), finish_reason="tool_calls")
    found = [each["function"] for each in payload["output"]["tool_calls"]]
    assert [(each["name"], each["arguments"]) for each in found] == calls
    assert payload["finish_reason"] == "tool_calls"


def test_what_a_streamed_chat_says_beside_its_text_is_recorded(server: str, recording: Recording) -> None:
    custom = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "sql", "input": "sel"}}
    payload = stream_chat(
        server,
        recording,
        {"role": "assistant", "reasoning_content": "first "},
        {"reasoning_content": "the tax", "audio": {"id": "a", "transcript": "Hel", "data": "AA"}},
        {"audio": {"transcript": "lo", "data": "BB"}},
        {"tool_calls": [custom]},
        {"tool_calls": [{"index": 0, "custom": {"input": "ect 1"}}]},
        finish_reason="length",
    )
    assert payload["output"] == {
        "role": "assistant",
        "reasoning_content": "first the tax",
        "audio": {"id": "a", "transcript": "Hello", "data": "AABB"},
        "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}],
    }
    assert payload["finish_reason"] == "length"


def test_a_streamed_refusal_is_recorded_as_one(server: str, recording: Recording) -> None:
    payload = stream_chat(server, recording, {"refusal": "I can't "}, {"refusal": "do that"}, finish_reason="stop")
    assert payload["output"] == {"role": "assistant", "refusal": "I can't do that"}
    assert payload["finish_reason"] == "refusal"


def test_every_choice_of_a_streamed_chat_is_recorded(server: str, recording: Recording) -> None:
    chunk = CHAT | {"object": "chat.completion.chunk"}
    choices = [{"index": index, "delta": {"content": text}} for index, text in ((1, "B"), (0, "A"), (1, "b"), (0, "a"))]
    script_answers("choices", [(None, chunk | {"choices": [choice]}) for choice in choices])
    with openai_client(server, recording) as client:
        list(client.chat.completions.create(model="choices", messages=ASKED, stream=True, n=2))
    assert recording.call()["output"] == ["Aa", "Bb"]


CITATION = {
    "type": "char_location",
    "cited_text": "42",
    "document_index": 0,
    "start_char_index": 0,
    "end_char_index": 2,
}


def make_message_events(*, is_whole: bool) -> Any:
    """Make the events of a Claude stream: thinking, a cited text, and a tool without arguments."""
    usage = {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 0}
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            [{"type": "thinking_delta", "thinking": "so"}, {"type": "signature_delta", "signature": "c2ln"}],
        ),
        (
            {"type": "text", "text": "", "citations": []},
            [{"type": "text_delta", "text": "42"}, {"type": "citations_delta", "citation": CITATION}],
        ),
        (
            {"type": "tool_use", "id": "t0", "name": "now", "input": {}},
            [{"type": "input_json_delta", "partial_json": ""}],
        ),
    ]
    start = CLAUDE | {"content": [], "stop_reason": None, "usage": usage}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    late_usage = {"output_tokens": 9, "input_tokens": 0}
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": late_usage}
    return name_events(*events, end, {"type": "message_stop"}) if is_whole else name_events(*events)


def test_a_raw_stream_of_anthropic_is_put_together_as_its_helper_does(server: str, recording: Recording) -> None:
    script_answers("claude-sonnet-5-5", make_message_events(is_whole=True))
    with anthropic_client(server, recording) as client:
        list(client.messages.create(model="claude-sonnet-5-5", max_tokens=9, messages=ASKED, stream=True))
        with client.messages.stream(model="claude-sonnet-5-5", max_tokens=9, messages=ASKED) as stream:
            stream.until_done()
    raw, helped = (event["payload"] for event in recording.events("llm_call"))
    thinking, text, tool = raw["output"]
    assert thinking == {"type": "thinking", "thinking": "so", "signature": "c2ln"}
    assert (text["text"], text["citations"]) == ("42", [CITATION])
    assert tool["input"] == {}
    assert (raw["input_tokens"], raw["output_tokens"], raw["finish_reason"]) == (5, 9, "tool_calls")
    assert raw["output"] == helped["output"]


@pytest.mark.parametrize("with_helper", [False, True])
def test_a_stream_of_anthropic_that_is_left_early_does_not_know_its_tokens(
    with_helper: bool, server: str, recording: Recording
) -> None:
    script_answers("claude-sonnet-5-5", make_message_events(is_whole=True))
    asked: Any = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": ASKED}
    with anthropic_client(server, recording) as client:
        if with_helper:
            with client.messages.stream(**asked) as stream:
                assert next(event for event in stream if event.type == "text")
        else:
            with client.messages.create(**asked, stream=True) as events:
                assert next(event for event in events if event.type == "content_block_delta")
    payload = recording.call()
    assert payload["input_tokens"] == 5
    assert not payload.keys() & {"output_tokens", "cost_usd"}
    assert payload["finish_reason"] == "closed_early"


RESPONSE = {"id": "r1", "object": "response", "created_at": 1, "model": "gpt-5", "status": "completed", "output": []}
RESPONSE |= {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "usage": None}
FAILED = RESPONSE | {"status": "failed", "error": {"code": "server_error", "message": "overloaded"}}
CUT = RESPONSE | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (FAILED, ("failed", "server_error: overloaded")),
        (CUT, ("length", None)),
        (CUT | {"incomplete_details": {"reason": "content_filter"}}, ("content_filter", None)),
        (CUT | {"incomplete_details": None}, ("incomplete", None)),
        (RESPONSE | {"status": "cancelled"}, ("cancelled", None)),
        (RESPONSE, ("stop", None)),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_response_says_how_it_ended(
    stream: bool, answer: dict[str, Any], end: tuple[str, str | None], server: str, recording: Recording
) -> None:
    event = {"type": f"response.{answer['status']}", "response": answer, "sequence_number": 0}
    script_answers("ended", name_events(event) if stream else answer)
    with openai_client(server, recording) as client:
        got: Any = client.responses.create(model="ended", input="go", stream=stream)
        assert list(got) if stream else got
    payload = recording.call()
    assert (payload.get("finish_reason"), payload.get("error")) == end


def make_item_events() -> list[dict[str, Any]]:
    """Make the events of a response that thinks, refuses, and calls two tools."""
    items: list[dict[str, Any]] = [
        {"id": "rs", "type": "reasoning", "summary": []},
        {"id": "m", "type": "message", "role": "assistant", "status": "in_progress", "content": []},
        {"id": "f", "type": "function_call", "call_id": "c1", "name": "lookup", "arguments": ""},
        {"id": "t", "type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": ""},
    ]
    deltas = [
        ("response.reasoning_summary_text.delta", 0, {"summary_index": 0}, ["first ", "the tax"]),
        ("response.refusal.delta", 1, {"content_index": 0}, ["I ", "can't"]),
        ("response.function_call_arguments.delta", 2, {}, ['{"city"', ': "Oslo"}']),
        ("response.custom_tool_call_input.delta", 3, {}, ["select ", "1"]),
    ]
    events: list[dict[str, Any]] = [{"type": "response.created", "response": RESPONSE | {"status": "in_progress"}}]
    events += [
        {"type": "response.output_item.added", "output_index": index, "item": item} for index, item in enumerate(items)
    ]
    events += [
        {"type": kind, "output_index": index, "item_id": "x", "delta": text, **place}
        for kind, index, place, texts in deltas
        for text in texts
    ]
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_response_whose_last_event_is_missing_or_empty_is_put_together_from_its_items(
    is_whole: bool, server: str, recording: Recording
) -> None:
    end = [{"type": "response.completed", "response": RESPONSE, "sequence_number": 99}] if is_whole else []
    script_answers("items", name_events(*make_item_events(), *end))
    with openai_client(server, recording) as client:
        list(client.responses.create(model="items", input="go", stream=True))
    payload = recording.call()
    thought, refused, function, custom = payload["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "first the tax"}]
    assert refused["content"] == [{"type": "refusal", "refusal": "I can't"}]
    assert (function["arguments"], custom["input"]) == ('{"city": "Oslo"}', "select 1")
    assert payload.get("finish_reason") == ("tool_calls" if is_whole else None)


def test_an_error_in_the_stream_of_a_response_is_the_calls(server: str, recording: Recording) -> None:
    error = {"type": "error", "code": "rate_limit", "message": "slow down", "param": None, "sequence_number": 9}
    script_answers("erring", name_events(*make_item_events(), error))
    with openai_client(server, recording) as client:
        list(client.responses.create(model="erring", input="go", stream=True))
    payload = recording.call()
    assert (payload["finish_reason"], payload["error"]) == ("failed", "rate_limit: slow down")
    assert len(payload["output"]) == 4


def test_a_refusal_in_a_response_is_no_empty_answer(server: str, recording: Recording) -> None:
    part = {"type": "refusal", "refusal": "I can't"}
    message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    script_answers("refused", RESPONSE | {"output": [message]})
    with openai_client(server, recording) as client:
        client.responses.create(model="refused", input="go")
    payload = recording.call()
    assert payload["output"][0]["content"] == [part]
    assert payload["finish_reason"] == "refusal"


def test_a_response_in_the_background_is_recorded_once_when_it_is_fetched_and_has_ended(
    server: str, recording: Recording
) -> None:
    queued = RESPONSE | {"id": "bg1", "status": "queued", "background": True, "model": "gpt-4o"}
    done = queued | {"status": "completed", "usage": RESPONSE_USAGE}
    script_answers("background", queued)
    script_answers("bg1", queued | {"status": "in_progress"}, done)

    async def fetch() -> None:
        async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key="x") as client:
            record_openai(client, recording.tracer)
            asked = await client.responses.create(model="background", input="go", background=True)
            for status in ("in_progress", "completed", "completed"):
                assert (await client.responses.retrieve(asked.id)).status == status

    asyncio.run(fetch())
    asked, fetched = recording.events("llm_call")
    assert asked["payload"]["finish_reason"] == "queued"
    assert fetched["payload"]["input"] == {"response_id": "bg1"}
    assert (fetched["payload"]["model"], fetched["payload"]["input_tokens"]) == ("gpt-4o", 30)
    assert fetched["payload"]["finish_reason"] == "stop"
    assert fetched["context"]["parent_event_id"] == asked["event_id"]


def test_a_response_in_the_background_that_is_cancelled_or_streamed_later_is_recorded(
    server: str, recording: Recording
) -> None:
    queued = RESPONSE | {"status": "queued", "background": True}
    done = {"type": "response.completed", "response": queued | {"id": "bg3", "status": "completed"}}
    script_answers("background", queued | {"id": "bg2"}, queued | {"id": "bg3"})
    script_answers("bg2", queued | {"id": "bg2", "status": "cancelled"})
    script_answers("bg3", name_events(done | {"sequence_number": 0}))
    with openai_client(server, recording) as client:
        for _ in range(2):
            client.responses.create(model="background", input="go", background=True)
        client.responses.cancel("bg2")
        list(client.responses.retrieve("bg3", stream=True))
    reasons = [event["payload"].get("finish_reason") for event in recording.events("llm_call")]
    assert reasons == ["queued", "queued", "cancelled", "stop"]


def test_a_response_that_was_no_background_work_is_fetched_without_an_event(server: str, recording: Recording) -> None:
    script_answers("old", RESPONSE | {"id": "old"})
    with openai_client(server, recording) as client:
        assert client.responses.retrieve("old").status == "completed"
    assert recording.events("llm_call") == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"choices": [{"finish_reason": "length", "message": {"content": "Dear"}}]}, "length"),
        ({"choices": [{"finish_reason": "stop"}, {"finish_reason": "content_filter"}]}, "content_filter"),
        ({"choices": [{"finish_reason": None}]}, None),
        ({"choices": []}, None),
        ({"stop_reason": "max_tokens"}, "length"),
        ({"stop_reason": "pause_turn"}, "paused"),
        ({"stop_reason": "a new one"}, "a new one"),
        (AIMessage("", response_metadata={"finish_reason": "MAX_TOKENS"}), "length"),
        (AIMessage("", response_metadata={"stopReason": "guardrail_intervened"}), "content_filter"),
        (AIMessage("", response_metadata={"done_reason": "stop"}), "stop"),
        (AIMessage("", response_metadata={"status": "incomplete"}), "incomplete"),
        (AIMessage(""), None),
        ("a text", None),
        (None, None),
        ({"status": "failed"}, None),
    ],
)
def test_how_an_answer_ended_is_told_in_one_set_of_words(answer: Any, reason: str | None, recording: Recording) -> None:
    recording.tracer.track_llm_call("m", "go", lambda: answer)
    assert recording.call().get("finish_reason") == reason


def test_a_failed_response_that_the_program_records_itself_is_an_error(recording: Recording) -> None:
    recording.tracer.track_llm_call("gpt-5", "go", lambda: FAILED)
    payload = recording.call()
    assert (payload["error"], payload["output"]["status"]) == ("server_error: overloaded", "failed")


def test_the_words_for_a_finish_are_their_own_words() -> None:
    assert all(
        extract_finish({"stop_reason": word}).reason == word for word in FINISH_REASONS.values() if word != "paused"
    )


def test_a_long_finish_reason_is_cut_behind_a_whole_word() -> None:
    assert normalize_finish_reason("blocked by policy 7") == "blocked by policy 7"
    reason = f"{'blocked ' * 10}postgres://app:hunter2hunter2@db/prod"
    assert normalize_finish_reason(reason) == f"{'blocked ' * 10}<38 more characters, which are left out>"
