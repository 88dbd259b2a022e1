"""The token usage in a model's answer, in the forms of several providers."""

import math
from collections.abc import Mapping
from typing import Any

from ..prices import Usage

TIER_NAMES = {"auto": "", "default": "", "standard": "", "on_demand": "", "fast": "priority", "batches": "batch"}
"""Our names of service tiers, where providers have others. Empty for the one at the list price."""
LANGCHAIN_TIERS = ("flex", "priority")
"""The tiers that LangChain tells by the names of the details."""
DETAILS = (
    *("input_token_details", "output_token_details"),  # LangChain
    *("prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details"),  # OpenAI
)
"""The members of a usage that say of which kinds its tokens are."""


def get_field(value: Any, name: str) -> Any:
    """Return a mapping's member or an object's attribute; None if there is none."""
    try:
        return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    except Exception:  # noqa: BLE001  the value's own code may raise anything
        return None


def extract_usage(answer: Any) -> Usage | None:
    """Return the usage in an answer of OpenAI, Anthropic or LangChain; None if it has none."""
    usage = next(
        (field for name in ("usage", "usage_metadata") if (field := get_field(answer, name)) is not None), None
    )
    return None if usage is None else parse_usage(usage, find_service_tier(answer))


def find_service_tier(answer: Any) -> Any:
    """Return the service tier that an answer, or its metadata in LangChain, names; None if there is none."""
    metadata = get_field(answer, "response_metadata")
    return get_field(answer, "service_tier") or get_field(metadata, "service_tier")


def parse_usage(usage: Any, service_tier: Any = None) -> Usage | None:
    """Return a provider's ``usage`` in our form, in which input tokens include the cached ones.

    Args:
        usage: the usage as the provider gives it.
        service_tier: the tier that the answer names beside its usage.
    """
    counts = _parse_counts(usage)
    if counts is None:
        return None
    return counts._replace(
        searches=_get_count(get_field(usage, "server_tool_use"), "web_search_requests") or 0,
        tier=_parse_tier(usage, service_tier),
        cost_usd=_get_cost(usage),
    )


def _parse_counts(usage: Any) -> Usage | None:
    if (prompt_tokens := _get_count(usage, "prompt_tokens")) is not None:
        output, details = _get_count(usage, "completion_tokens") or 0, get_field(usage, "prompt_tokens_details")
        return _count_cached(prompt_tokens, output, details)
    input_tokens = _get_count(usage, "input_tokens")
    if input_tokens is None:
        return None
    output = _get_count(usage, "output_tokens") or 0
    read, written = _get_count(usage, "cache_read_input_tokens"), _get_count(usage, "cache_creation_input_tokens")
    if read is not None or written is not None:  # Anthropic counts cached tokens separately
        long = _get_count(get_field(usage, "cache_creation"), "ephemeral_1h_input_tokens") or 0
        return Usage(input_tokens + (read or 0) + (written or 0), output, read or 0, written or 0, long)
    details = get_field(usage, "input_tokens_details")
    return _count_cached(input_tokens, output, get_field(usage, "input_token_details") if details is None else details)


def _count_cached(input_tokens: int, output_tokens: int, details: Any) -> Usage:
    """Return the usage of a provider that counts cached tokens among the input, and tells them in its details."""
    names = ("cached_tokens", "cache_read", *(f"{tier}_cache_read" for tier in LANGCHAIN_TIERS))
    cached = next((count for name in names if (count := _get_count(details, name))), 0)
    by_kind = get_field(details, "cache_write_tokens_details")
    long = _get_count(details, "ephemeral_1h_input_tokens") or _get_count(by_kind, "ttl_12h_tokens") or 0
    short = _get_count(details, "ephemeral_5m_input_tokens") or 0  # LangChain tells these in place of their sum
    names = ("cache_creation", "cache_write_tokens", "cache_creation_tokens")  # LangChain; OpenAI; litellm
    written = next((count for name in names if (count := _get_count(details, name))), 0)
    return Usage(input_tokens, output_tokens, cached, max(written, long + short), long)


def _parse_tier(usage: Any, service_tier: Any) -> str:
    """Return the tier, with all else that changes the price of a token. Empty if the list price holds."""
    details = [get_field(usage, name) for name in DETAILS]
    marked = next((tier for tier in LANGCHAIN_TIERS for each in details if _get_count(each, tier)), None)
    said = get_field(usage, "service_tier") or service_tier or marked
    tier = TIER_NAMES.get(said, said) if isinstance(said, str) else ""
    region, speed = get_field(usage, "inference_geo"), get_field(usage, "speed")
    terms = [region if region not in ("global", "not_available") else "", speed if speed != "standard" else ""]
    terms.append(
        "audio" if any(_get_count(each, "audio_tokens") or _get_count(each, "audio") for each in details) else ""
    )
    return "+".join(term for term in (tier, *terms) if isinstance(term, str) and term)


def _get_cost(usage: Any) -> float | None:
    """Return the cost that the usage itself tells: LangChain's 0 for an answer from its cache, OpenRouter's price."""
    for name in ("total_cost", "cost"):
        cost = get_field(usage, name)
        if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < math.inf:
            return float(cost)
    return None


def _get_count(usage: Any, name: str) -> int | None:
    value = get_field(usage, name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
