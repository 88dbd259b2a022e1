"""Parts of a streamed answer, put together as the services' own helpers do it. Pure."""

from typing import Any

import orjson

WHOLE_FIELDS = frozenset({"role", "type", "index", "format", "status"})
"""Texts that a service sends whole. They may come again, and aren't added to."""
NAME_FIELDS = frozenset({"id", "name", "call_id"})
"""Texts that some services send in pieces, and others with each piece of the rest."""


class Pieces(list[str]):
    """The pieces of a text. They are joined once, at the end, so that long answers take no longer a piece."""


def merge_delta(whole: dict[str, Any], delta: dict[str, Any]) -> None:
    """Add a delta to ``whole``: texts are continued, objects merged, lists extended."""
    for name, new in delta.items():
        old = whole.get(name)
        if isinstance(new, str):
            whole[name] = _continue_text(name, old, new)
        elif isinstance(new, dict):
            merge_delta(whole[name] if isinstance(old, dict) else whole.setdefault(name, {}), new)
        elif isinstance(new, list):
            _merge_list(whole.setdefault(name, []), new)
        elif new is not None:
            whole[name] = new


def _continue_text(name: str, old: Any, new: str) -> Any:
    if name in WHOLE_FIELDS:
        return new or old
    if not isinstance(old, Pieces):
        return Pieces([old, new] if isinstance(old, str) and old else [new])
    if not (name in NAME_FIELDS and new == "".join(old)):
        old.append(new)
    return old


def _merge_list(whole: list[Any], new: list[Any]) -> None:
    """Add the members of a list. An object with the index of an earlier one continues it."""
    for part in new:
        if not isinstance(part, dict):
            whole.append(part)
            continue
        index = part.get("index")
        same = [each for each in whole if index is not None and each.get("index") == index]
        merge_delta(same[0] if same else _append_object(whole), part)


def _append_object(whole: list[Any]) -> dict[str, Any]:
    added: dict[str, Any] = {}
    whole.append(added)
    return added


def merge_tool_call(calls: list[dict[str, Any]], part: dict[str, Any]) -> None:
    """Add a part of a streamed chat's tool call to the call that it continues, or begin the next call.

    Services disagree: parallel calls may have the same index or none, an id in each part or in the first one only, and
    an index that counts the parts.
    """
    index, call_id = part.get("index"), part.get("id")
    begins_nothing = not call_id and not _get_name(part)
    candidates = [call for call in calls if index is None or call.get("index") == index]
    call = candidates[-1] if candidates else calls[-1] if calls and begins_nothing else None
    if call is None or _begins_call(call, part, call_id):
        call = _append_object(calls)
    merge_delta(call, part)


def _begins_call(call: dict[str, Any], part: dict[str, Any], call_id: Any) -> bool:
    """Return whether ``part`` begins a call after ``call``, and doesn't continue it."""
    known_id = join_pieces(call.get("id"))
    if call_id:
        return bool(known_id) and call_id != known_id
    return _get_name(part) != "" and _is_complete_json(_get_arguments(call))


def _get_name(part: dict[str, Any]) -> str:
    return str(next((part[kind].get("name") or "" for kind in ("function", "custom") if part.get(kind)), ""))


def _get_arguments(call: dict[str, Any]) -> str:
    return str(join_pieces((call.get("function") or {}).get("arguments")) or "")


def _is_complete_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def join_pieces(value: Any) -> Any:
    """Return ``value`` with each text in one piece."""
    if isinstance(value, Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {name: join_pieces(inner) for name, inner in value.items()}
    return [join_pieces(inner) for inner in value] if isinstance(value, list) else value


def parse_arguments(text: Any) -> Any:
    """Return a tool's arguments from their JSON text. A text that is no JSON is returned as it came."""
    if not isinstance(text, str):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
