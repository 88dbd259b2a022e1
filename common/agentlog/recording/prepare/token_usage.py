"""The tokens that a model's answer says it used, in the shapes that providers give them."""

from collections.abc import Mapping
from typing import Any

from ..prices import Usage


def field(value: Any, name: str) -> Any:
    """A member of a mapping, or an attribute; None when it isn't there."""
    try:
        return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    except Exception:  # noqa: BLE001  the value's own code may raise anything
        return None


def usage_of(answer: Any) -> Usage | None:
    """What ``answer`` used; None when it doesn't tell. OpenAI's, Anthropic's and LangChain's shapes are known."""
    usage = next((found for name in ("usage", "usage_metadata") if (found := field(answer, name)) is not None), None)
    return None if usage is None else counted(usage)


def counted(usage: Any) -> Usage | None:
    """A provider's ``usage`` as ours: input tokens include the cached ones."""
    if (prompt := _count(usage, "prompt_tokens")) is not None:
        return Usage(prompt, _count(usage, "completion_tokens") or 0, _detail(usage, "prompt_tokens_details"))
    given = _count(usage, "input_tokens")
    if given is None:
        return None
    output = _count(usage, "output_tokens") or 0
    read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    if read is not None or written is not None:  # Anthropic counts them apart
        return Usage(given + (read or 0) + (written or 0), output, read or 0, written or 0)
    cached = _detail(usage, "input_tokens_details") or _detail(usage, "input_token_details")
    return Usage(given, output, cached, _count(field(usage, "input_token_details"), "cache_creation") or 0)


def _detail(usage: Any, name: str) -> int:
    details = field(usage, name)
    return _count(details, "cached_tokens") or _count(details, "cache_read") or 0


def _count(usage: Any, name: str) -> int | None:
    value = field(usage, name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
