"""Large payloads for --full: fetched from their store, verified, and put in place of their references."""

from collections.abc import Iterable
from typing import Any

import msgspec

from agentlog.event.reference import is_reference
from agentlog.payloads import resolve
from agentlog.session.timeline import Step

MAX_DEPTH = 32
"""How deep to search a payload or context for references."""


def fetch_references(steps: Iterable[Step]) -> None:
    """Replace references in the steps' events by their payloads; if one can't be fetched, its preview says why."""
    for step in steps:
        payload, context = _fetch_value(step.event.payload, MAX_DEPTH), _fetch_value(step.event.context, MAX_DEPTH)
        if (payload, context) != (step.event.payload, step.event.context):
            step.event = msgspec.structs.replace(step.event, payload=payload, context=context)


def _fetch_value(value: Any, depth: int) -> Any:
    if is_reference(value):
        return _fetch_reference(value, depth)
    if isinstance(value, dict):
        return _fetch_items(value, depth)
    return [_fetch_value(inner, depth - 1) for inner in value] if isinstance(value, list) and depth else value


def _fetch_items(value: dict[str, Any], depth: int) -> dict[str, Any]:
    return {name: _fetch_value(inner, depth - 1) for name, inner in value.items()} if depth else value


def _fetch_reference(reference: dict[str, Any], depth: int) -> object:
    content = resolve(reference)
    if isinstance(content, str):
        return {**reference, "preview": f"{reference.get('preview') or ''} (not shown whole: {content})"}
    if str(reference["$ref"]).endswith(".json"):
        return _fetch_value(msgspec.json.decode(content), depth - 1) if depth else msgspec.json.decode(content)
    return content.decode(errors="replace")
