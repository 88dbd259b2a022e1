"""The snapshot of any value as JSON. Later changes of the value don't change the snapshot. Never raises."""

import asyncio
import base64
import re
import time
from collections import UserString, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView, Sequence, Set
from datetime import date
from datetime import time as time_of_day
from decimal import Decimal
from enum import Enum
from functools import lru_cache, partial
from itertools import islice, repeat
from math import prod
from pathlib import PurePath
from typing import Any, cast
from uuid import uuid4

import orjson

from ...formatting import cut_text

MAX_DEPTH = 60
"""How many levels of a value are recorded."""
MAX_ELEMENTS = 100_000
"""The largest array or collection whose elements are recorded."""
MAX_COST = 200_000
"""How much of a value is converted in Python while its caller waits: about 0.1 s. A number, a text and 100 bytes of
JSON cost 1."""
PART_COST = 20
"""The cost of any other part. So 10,000 objects, sets and the like are recorded of a value."""
MAX_ATTRIBUTES_COST = 20_000
"""The cost of an object that is recorded by its attributes, with all that it leads to: 1,000 parts. Objects that lead
to each other in many ways have more ways through them than can be followed."""
MAX_SECONDS = 3.0
"""After this time no further part is converted: the value's own code (its ``repr``, its properties) is slow. It is
long, so that a busy machine changes nothing for others."""
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
_UTC_Z = orjson.OPT_UTC_Z
_PLACEHOLDER = uuid4().hex
_TOO_MUCH_JSON = orjson.dumps(TOO_MUCH)
_PLACEHOLDER_JSON = orjson.dumps(_PLACEHOLDER)
_PLACEHOLDERS_IN_A_ROW = re.compile(b"%b(?:,%b)++" % (_PLACEHOLDER_JSON, _PLACEHOLDER_JSON))
_LIST_TYPES = (list, tuple, set, frozenset, deque)
_COLLECTION_TYPES = (Sequence, Set, MappingView)
_LAZY_ATTRIBUTES = ("__next__", "__anext__", "__await__", "_fetch_all")
"""Attributes of objects that aren't read: iterators, awaitables, and Django's queries, whose ``repr`` runs a query."""


def snapshot(value: Any) -> Any:
    """Return a copy of ``value``: JSON to be embedded, or the value itself if it is a text, number, bool or None."""
    if type(value) in _SCALAR_TYPES:
        return value
    try:
        text = _to_json(value, None, _UTC_Z)
    except Exception:  # noqa: BLE001  a part of it has no JSON form, or its code raised
        text = _encode(value)
    return orjson.Fragment(text)


def encode_event(event: Mapping[str, Any]) -> bytes:
    """Return ``event`` as JSON. Values of payload and context that JSON can't hold are replaced one by one."""
    try:
        return _to_json(event, None, _UTC_Z)
    except Exception:  # noqa: BLE001  a part of it has no JSON form, or its code raised
        return _encode_event_parts(event)


def _encode_event_parts(event: Mapping[str, Any]) -> bytes:
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
    make_placeholder = partial(next, repeat(_PLACEHOLDER))
    _, text = list(map(_to_json, (value, value), (objects.append, make_placeholder), (orjson.OPT_UTC_Z,) * 2))
    return _replace_placeholders(text, objects)


def _replace_placeholders(text: bytes, objects: list[Any]) -> bytes:
    """Return ``text`` with the objects in place of the placeholders. Notes replace those that are too many."""
    literal_parts = text.split(_PLACEHOLDER_JSON)
    converter = _PlainConverter()
    parts = list[bytes]()
    for literal, value in zip(literal_parts, objects, strict=False):
        if converter.is_spent:
            break
        converted = converter.convert(value, has_no_json_form=True)
        parts += literal, orjson.dumps(converted, None, orjson.OPT_UTC_Z)
    rest = _PLACEHOLDER_JSON.join(literal_parts[len(parts) // 2 :])
    rest = _PLACEHOLDERS_IN_A_ROW.sub(_note_left_out, rest).replace(_PLACEHOLDER_JSON, _TOO_MUCH_JSON)
    return b"".join((*parts, rest))


def _note_left_out(placeholders: re.Match[bytes]) -> bytes:
    count = (len(placeholders[0]) + 1) // (len(_PLACEHOLDER_JSON) + 1)
    return orjson.dumps(describe_left_out(count))


def describe_left_out(count: int) -> str:
    """Return the note in place of ``count`` neighbours."""
    return f"<{count:,} more, which are left out>" if count > 1 else TOO_MUCH


def format_error(error: BaseException) -> str:
    """Return an error as text: ``ValueError: its message``. A group's text includes the texts of its errors."""
    name = type(error).__qualname__
    try:
        text = str(error)
        if isinstance(error, BaseExceptionGroup):
            texts = [*map(format_error, error.exceptions[:MAX_GROUP_ERRORS])]
            if (left_out := len(error.exceptions) - MAX_GROUP_ERRORS) > 0:
                texts.append(f"<{left_out:,} more, which are left out>")
            text = f"{text}: {'; '.join(texts)}"
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
    return _PlainConverter().convert(value)


class _PlainConverter:
    """A converter of one value to plain data, within a budget.

    Args:
        budget: the highest cost.
        deadline: when to stop, on the monotonic clock, in seconds. None means ``MAX_SECONDS`` from now.
    """

    def __init__(self, budget: int = MAX_COST, deadline: float | None = None) -> None:
        self._budget = budget
        self._deadline = time.monotonic() + MAX_SECONDS if deadline is None else deadline

    @property
    def is_spent(self) -> bool:
        """Whether nothing more is converted."""
        return self._budget <= 0 or time.monotonic() > self._deadline

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
        if id(value) in ancestors:
            return CYCLE
        if depth > MAX_DEPTH or self.is_spent:
            return TOO_DEEP if depth > MAX_DEPTH else TOO_MUCH
        try:
            return (self._convert_parts if has_no_json_form else self._convert_value)(
                value, type(value), depth + 1, (*ancestors, id(value))
            )
        except Exception as error:  # noqa: BLE001  a value's own code may raise anything
            return f"<{type(value).__qualname__}: {type(error).__name__} while it was recorded>"

    def _convert_value(self, value: Any, kind: type, depth: int, ancestors: tuple[int, ...]) -> Any:
        # By type, not by __class__: reading it would make a lazy proxy do its work.
        self._budget -= 1
        if value is None or kind is bool:
            return value
        if issubclass(kind, int):
            return int(value) if -(2**63) <= value < 2**64 else str(value)
        if issubclass(kind, str):
            return str.__str__(value).encode("utf-8", "replace").decode()
        try:
            encoded = orjson.dumps(value, None, orjson.OPT_UTC_Z)
        except Exception:  # noqa: BLE001  a part of it has no JSON form, or its code raised
            return self._convert_parts(value, kind, depth, ancestors)
        self._budget -= len(encoded) // 100
        return orjson.Fragment(encoded)

    def _convert_parts(self, value: Any, kind: type, depth: int, ancestors: tuple[int, ...]) -> Any:
        self._budget -= PART_COST
        if issubclass(kind, dict):
            return self._convert_dict(dict.copy(value), depth, ancestors)
        if issubclass(kind, _LIST_TYPES) and not hasattr(kind, "_fields"):
            return self._convert_list(list(value), depth, ancestors)
        substitute = next(
            (found for find in _list_conversions(cast(Any, kind)) if (found := find(value)) is not None), None
        )
        return (
            self.convert(substitute, depth, ancestors)
            if substitute is not None
            else self._convert_attributes(value, depth, ancestors)
        )

    def _convert_list(self, items: list[Any], depth: int, ancestors: tuple[int, ...]) -> list[Any]:
        converted = list[Any]()
        for inner in items:
            if self.is_spent:
                return [*converted, describe_left_out(len(items) - len(converted))]
            converted.append(self.convert(inner, depth, ancestors))
        return converted

    def _convert_dict(self, members: dict[Any, Any], depth: int, ancestors: tuple[int, ...]) -> dict[str, Any]:
        """Return the members, the keys as names for JSON. Keys that become the same name get a number."""
        converted = dict[str, Any]()
        number = 1
        for key, inner in members.items():
            if self.is_spent:
                return converted | {TOO_MUCH: describe_left_out(len(members) - len(converted))}
            name = plain_name = self._convert_key(key)
            while name in converted:
                number += 1
                name = f"{plain_name} {number}"
            converted[name] = self.convert(inner, depth, ancestors)
        return converted

    def _convert_key(self, key: Any) -> str:
        if type(key) is str and key.isascii():
            return key
        plain_key = self.convert(key)
        return str(orjson.loads(orjson.dumps(plain_key)) if isinstance(plain_key, orjson.Fragment) else plain_key)

    def _convert_attributes(self, value: Any, depth: int, ancestors: tuple[int, ...]) -> Any:
        """Return an object's attributes as plain data."""
        budget = min(self._budget, MAX_ATTRIBUTES_COST)
        converter = _PlainConverter(budget, self._deadline)
        converted = converter.convert(_collect_attributes(value), depth, ancestors)
        self._budget -= budget - converter._budget
        return converted


Conversion = Callable[[Any], Any]
"""A function that returns a value that stands for an object; None if it can't tell one."""


@lru_cache(1_024)
def _list_conversions(kind: type) -> tuple[Conversion, ...]:
    """Return what may convert objects of a type, in order. If none does, only their attributes can be recorded."""
    for kinds, convert in _CONVERSIONS:
        if issubclass(kind, kinds):
            return (convert,)
    conversions = (_find_array_conversion, _find_model_conversion, _find_collection_conversion, _find_description)
    found = (find(kind) for find in conversions)
    return tuple(convert for convert in found if convert is not None)


def _convert_bytes(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _describe_type(value: type) -> str:
    return f"{value.__module__}.{value.__qualname__}"


_CONVERSIONS: tuple[tuple[Any, Conversion], ...] = (
    (bytes | bytearray | memoryview, lambda value: _convert_bytes(bytes(value))),
    (BaseException, format_error),
    (Decimal | PurePath | UserString, str),
    (float, float),
    (date | time_of_day, lambda value: value.isoformat()),
    (Enum, lambda value: value.value),
    (type, _describe_type),
)


def _find_array_conversion(kind: type) -> Conversion | None:
    return _convert_array if hasattr(kind, "tolist") else None


def _convert_array(value: Any) -> Any:
    """Return the elements of a numpy array or another object with ``tolist``; a large array's type and shape."""
    if not hasattr(value, "dtype"):
        return None
    if prod(value.shape) > MAX_ELEMENTS:
        return {"array": str(value.dtype), "shape": list(value.shape)}
    items = value.tolist()
    return None if type(items) is type(value) else items  # numpy returns itself for a number type that Python lacks


def _find_model_conversion(kind: Any) -> Conversion | None:
    """Return what reads the fields of a model or a named tuple. The type decides: a mock object has every attribute."""
    if hasattr(kind, "model_dump"):
        return lambda value: value.model_dump()
    if hasattr(kind, "__dataclass_fields__"):
        return _convert_dataclass
    if hasattr(kind, "_fields") and hasattr(kind, "_asdict"):
        return lambda value: value._asdict()
    names = getattr(kind, "__struct_fields__", None)
    if names is None and (attributes := getattr(kind, "__attrs_attrs__", None)) is not None:
        names = [attribute.name for attribute in attributes]
    return None if names is None else lambda value: {name: getattr(value, name) for name in names}


def _convert_dataclass(value: Any) -> dict[str, Any]:
    attributes_dict = getattr(value, "__dict__", None)
    named = type(value).__dataclass_fields__ if attributes_dict is None else dict(attributes_dict)
    return {name: getattr(value, name) for name in named if not name.startswith("_")}


def _find_collection_conversion(kind: type) -> Conversion | None:
    """Return what reads a mapping, sequence or set.

    Other iterables aren't read: an iterator would lose its items, and a query would ask its database.
    """
    if issubclass(kind, Mapping):
        return lambda value: _take_members(value, value.items())
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__") and hasattr(kind, "__len__"):  # a database row
        return lambda value: _take_members(value, ((key, value[key]) for key in value.keys()))  # noqa: SIM118
    is_table = hasattr(kind, "shape")
    return _convert_collection if issubclass(kind, _COLLECTION_TYPES) and not is_table else None


def _take_members(value: Any, members: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return the first members of a mapping or a database row, and a note in place of the others."""
    taken = dict(islice(members, MAX_ELEMENTS))
    left_out = len(value) - len(taken) if len(taken) == MAX_ELEMENTS else 0
    return taken | {TOO_MUCH: describe_left_out(left_out)} if left_out > 0 else taken


def _convert_collection(value: Any) -> list[Any] | None:
    items = list(islice(value, MAX_ELEMENTS + 1))
    return items if len(items) <= MAX_ELEMENTS else None


def _find_description(kind: type) -> Conversion | None:
    """Return what describes an object: its ``repr``; None if it has no ``repr`` of its own."""
    if any(hasattr(kind, name) for name in _LAZY_ATTRIBUTES):
        return lambda _: f"<{kind.__qualname__}>"
    has_own_repr = getattr(kind, "__repr__", None) is not object.__repr__
    return (lambda value: hide_addresses(cut_text(repr(value), MAX_REPR))) if has_own_repr else None


def _collect_attributes(value: Any) -> dict[str, Any]:
    slots = {name: getattr(value, name) for name in _list_slots(type(value)) if hasattr(value, name)}
    return {"type": type(value).__qualname__, **slots, **getattr(value, "__dict__", {})}


def _list_slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        named = vars(base).get("__slots__", ())
        yield from (name for name in ((named,) if isinstance(named, str) else named) if not name.startswith("__"))
