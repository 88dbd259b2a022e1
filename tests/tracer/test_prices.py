"""The cost of a call: right, or unknown. And the price list, held against its source where that is there."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.caches import InMemoryCache
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage

from agentlog import AgentTracer, Price
from agentlog.adapters.langchain import AgentlogCallback
from agentlog.adapters.openai import record_openai
from agentlog.recording.prepare.token_usage import parse_usage
from agentlog.recording.prices import PRICES, Usage, compute_cost_usd
from tests.model_server import CHAT, script_answers
from tests.price_source import DATA_FILE, make_prices
from tests.tracing import Recording

M = 1_000_000
CLAUDE, NANO = "claude-sonnet-4-5", "gpt-5-nano"


def make_claude_usage(**fields: Any) -> dict[str, Any]:
    return {"usage": {"input_tokens": M, "output_tokens": 0, **fields}}


def make_written(short: int, long: int) -> dict[str, Any]:
    """Make Claude's usage of an input that was written to the cache for five minutes and for an hour."""
    by_kind = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    total = {"cache_creation_input_tokens": short + long, "cache_creation": by_kind}
    return make_claude_usage(input_tokens=0, **total)


def make_langchain_usage(**details: int) -> dict[str, Any]:
    return {"usage_metadata": {"input_tokens": M, "output_tokens": 0, "input_token_details": details}}


@pytest.mark.parametrize(
    ("model", "answer", "cost"),
    [
        (CLAUDE, make_claude_usage(), 3.0),
        (CLAUDE, make_written(M, 0), 3.75),
        (CLAUDE, make_written(0, M), 6.0),
        (CLAUDE, make_written(M, M), 9.75),
        (CLAUDE, make_claude_usage(service_tier="standard", inference_geo="global", speed="standard"), 3.0),
        (CLAUDE, make_claude_usage(service_tier="batch"), 1.5),
        (CLAUDE, make_claude_usage(service_tier="priority"), None),
        (CLAUDE, make_claude_usage(inference_geo="us"), None),
        (CLAUDE, make_claude_usage(speed="fast"), None),
        (CLAUDE, make_claude_usage(server_tool_use={"web_search_requests": 2}), 3.02),
        ("claude-haiku-5-5", make_claude_usage(input_tokens=100_000), 0.01),
        ("claude-haiku-5-5", make_claude_usage(), 0.5),
        (NANO, {"service_tier": "default", "usage": {"prompt_tokens": M, "completion_tokens": 0}}, 0.05),
        (NANO, {"service_tier": "flex", "usage": {"prompt_tokens": M, "completion_tokens": 0}}, 0.025),
        (NANO, {"service_tier": "priority", "usage": {"prompt_tokens": M, "completion_tokens": 0}}, None),
        (NANO, {"service_tier": "scale", "usage": {"prompt_tokens": M, "completion_tokens": 0}}, None),
        ("gpt-5", {"service_tier": "priority", "usage": {"prompt_tokens": M, "completion_tokens": 0}}, 2.5),
        ("gpt-5", {"service_tier": "fast", "usage": {"prompt_tokens": M, "completion_tokens": 0}}, 2.5),
        ("gpt-5.4", {"usage": {"prompt_tokens": M, "completion_tokens": 0}}, 5.0),
        ("gpt-5.4", {"service_tier": "priority", "usage": {"prompt_tokens": M, "completion_tokens": 0}}, None),
        (
            "gpt-5.6",
            {"usage": {"input_tokens": M, "output_tokens": 0, "input_tokens_details": {"cache_write_tokens": 1000}}},
            8.002,
        ),
        (
            "gpt-4o",
            {"usage": {"prompt_tokens": M, "completion_tokens": 0, "prompt_tokens_details": {"audio_tokens": 9}}},
            None,
        ),
        (
            CLAUDE,
            {
                "usage": {
                    "prompt_tokens": M,
                    "completion_tokens": 0,
                    "prompt_tokens_details": {"cached_tokens": M // 2, "cache_creation_tokens": M // 2},
                }
            },
            2.025,
        ),
        (CLAUDE, make_langchain_usage(cache_creation=0, ephemeral_1h_input_tokens=M), 6.0),
        (CLAUDE, make_langchain_usage(cache_creation=0, ephemeral_5m_input_tokens=M), 3.75),
        (CLAUDE, make_langchain_usage(cache_creation=M, ephemeral_5m_input_tokens=M), 3.75),
        (CLAUDE, make_langchain_usage(cache_read=M), 0.3),
        (NANO, make_langchain_usage(flex_cache_read=M, flex=1), 0.0025),
        (NANO, make_langchain_usage() | {"response_metadata": {"service_tier": "flex"}}, 0.025),
        (CLAUDE, {"usage_metadata": {"input_tokens": M, "output_tokens": 9, "total_cost": 0}}, 0.0),
        ("a/b", {"usage": {"prompt_tokens": M, "completion_tokens": 0, "cost": 0.25}}, 0.25),
        ("a/b", {"usage": {"prompt_tokens": M, "completion_tokens": 0, "cost": {"total": 1}}}, None),
        ("a/b", {"usage": {"prompt_tokens": M, "completion_tokens": 0, "cost": float("nan")}}, None),
    ],
)
def test_a_cost_is_right_or_unknown(model: str, answer: Any, cost: float | None, recording: Recording) -> None:
    recording.tracer.track_llm_call(model, "go", lambda: answer)
    assert recording.call().get("cost_usd") == (cost if cost is None else pytest.approx(cost))


def test_a_cost_that_the_program_sets_stays(recording: Recording) -> None:
    with recording.tracer.llm_call(CLAUDE) as call:
        call.output, call.cost_usd = {"usage_metadata": {"input_tokens": 1, "output_tokens": 1, "total_cost": 0}}, 0.5
    assert recording.call()["cost_usd"] == 0.5


def test_an_own_price_holds_for_the_ordinary_tier_alone(tmp_path: Path) -> None:
    prices = {"mine": Price(2.0, 8.0)}
    assert compute_cost_usd("mine", Usage(M, M), prices) == 10.0
    assert compute_cost_usd("mine", Usage(M, M, tier="flex"), prices) is None


def test_the_tier_of_a_streamed_chat_is_known(server: str, recording: Recording) -> None:
    chunk = CHAT | {"object": "chat.completion.chunk", "model": NANO, "service_tier": "flex"}
    usage = {"prompt_tokens": M, "completion_tokens": 0, "total_tokens": M}
    script_answers(NANO, [(None, chunk | {"choices": [], "usage": usage})])
    client = record_openai(openai.OpenAI(base_url=f"{server}/v1", api_key="x"), recording.tracer)
    with client:
        list(client.chat.completions.create(model=NANO, messages=[], stream=True))
    assert recording.call()["cost_usd"] == 0.025


def test_an_answer_from_langchains_cache_costs_nothing(recording: Recording) -> None:
    usage: Any = {"input_tokens": M, "output_tokens": 0, "total_tokens": M}
    answer = AIMessage("hi", usage_metadata=usage)
    model = FakeMessagesListChatModel(responses=[answer], cache=InMemoryCache())
    metadata = {"ls_model_name": CLAUDE}
    for _ in range(2):
        model.invoke("go", config={"callbacks": [AgentlogCallback(recording.tracer)], "metadata": metadata})
    costs = [event["payload"]["cost_usd"] for event in recording.events("llm_call")]
    assert costs == [3.0, 0.0]


COUNTS = st.integers(-5, 10**9) | st.none() | st.booleans() | st.floats() | st.text(max_size=3)
NAMES = (
    *("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "cache_read_input_tokens", "total_cost"),
    *("cache_creation_input_tokens", "service_tier", "inference_geo", "speed", "cost"),
)
USAGES = st.dictionaries(
    st.sampled_from([*NAMES, "cache_creation", "input_tokens_details", "prompt_tokens_details", "server_tool_use"]),
    COUNTS | st.dictionaries(st.sampled_from(["cached_tokens", "ephemeral_1h_input_tokens", "audio_tokens"]), COUNTS),
)


@given(USAGES)
def test_whatever_a_usage_holds_it_is_read_and_its_cost_is_a_number_or_unknown(usage: dict[str, Any]) -> None:
    parsed = parse_usage(usage)
    cost = None if parsed is None else compute_cost_usd(CLAUDE, parsed)
    assert cost is None or isinstance(cost, float | int)


def find_sources() -> list[Path]:
    """Return litellm's price list, where litellm is installed or ``LITELLM_PRICES`` names the file."""
    spec = importlib.util.find_spec("litellm")
    places = [Path(place) for place in (spec.submodule_search_locations or [] if spec else [])]
    files = [place / "model_prices_and_context_window_backup.json" for place in places]
    return [*files, *map(Path, filter(None, [os.environ.get("LITELLM_PRICES")]))]


def test_the_price_list_says_from_where_and_when_it_is_and_equals_its_source() -> None:
    held = json.loads(DATA_FILE.read_bytes())
    assert held["source"].startswith("litellm ")
    assert held["date"] >= "2026-11-25"
    assert set(held["models"]) == set(PRICES)
    assert set(held["from_the_providers_page"]) < set(PRICES)
    for path in find_sources():
        source = json.loads(path.read_bytes())
        listed = [model for model in held["models"] if model in source]
        assert {model: held["models"][model] for model in listed} == {
            model: make_prices(source, model) for model in listed
        }


def list_prices(price: Price) -> list[Price]:
    longer = [price.long.price] if price.long is not None and price.long.price is not None else []
    return [price, *longer, *(each for tier in price.tiers.values() for each in list_prices(tier))]


@pytest.mark.parametrize("model", PRICES)
def test_the_prices_of_a_model_hold_together(model: str) -> None:
    price = PRICES[model]
    for each in list_prices(price):
        assert 0 < each.input < each.output
        assert (each.cached or 0) < each.input
    if model.startswith("claude"):
        assert price.cache_write == pytest.approx(1.25 * price.input)
        assert price.cache_write_long == pytest.approx(2 * price.input)
        assert price.tiers["batch"].input == pytest.approx(price.input / 2)


def test_the_price_list_is_read_once_for_all_tracers(tmp_path: Path) -> None:
    tracers = [AgentTracer(agent_id="a", file=tmp_path / "run.ndjson") for _ in range(2)]
    assert tracers[0]._prices[CLAUDE] is tracers[1]._prices[CLAUDE] is PRICES[CLAUDE]
