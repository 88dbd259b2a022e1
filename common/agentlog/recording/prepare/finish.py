"""How a model's answer ended, in one set of words for all providers. Pure."""

from typing import Any, NamedTuple

from ...formatting import cut_text
from .token_usage import get_field

MAX_REASON_LENGTH = 100

FINISH_REASONS = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "complete": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "function_call": "tool_calls",
    "refusal": "refusal",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "error": "failed",
    "failed": "failed",
    "malformed_function_call": "failed",
    "incomplete": "incomplete",
    "cancelled": "cancelled",
    "queued": "queued",
    "in_progress": "in_progress",
    "pause_turn": "paused",
}
"""The words for what providers say. What isn't in this table is recorded as it came."""
UNREMARKABLE = frozenset({"stop", "tool_calls"})
"""The words that say that the model said all it wanted to say."""


class Finish(NamedTuple):
    """How an answer ended.

    Attributes:
        reason: the word for it. None if the answer doesn't say.
        error: what went wrong, if the answer itself says that it failed.
    """

    reason: str | None = None
    error: str | None = None


def normalize_finish_reason(reason: Any) -> str | None:
    """Return our word for a provider's ``reason``; None if it is no text."""
    if not isinstance(reason, str) or not reason:
        return None
    return FINISH_REASONS.get(reason.lower(), cut_text(reason, MAX_REASON_LENGTH))


def extract_finish(answer: Any) -> Finish:
    """Return how an answer of OpenAI, Anthropic or LangChain ended."""
    if get_field(answer, "object") == "response":
        return _extract_response_finish(answer)
    if isinstance(choices := get_field(answer, "choices"), list | tuple):
        reasons = [_extract_choice_reason(choice) for choice in choices]
        said = [reason for reason in reasons if reason is not None]
        return Finish(next((reason for reason in said if reason not in UNREMARKABLE), said[0] if said else None))
    if (reason := normalize_finish_reason(get_field(answer, "stop_reason"))) is not None:
        return Finish(reason)
    return extract_metadata_finish(get_field(answer, "response_metadata"))


def extract_metadata_finish(metadata: Any) -> Finish:
    """Return how an answer ended by its metadata in LangChain, which are in the provider's own words."""
    for name in ("finish_reason", "stop_reason", "stopReason", "done_reason"):
        if (reason := normalize_finish_reason(get_field(metadata, name))) is not None:
            return Finish(reason)
    return _extract_response_finish(metadata)


def _extract_choice_reason(choice: Any) -> str | None:
    reason = normalize_finish_reason(get_field(choice, "finish_reason"))
    return "refusal" if reason == "stop" and get_field(get_field(choice, "message"), "refusal") else reason


def _extract_response_finish(response: Any) -> Finish:
    """Return how an answer of OpenAI's Responses ended: by its status, and for one that is complete by its items."""
    status, error = get_field(response, "status"), get_field(response, "error")
    if status == "incomplete":
        said = normalize_finish_reason(get_field(get_field(response, "incomplete_details"), "reason"))
        return Finish(said or "incomplete")
    if status != "completed":
        message = describe_error(error) if status == "failed" else None
        return Finish(normalize_finish_reason(status), message)
    output = get_field(response, "output")
    items = output if isinstance(output, list | tuple) else ()
    if any(get_field(item, "type") in ("function_call", "custom_tool_call") for item in items):
        return Finish("tool_calls")
    if any(get_field(item, "type") == "mcp_approval_request" for item in items):
        return Finish("waiting_for_approval")
    parts = [
        part for item in items if get_field(item, "type") == "message" for part in get_field(item, "content") or ()
    ]
    return Finish("refusal" if any(get_field(part, "type") == "refusal" for part in parts) else "stop")


def describe_error(error: Any) -> str:
    """Return the error in an answer as text: its code and its message."""
    parts = [get_field(error, name) for name in ("code", "message")]
    return ": ".join(part for part in parts if isinstance(part, str) and part) or "the service says no reason"
