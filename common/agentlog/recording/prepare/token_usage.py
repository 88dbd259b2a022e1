"""The token usage in a model's answer, in the forms of several providers."""

from collections.abc import Mapping
from typing import Any

from ..prices import Usage


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
    return None if usage is None else parse_usage(usage)


def parse_usage(usage: Any) -> Usage | None:
    """Return a provider's ``usage`` in our form, in which input tokens include the cached ones."""
    if (prompt_tokens := _get_count(usage, "prompt_tokens")) is not None:
        return Usage(
            prompt_tokens,
            _get_count(usage, "completion_tokens") or 0,
            _get_cached_tokens(usage, "prompt_tokens_details"),
        )
    input_tokens = _get_count(usage, "input_tokens")
    if input_tokens is None:
        return None
    output = _get_count(usage, "output_tokens") or 0
    read, written = _get_count(usage, "cache_read_input_tokens"), _get_count(usage, "cache_creation_input_tokens")
    if read is not None or written is not None:  # Anthropic counts cached tokens separately
        return Usage(input_tokens + (read or 0) + (written or 0), output, read or 0, written or 0)
    cached = _get_cached_tokens(usage, "input_tokens_details") or _get_cached_tokens(usage, "input_token_details")
    return Usage(
        input_tokens, output, cached, _get_count(get_field(usage, "input_token_details"), "cache_creation") or 0
    )


def _get_cached_tokens(usage: Any, name: str) -> int:
    details = get_field(usage, name)
    return _get_count(details, "cached_tokens") or _get_count(details, "cache_read") or 0


def _get_count(usage: Any, name: str) -> int | None:
    value = get_field(usage, name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
