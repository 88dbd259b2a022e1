"""The list prices of language models, and the cost of a call."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

NO_TIERS: Mapping[str, "Price"] = MappingProxyType({})


class Price(NamedTuple):
    """The price of a model's tokens, in US dollars a million tokens.

    Attributes:
        input: the price of input tokens.
        output: the price of output tokens.
        cached: the price of input tokens read from the provider's prompt cache. None if it equals ``input``.
        cache_write: the price of input tokens written to the prompt cache. None if it equals ``input``.
        cache_write_long: the price of input tokens that the cache keeps for longer than usual, such as an hour. None if
            it is unknown.
        search: the price of a search of the provider's in the web, in US dollars. None if it is unknown.
        long: the prices of calls with a long input. None if they are the same.
        tiers: the prices of other service tiers, such as ``flex`` and ``batch``. A tier that isn't there is unknown.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    cache_write_long: float | None = None
    search: float | None = None
    long: "LongInputPrice | None" = None
    tiers: Mapping[str, "Price"] = NO_TIERS


class LongInputPrice(NamedTuple):
    """The price of a call whose input has more than ``above`` tokens. None if it is unknown."""

    above: int
    price: Price | None


class Usage(NamedTuple):
    """What one call used.

    Attributes:
        input: the tokens of the input, ``cached`` and ``cache_write`` included.
        output: the tokens of the answer.
        cached: the input tokens that were read from the provider's prompt cache.
        cache_write: the input tokens that were written to it, ``cache_write_long`` included.
        cache_write_long: those that it keeps for longer than usual.
        searches: how many searches in the web the provider made.
        tier: the service tier. Empty for the ordinary one.
        cost_usd: the cost, if the answer itself says it.
    """

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    cache_write_long: int = 0
    searches: int = 0
    tier: str = ""
    cost_usd: float | None = None


def _make_price(fields: dict[str, Any]) -> Price:
    tiers = {name: _make_price(tier) for name, tier in fields.get("tiers", {}).items()}
    long = fields.get("long")
    if long is not None:
        long = LongInputPrice(long["above"], None if long["price"] is None else _make_price(long["price"]))
    return Price(**fields | {"long": long, "tiers": tiers})


def _read_prices() -> dict[str, Price]:
    models = json.loads(Path(__file__).with_name("prices.json").read_bytes())["models"]
    return {model: _make_price(fields) for model, fields in models.items()}


PRICES: Mapping[str, Price] = MappingProxyType(_read_prices())
"""The list prices of OpenAI and Anthropic. ``prices.json`` says from where and when they are."""

_DATE_SUFFIX = re.compile(r"(?:[-@](?:20\d{6}|20\d\d-\d\d-\d\d|latest))$")


def compute_cost_usd(model: str, usage: Usage, prices: Mapping[str, Price] = PRICES) -> float | None:
    """Return the cost of a call in US dollars, with six decimals. None if a price that it needs is unknown.

    The model is looked up as written first, then without the provider before it (``openai/``) and the date after it.
    """
    bare_model = _DATE_SUFFIX.sub("", model.rsplit("/", 1)[-1])
    listed = prices.get(model) or prices.get(bare_model)
    price = None if listed is None else _choose_price(listed, usage)
    if listed is None or price is None:
        return None
    token_prices = (
        (usage.input - usage.cached - usage.cache_write, price.input),
        (usage.cached, price.input if price.cached is None else price.cached),
        (usage.cache_write - usage.cache_write_long, price.input if price.cache_write is None else price.cache_write),
        (usage.cache_write_long, price.cache_write_long),
        (usage.output, price.output),
    )
    used = [(count, each) for count, each in (*token_prices, (usage.searches * 1_000_000, listed.search)) if count]
    if any(each is None for _, each in used):
        return None
    return round(sum(count * (each or 0) for count, each in used) / 1_000_000, 6)


def _choose_price(listed: Price, usage: Usage) -> Price | None:
    """Return the price for the tier and the length of a call; None if it is unknown."""
    price = listed.tiers.get(usage.tier) if usage.tier else listed
    is_long = price is not None and price.long is not None and usage.input > price.long.above
    return price.long.price if is_long and price is not None and price.long is not None else price
