"""A session and a parent event as headers between processes."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from ..sinks.outbound import is_valid_name

SESSION_HEADER = "agentlog-session-id"
PARENT_HEADER = "agentlog-parent-event-id"
UNQUOTED_CHARACTERS = "!#$&'()*+,/:;=?@[]~"
"""What stands in a header as it is; all else, such as letters that HTTP has no room for, goes in per cent."""


def make_headers(session_id: str, parent: str | None) -> dict[str, str]:
    """Headers that name a session, and the event that what the other process does follows from."""
    ids = {SESSION_HEADER: session_id} if parent is None else {SESSION_HEADER: session_id, PARENT_HEADER: parent}
    return {header: quote(text, UNQUOTED_CHARACTERS) for header, text in ids.items()}


def parse_headers(headers: Mapping[Any, Any]) -> tuple[str | None, str | None]:
    """The session and the parent that ``headers`` name; None for what they don't, or not as an id."""
    values = {_decode_text(name).lower(): _decode_text(value) for name, value in headers.items()}
    session_id, parent = (unquote(values.get(header, "")) for header in (SESSION_HEADER, PARENT_HEADER))
    return (session_id if is_valid_name(session_id) else None), (parent if is_valid_name(parent) else None)


def _decode_text(value: Any) -> str:
    """A header's name or value; an empty text for what is neither text nor bytes, such as None."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text if isinstance(text, str) else ""
