"""A session and a parent event as headers between processes."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from ..sinks.outbound import is_name

SESSION = "agentlog-session-id"
PARENT = "agentlog-parent-event-id"
SAFE = "!#$&'()*+,/:;=?@[]~"
"""What stands in a header as it is; all else, such as letters that HTTP has no room for, goes in per cent."""


def to_join(session_id: str, parent: str | None) -> dict[str, str]:
    """Headers that name a session, and the event that what the other process does follows from."""
    named = {SESSION: session_id} if parent is None else {SESSION: session_id, PARENT: parent}
    return {header: quote(text, SAFE) for header, text in named.items()}


def joined(headers: Mapping[Any, Any]) -> tuple[str | None, str | None]:
    """The session and the parent that ``headers`` name; None for what they don't, or not as an id."""
    found = {_text(name).lower(): _text(value) for name, value in headers.items()}
    session_id, parent = (unquote(found.get(header, "")) for header in (SESSION, PARENT))
    return (session_id if is_name(session_id) else None), (parent if is_name(parent) else None)


def _text(value: Any) -> str:
    """A header's name or value; an empty text for what is neither text nor bytes, such as None."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text if isinstance(text, str) else ""
