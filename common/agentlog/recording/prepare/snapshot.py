"""The snapshot of any value as JSON. Later changes of the value don't change the snapshot. Never raises."""

import asyncio
import base64
import re
from collections import UserString, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView, Sequence, Set
from datetime import date, time
from decimal import Decimal
from enum import Enum
from functools import partial
from itertools import chain, islice, repeat
from math import prod
from pathlib import PurePath
from typing import Any
from uuid import uuid4

import orjson

MAX_DEPTH = 60
"""How many levels of a value are recorded."""
MAX_ELEMENTS = 100_000
"""The largest array or collection whose elements are recorded."""
MAX_PARTS = 200_000
"""How many parts of a value are recorded, if orjson can't write it. Objects that lead to each other in many ways have
more ways through them than can be followed."""
MAX_ATTRIBUTES = 1_000
"""How many parts of an object are recorded, if it has only its attributes."""
MAX_REPR = 10_000
"""How many characters of an object's ``repr`` are recorded."""
MAX_GROUP_ERRORS = 10
"""How many errors of an exception group are recorded."""
CYCLE = "<the value itself, again>"
TOO_DEEP = "<nested too deep>"
TOO_MUCH = "<more than can be recorded>"

_ADDRESS = re.compile(r"(?: at 0x[0-9a-fA-F]{6,16}|(?<=cancel scope) [0-9a-f]{6,16})\b")
_SCALAR_TYPES = frozenset({str, int, float, bool, type(None)})
_to_json: Callable[..., bytes] = orjson.dumps
_PLACEHOLDER = uuid4().hex
_PLACEHOLDER_JSON = orjson.dumps(_PLACEHOLDER)
_LIST_TYPES = (list, tuple, set, frozenset, deque)
_COLLECTION_TYPES = (Sequence, Set, MappingView)
_LAZY_ATTRIBUTES = ("__next__", "__anext__", "__await__", "_fetch_all")
"""Attributes of objects that aren't read: iterators, awaitables, and Django's queries, whose ``repr`` runs a query."""


def snapshot(value: Any) -> Any:
    """Return a copy of ``value``: JSON to be embedded, or the value itself if it is a text, number, bool or None."""
    return value if type(value) in _SCALAR_TYPES else orjson.Fragment(_encode(value))


def encode_event(event: Mapping[str, Any]) -> bytes:
    """Return ``event`` as JSON. Values of payload and context that JSON can't hold are replaced one by one."""
    try:
        return _encode_strictly(event)
    except Exception:  # noqa: BLE001  a value's own code may raise anything
        contents = {part: dict(event[part]) for part in ("payload", "context")}
        parts = {part: {name: snapshot(value) for name, value in fields.items()} for part, fields in contents.items()}
        return _encode({**event, **parts})


def _encode(value: Any) -> bytes:
    try:
        return _encode_strictly(value)
    except Exception:  # noqa: BLE001  a value's own code may raise anything
        return orjson.dumps(to_plain(value), None, orjson.OPT_UTC_Z)


def _encode_strictly(value: Any) -> bytes:
    """Return ``value`` as JSON, with substitutes for objects that have no JSON form.

    While orjson writes, only C code may run. Python code would let another thread run. That thread could change the
    list that orjson is reading, which crashes the process. So there are three steps. First the objects are collected.
    Then orjson writes a placeholder for each. Both steps run in one stretch of C code, so they see the same objects.
    Afterwards the objects are converted and put in place of the placeholders.
    """
    objects: list[Any] = []
    text = orjson.dumps(value, objects.append, orjson.OPT_UTC_Z)
    if not objects:
        return text
    objects.clear()
    make_placeholder = partial(next, repeat(_PLACEHOLDER))
    _, text = list(map(_to_json, (value, value), (objects.append, make_placeholder), (orjson.OPT_UTC_Z,) * 2))
    literal_parts = text.split(_PLACEHOLDER_JSON)
    parts = [
        orjson.dumps(_PlainConverter(MAX_PARTS).convert(each, has_no_json_form=True), None, orjson.OPT_UTC_Z)
        for each in objects
    ]
    return b"".join(chain(*zip(literal_parts[:-1], parts, strict=True), literal_parts[-1:]))


def format_error(error: BaseException) -> str:
    """Return an error as text: ``ValueError: its message``. A group's text includes the texts of its errors."""
    name = type(error).__qualname__
    try:
        text = str(error)
        if isinstance(error, BaseExceptionGroup):
            text = f"{text}: {'; '.join(map(format_error, error.exceptions[:MAX_GROUP_ERRORS]))}"
    except Exception:  # noqa: BLE001  the error's own code may raise anything
        text = "<its text can't be read>"
    return hide_addresses(f"{name}: {text}" if text else name)


def hide_addresses(text: str) -> str:
    """Return ``text`` without addresses of memory, as in ``<Task at 0x7f52ace97420>``. They differ in each run."""
    return _ADDRESS.sub("", text)


def is_cancellation(error: BaseException | None) -> bool:
    """Return whether ``error`` ends code that was cancelled: by asyncio, by trio, or by Ctrl-C."""
    is_trios = type(error).__name__ == "Cancelled" and type(error).__module__.partition(".")[0] == "trio"
    return is_trios or isinstance(error, asyncio.CancelledError | KeyboardInterrupt | GeneratorExit)


def make_error_fields(error: BaseException) -> dict[str, str]:
    """Return an error as the fields of an ``error`` event."""
    name = type(error).__qualname__
    return {"type": name, "message": format_error(error).removeprefix(name).removeprefix(": ")}


def to_plain(value: Any) -> Any:
    """Return ``value`` as dicts, lists, texts and numbers for JSON. A note replaces a part that can't be converted."""
    return _PlainConverter(MAX_PARTS).convert(value)


class _PlainConverter:
    """A converter of one value to plain data, limited to ``budget`` parts."""

    def __init__(self, budget: int) -> None:
        self._budget = budget

    def convert(
        self, value: Any, depth: int = 0, ancestors: tuple[int, ...] = (), *, has_no_json_form: bool = False
    ) -> Any:
        """Return ``value`` as plain data.

        Args:
            value: the value.
            depth: how many levels below the whole it is.
            ancestors: the ids of the values around it, to find cycles.
            has_no_json_form: whether it is known that JSON has no form for it.
        """
        self._budget -= 1
        if id(value) in ancestors:
            return CYCLE
        if depth > MAX_DEPTH or self._budget < 0:
            return TOO_DEEP if depth > MAX_DEPTH else TOO_MUCH
        try:
            return (self._convert_parts if has_no_json_form else self._convert_value)(
                value, type(value), depth + 1, (*ancestors, id(value))
            )
        except Exception as error:  # noqa: BLE001  a value's own code may raise anything
            return f"<{type(value).__qualname__}: {type(error).__name__} while it was recorded>"

    def _convert_value(self, value: Any, kind: type, depth: int, ancestors: tuple[int, ...]) -> Any:
        # By type, not by __class__: reading it would make a lazy proxy do its work.
        if value is None or kind is bool:
            return value
        if issubclass(kind, int):
            return int(value) if -(2**63) <= value < 2**64 else str(value)
        if issubclass(kind, str):
            return str.__str__(value).encode("utf-8", "replace").decode()
        try:
            return orjson.Fragment(orjson.dumps(value, None, orjson.OPT_UTC_Z))
        except Exception:  # noqa: BLE001  a part of it has no JSON form, or its code raised
            return self._convert_parts(value, kind, depth, ancestors)

    def _convert_parts(self, value: Any, kind: type, depth: int, ancestors: tuple[int, ...]) -> Any:
        if issubclass(kind, dict):
            return {name: self.convert(inner, depth, ancestors) for name, inner in _name_keys(dict.copy(value).items())}
        if issubclass(kind, _LIST_TYPES) and not hasattr(kind, "_fields"):
            return [self.convert(inner, depth, ancestors) for inner in list(value)]
        substitute = _find_substitute(value, kind)
        return (
            self.convert(substitute, depth, ancestors)
            if substitute is not None
            else self._convert_attributes(value, depth, ancestors)
        )

    def _convert_attributes(self, value: Any, depth: int, ancestors: tuple[int, ...]) -> Any:
        """Return an object's attributes as plain data, at most ``MAX_ATTRIBUTES`` parts."""
        budget = min(self._budget, MAX_ATTRIBUTES)
        converter = _PlainConverter(budget)
        converted = converter.convert(_collect_attributes(value), depth, ancestors)
        self._budget -= budget - converter._budget
        return converted


def _name_keys(items: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield keys and values, the keys as names for JSON. Keys that become the same name get a number."""
    seen: set[str] = set()
    number = 1
    for key, inner in items:
        name = plain_name = _to_name(key)
        while name in seen:
            number += 1
            name = f"{plain_name} {number}"
        seen.add(name)
        yield name, inner


def _to_name(key: Any) -> str:
    if type(key) is str and key.isascii():
        return key
    plain_key = to_plain(key)
    return str(orjson.loads(orjson.dumps(plain_key)) if isinstance(plain_key, orjson.Fragment) else plain_key)


def _find_substitute(value: Any, kind: type) -> Any:  # noqa: PLR0911  one for each kind
    """Return a value that stands for an object. Return None if only its attributes can be recorded."""
    if issubclass(kind, bytes | bytearray | memoryview):
        return _convert_bytes(bytes(value))
    if issubclass(kind, BaseException):
        return format_error(value)
    if issubclass(kind, Decimal | PurePath | UserString):
        return str(value)
    if issubclass(kind, float):
        return float(value)
    if issubclass(kind, date | time):
        return value.isoformat()
    if issubclass(kind, Enum):
        return value.value
    if issubclass(kind, type):
        return f"{value.__module__}.{value.__qualname__}"
    for convert in (_convert_array, _convert_model, _convert_collection):
        substitute = convert(value, kind)
        if substitute is not None:
            return substitute
    return _describe_object(value, kind)


def _convert_bytes(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _convert_array(value: Any, kind: type) -> Any:
    """Return the elements of a numpy array or another object with ``tolist``; a large array's type and shape."""
    if not hasattr(kind, "tolist") or not hasattr(value, "dtype"):
        return None
    if prod(value.shape) > MAX_ELEMENTS:
        return {"array": str(value.dtype), "shape": list(value.shape)}
    items = value.tolist()
    return None if type(items) is kind else items  # numpy returns itself for a number type that Python lacks


def _convert_model(value: Any, kind: Any) -> Any:
    """Return the fields of a model or a named tuple. The type decides, because a mock object has every attribute."""
    if hasattr(kind, "model_dump"):
        return value.model_dump()
    if hasattr(kind, "__dataclass_fields__"):
        attributes_dict = getattr(value, "__dict__", None)
        named = kind.__dataclass_fields__ if attributes_dict is None else dict(attributes_dict)
        return {name: getattr(value, name) for name in named if not name.startswith("_")}
    if hasattr(kind, "_fields") and hasattr(kind, "_asdict"):
        return value._asdict()
    names = getattr(kind, "__struct_fields__", None)
    if names is None and (attributes := getattr(kind, "__attrs_attrs__", None)) is not None:
        names = [attribute.name for attribute in attributes]
    return None if names is None else {name: getattr(value, name) for name in names}


def _convert_collection(value: Any, kind: type) -> Any:
    """Return the contents of a mapping, sequence or set.

    Other iterables aren't read: an iterator would lose its items, and a query would ask its database.
    """
    if issubclass(kind, Mapping):
        return dict(_name_keys(islice(value.items(), MAX_ELEMENTS)))
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__") and hasattr(kind, "__len__"):  # a database row
        return {_to_name(key): value[key] for key in islice(value.keys(), MAX_ELEMENTS)}
    if issubclass(kind, _COLLECTION_TYPES) and not hasattr(kind, "shape"):  # not a table
        items = list(islice(value, MAX_ELEMENTS + 1))
        return items if len(items) <= MAX_ELEMENTS else None
    return None


def _describe_object(value: Any, kind: type) -> str | None:
    """Return an object's ``repr``; None if it has no ``repr`` of its own."""
    if any(hasattr(kind, name) for name in _LAZY_ATTRIBUTES):
        return f"<{kind.__qualname__}>"
    has_own_repr = getattr(kind, "__repr__", None) is not object.__repr__
    return hide_addresses(repr(value)[:MAX_REPR]) if has_own_repr else None


def _collect_attributes(value: Any) -> dict[str, Any]:
    slots = {name: getattr(value, name) for name in _list_slots(type(value)) if hasattr(value, name)}
    return {"type": type(value).__qualname__, **slots, **getattr(value, "__dict__", {})}


def _list_slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        named = vars(base).get("__slots__", ())
        yield from (name for name in ((named,) if isinstance(named, str) else named) if not name.startswith("__"))
