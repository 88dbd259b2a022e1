"""What a call of a language model costs: list prices that users can add to; an unknown model has no price."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Price(NamedTuple):
    """US dollars a million tokens.

    Attributes:
        cached: of input tokens that the provider had in its prompt cache; None when they cost the same.
        cache_write: of input tokens that it puts there; None when they cost the same.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None


class Usage(NamedTuple):
    """The tokens of one call; ``input`` includes ``cached`` and ``cache_write``."""

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0


PRICES: Mapping[str, Price] = MappingProxyType(
    {
        "claude-haiku-4-5": Price(1.00, 5.00, 0.10, 1.25),
        "claude-opus-4-1": Price(15.00, 75.00, 1.50, 18.75),
        "claude-opus-4-5": Price(5.00, 25.00, 0.50, 6.25),
        "claude-sonnet-4": Price(3.00, 15.00, 0.30, 3.75),
        "claude-sonnet-4-5": Price(3.00, 15.00, 0.30, 3.75),
        "gpt-4.1": Price(2.00, 8.00, 0.50),
        "gpt-4.1-mini": Price(0.40, 1.60, 0.10),
        "gpt-4.1-nano": Price(0.10, 0.40, 0.025),
        "gpt-4o": Price(2.50, 10.00, 1.25),
        "gpt-4o-mini": Price(0.15, 0.60, 0.075),
        "gpt-5": Price(1.25, 10.00, 0.125),
        "gpt-5-mini": Price(0.25, 2.00, 0.025),
        "gpt-5-nano": Price(0.05, 0.40, 0.005),
        "o3": Price(2.00, 8.00, 0.50),
        "o4-mini": Price(1.10, 4.40, 0.275),
    }
)
"""The providers' list prices as of January 2026."""

_DATED = re.compile(r"(?:[-@](?:20\d{6}|20\d\d-\d\d-\d\d|latest))$")


def cost_usd(model: str, usage: Usage, prices: Mapping[str, Price] = PRICES) -> float | None:
    """The list price of a call in US dollars, to a ten-thousandth of a cent; None for a model without a price.

    A model is found as written, else without the provider in front of it (``openai/``) and the date behind it.
    """
    bare = _DATED.sub("", model.rsplit("/", 1)[-1])
    price = prices.get(model) or prices.get(bare)
    if price is None:
        return None
    fresh = usage.input - usage.cached - usage.cache_write
    cached = usage.cached * _else(price.cached, price.input)
    written = usage.cache_write * _else(price.cache_write, price.input)
    return round((fresh * price.input + cached + written + usage.output * price.output) / 1_000_000, 6)


def _else(price: float | None, ordinary: float) -> float:
    return ordinary if price is None else price
