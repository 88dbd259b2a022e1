"""The list prices of language models, and the cost of a call."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Price(NamedTuple):
    """The price of a model's tokens, in US dollars a million tokens.

    Attributes:
        input: the price of input tokens.
        output: the price of output tokens.
        cached: the price of input tokens read from the provider's prompt cache. None if it equals ``input``.
        cache_write: the price of input tokens written to the prompt cache. None if it equals ``input``.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None


class Usage(NamedTuple):
    """The token counts of one call. ``input`` includes ``cached`` and ``cache_write``."""

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0


PRICES: Mapping[str, Price] = MappingProxyType(
    {
        "claude-fable-5": Price(10.00, 50.00, 1.00, 12.50),
        "claude-fable-5-1": Price(10.00, 50.00, 0.25, 12.50),
        "claude-haiku-4-5": Price(1.00, 5.00, 0.10, 1.25),
        "claude-haiku-5-5": Price(0.10, 0.50, 0.01, 0.125),
        "claude-mythos-5": Price(10.00, 50.00, 1.00, 12.50),
        "claude-mythos-5-1": Price(10.00, 50.00, 0.25, 12.50),
        "claude-opus-4-1": Price(15.00, 75.00, 1.50, 18.75),
        "claude-opus-4-5": Price(5.00, 25.00, 0.50, 6.25),
        "claude-opus-4-6": Price(5.00, 25.00, 0.50, 6.25),
        "claude-opus-4-7": Price(5.00, 25.00, 0.50, 6.25),
        "claude-opus-4-8": Price(5.00, 25.00, 0.50, 6.25),
        "claude-opus-5": Price(5.00, 25.00, 0.50, 6.25),
        "claude-opus-5-5": Price(4.00, 20.00, 0.20, 5.00),
        "claude-sonnet-4": Price(3.00, 15.00, 0.30, 3.75),
        "claude-sonnet-4-5": Price(3.00, 15.00, 0.30, 3.75),
        "claude-sonnet-4-6": Price(3.00, 15.00, 0.30, 3.75),
        "claude-sonnet-5": Price(2.00, 10.00, 0.20, 2.50),
        "claude-sonnet-5-5": Price(2.00, 10.00, 0.10, 2.50),
        "gpt-4.1": Price(2.00, 8.00, 0.50),
        "gpt-4.1-mini": Price(0.40, 1.60, 0.10),
        "gpt-4.1-nano": Price(0.10, 0.40, 0.025),
        "gpt-4o": Price(2.50, 10.00, 1.25),
        "gpt-4o-mini": Price(0.15, 0.60, 0.075),
        "gpt-5": Price(1.25, 10.00, 0.125),
        "gpt-5-codex": Price(1.25, 10.00, 0.125),
        "gpt-5-mini": Price(0.25, 2.00, 0.025),
        "gpt-5-nano": Price(0.05, 0.40, 0.005),
        "gpt-5-pro": Price(15.00, 120.00),
        "gpt-5.1": Price(1.25, 10.00, 0.125),
        "gpt-5.1-codex": Price(1.25, 10.00, 0.125),
        "gpt-5.2": Price(1.75, 14.00, 0.175),
        "gpt-5.2-codex": Price(1.75, 14.00, 0.175),
        "gpt-5.2-pro": Price(21.00, 168.00),
        "gpt-5.3-codex": Price(1.75, 14.00, 0.175),
        "gpt-5.4": Price(2.50, 15.00, 0.25),
        "gpt-5.4-mini": Price(0.75, 4.50, 0.075),
        "gpt-5.4-nano": Price(0.20, 1.25, 0.02),
        "gpt-5.4-pro": Price(30.00, 180.00),
        "gpt-5.5": Price(5.00, 30.00, 0.50),
        "gpt-5.5-pro": Price(30.00, 180.00),
        "gpt-5.6": Price(4.00, 20.00, 0.40, 5.00),
        "o3": Price(2.00, 8.00, 0.50),
        "o3-mini": Price(1.10, 4.40, 0.55),
        "o4-mini": Price(1.10, 4.40, 0.275),
    }
)
"""The list prices of OpenAI and Anthropic for calls that are answered at once. They are from litellm 1.110.2 (its
``model_prices_and_context_window``, looked up on 25 November 2026). claude-opus-4-1 and claude-sonnet-4 are no longer
there, so they are from Anthropic's pricing page. Surcharges for long inputs and rebates for batches are left out."""

_DATE_SUFFIX = re.compile(r"(?:[-@](?:20\d{6}|20\d\d-\d\d-\d\d|latest))$")


def compute_cost_usd(model: str, usage: Usage, prices: Mapping[str, Price] = PRICES) -> float | None:
    """Return the cost of a call in US dollars, with six decimals. None for a model without a price.

    The model is looked up as written first, then without the provider before it (``openai/``) and the date after it.
    """
    bare_model = _DATE_SUFFIX.sub("", model.rsplit("/", 1)[-1])
    price = prices.get(model) or prices.get(bare_model)
    if price is None:
        return None
    uncached = usage.input - usage.cached - usage.cache_write
    cached_cost = usage.cached * _choose_price(price.cached, price.input)
    cache_write_cost = usage.cache_write * _choose_price(price.cache_write, price.input)
    return round((uncached * price.input + cached_cost + cache_write_cost + usage.output * price.output) / 1_000_000, 6)


def _choose_price(price: float | None, ordinary: float) -> float:
    return ordinary if price is None else price
