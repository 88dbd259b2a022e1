"""Chat messages in the form of OpenAI's chat completions, and what makes them invalid. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

Message = dict[str, Any]

ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})


def parse_messages(value: object) -> list[Message] | None:
    """Return ``value`` if it is a valid list of messages, else None."""
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        return None
    return value if next(find_problems(value), None) is None else None


def find_problems(messages: Sequence[Message]) -> Iterator[str]:
    """Yield what a model's provider would refuse. A call needs a unique id and one answer, right after it."""
    unanswered: set[str] = set()
    ids: set[str] = set()
    for message in messages:
        role, content = message.get("role"), message.get("content")
        calls = message.get("tool_calls") or []
        if role not in ROLES:
            yield "an unknown role"
        if not _is_content(content) and not (content is None and role == "assistant" and calls):
            yield "no content"
        if role == "tool":
            if message.get("tool_call_id") not in unanswered:
                yield "an answer without a call"
            unanswered.discard(str(message.get("tool_call_id")))
        elif unanswered:
            yield "a call without an answer"
        for call in calls if isinstance(calls, list) else [None]:
            call_id = _find_call_id(call)
            if call_id is None or call_id in ids or role != "assistant":
                yield "a malformed call"
            else:
                ids.add(call_id)
                unanswered.add(call_id)
    if unanswered:
        yield "a call without an answer"


def _is_content(content: object) -> bool:
    parts = content if isinstance(content, list) else []
    return isinstance(content, str) or (bool(parts) and all(isinstance(p, dict) and "type" in p for p in parts))


def _find_call_id(call: object) -> str | None:
    match call:
        case {"id": str(call_id), "function": {"name": str(), "arguments": str()}} if call_id:
            return call_id
    return None
