"""Headers that carry a session and a parent event between processes."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from ..sinks.outbound import is_valid_name

SESSION_HEADER = "agentlog-session-id"
PARENT_HEADER = "agentlog-parent-event-id"
UNQUOTED_CHARACTERS = "!#$&'()*+,/:;=?@[]~"
"""The punctuation that stands unchanged in a header. Other special characters are percent-encoded for HTTP."""


def make_headers(session_id: str, parent: str | None) -> dict[str, str]:
    """Return headers that name a session, and the parent event of the other process's events."""
    ids = {SESSION_HEADER: session_id} if parent is None else {SESSION_HEADER: session_id, PARENT_HEADER: parent}
    return {header: quote(text, UNQUOTED_CHARACTERS) for header, text in ids.items()}


def parse_headers(headers: Mapping[Any, Any]) -> tuple[str | None, str | None]:
    """Return the session's id and the parent's id in ``headers``; None for a missing or invalid one."""
    values = {_decode_text(name).lower(): _decode_text(value) for name, value in headers.items()}
    session_id, parent = (unquote(values.get(header, "")) for header in (SESSION_HEADER, PARENT_HEADER))
    return (session_id if is_valid_name(session_id) else None), (parent if is_valid_name(parent) else None)


def _decode_text(value: Any) -> str:
    """Return a header's name or value as text; an empty text if it is neither text nor bytes."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text if isinstance(text, str) else ""
