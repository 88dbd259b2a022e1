"""The checks of a case: which text, which members of a JSON document, are right."""

import json
import re
from collections.abc import Iterator
from typing import Any

_ABSENT = object()
_PATH_PART = re.compile(r"""\[(-?\d+|\*|"[^"]*")\]|([^.\[\]]+)""")


def check_text(name: str, text: str, expected: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a text."""
    for pattern in expected.get("has", ()):
        if not re.search(pattern, text, re.MULTILINE):
            yield f"{name} lacks {pattern}"
    for pattern in expected.get("lacks", ()):
        if found := re.search(pattern, text, re.MULTILINE):
            yield f"{name} has {pattern}: {found[0]!r}"
    lines = text.splitlines()
    if "columns" in expected and (wide := [line for line in lines if len(line) > expected["columns"]]):
        yield f"{name} is wider than {expected['columns']} columns: {wide[0]!r}"
    if "lines" in expected and len(lines) != expected["lines"]:
        yield f"{name} has {len(lines)} lines, not {expected['lines']}"


def check_document(document: Any, checks: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with a JSON document."""
    for check in checks:
        path = check["path"]
        try:
            value = _find(document, path)
        except (KeyError, IndexError, TypeError):
            value = _ABSENT
        yield from (f"{path}: {wrong}" for wrong in _check_value(value, check))


def _find(value: Any, path: str) -> Any:
    for match in _PATH_PART.finditer(path):
        place, member = match.groups()
        if place == "*":
            return [_find(each, path[match.end() :]) for each in value]
        value = value[member] if member is not None else value[json.loads(place)]
    return value


def _check_value(value: Any, check: dict[str, Any]) -> Iterator[str]:
    if value is _ABSENT:
        if not check.get("absent") and "differs" not in check:
            yield f"is absent, but should be {_describe(check)}"
        return
    holds = {
        "equals": lambda wanted: _is_same(value, wanted),
        "differs": lambda wanted: not _is_same(value, wanted),
        "matches": lambda wanted: re.search(wanted, str(value), re.MULTILINE) is not None,
        "in": lambda wanted: any(_is_same(value, each) for each in wanted),
        "has": lambda wanted: wanted in value,
        "length": lambda wanted: len(value) == wanted,
        "least": lambda wanted: value >= wanted,
        "most": lambda wanted: value <= wanted,
        "absent": lambda _: False,
    }
    for name, wanted in check.items():
        if name != "path" and not holds[name](wanted):
            yield f"is {json.dumps(value)[:300]}, but should be {_describe(check)}"


def _is_same(value: Any, wanted: Any) -> bool:
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)


def _describe(check: dict[str, Any]) -> str:
    return ", ".join(f"{name} {json.dumps(wanted)}" for name, wanted in check.items() if name != "path")
