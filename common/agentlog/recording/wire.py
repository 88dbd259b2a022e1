"""A session and a parent event as headers between processes."""

from collections.abc import Mapping
from typing import Any

SESSION = "agentlog-session-id"
PARENT = "agentlog-parent-event-id"
MAX_LENGTH = 200


def to_join(session_id: str, parent: str | None) -> dict[str, str]:
    """Headers that name a session, and the event that what the other process does follows from."""
    return {SESSION: session_id} if parent is None else {SESSION: session_id, PARENT: parent}


def joined(headers: Mapping[Any, Any]) -> tuple[str | None, str | None]:
    """The session and the parent that ``headers`` name; None for what they don't, or not as an id."""
    found = {_text(name).lower(): _text(value) for name, value in headers.items()}
    session_id, parent = found.get(SESSION, ""), found.get(PARENT, "")
    return (session_id if _is_id(session_id) else None), (parent if _is_id(parent) else None)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_id(text: str) -> bool:
    return 0 < len(text) <= MAX_LENGTH and text.isprintable()
