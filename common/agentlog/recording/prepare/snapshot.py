"""Any value -> JSON, as it is now: what the agent changes afterwards doesn't change what is recorded. Never raises."""

import base64
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
MAX_ELEMENTS = 100_000
MAX_PARTS = 200_000
MAX_ATTRIBUTES = 1_000
MAX_REPR = 10_000
MAX_GROUPED = 10
CYCLE = "<the value itself, again>"
TOO_DEEP = "<nested too deep>"
TOO_MUCH = "<more than can be recorded>"

_SCALARS = frozenset({str, int, float, bool, type(None)})
_to_json: Callable[..., bytes] = orjson.dumps
_MARK = uuid4().hex
_MARK_JSON = orjson.dumps(_MARK)
_LISTS = (list, tuple, set, frozenset, deque)
_COLLECTIONS = (Sequence, Set, MappingView)
_UNREAD = ("__next__", "__anext__", "__await__", "_fetch_all")
"""Has what isn't read: an iterator, an awaitable, a query of Django's, the text of which asks the database too."""


def snapshot(value: Any) -> Any:
    """``value`` as it is now: a text, a number, a truth value or None as such, anything else as JSON to be embedded."""
    return value if type(value) in _SCALARS else orjson.Fragment(_dumps(value))


def dumps(event: Mapping[str, Any]) -> bytes:
    """``event`` as JSON; what JSON can't hold in its payload and context is replaced, each value for itself."""
    try:
        return _dumped(event)
    except Exception:  # noqa: BLE001  a value's own code may raise anything
        contents = {part: dict(event[part]) for part in ("payload", "context")}
        parts = {part: {name: snapshot(value) for name, value in fields.items()} for part, fields in contents.items()}
        return _dumps({**event, **parts})


def _dumps(value: Any) -> bytes:
    try:
        return _dumped(value)
    except Exception:  # noqa: BLE001  a value's own code may raise anything
        return orjson.dumps(plain(value), None, orjson.OPT_UTC_Z)


def _dumped(value: Any) -> bytes:
    """``value`` as JSON, with what stands for the objects that JSON has no form for.

    orjson calls no Python code meanwhile, only C: else another thread could run, and change a list that orjson is in
    the middle of, which crashes the process. So the objects are collected, then marked, both in one stretch of C so
    that they are the same ones, and converted afterwards.
    """
    objects: list[Any] = []
    text = orjson.dumps(value, objects.append, orjson.OPT_UTC_Z)
    if not objects:
        return text
    objects.clear()
    marked = partial(next, repeat(_MARK))
    _, text = list(map(_to_json, (value, value), (objects.append, marked), (orjson.OPT_UTC_Z,) * 2))
    rest = text.split(_MARK_JSON)
    parts = [orjson.dumps(_Walk(MAX_PARTS).plain(each, formless=True), None, orjson.OPT_UTC_Z) for each in objects]
    return b"".join(chain(*zip(rest[:-1], parts, strict=True), rest[-1:]))


def error_text(error: BaseException) -> str:
    """An error as it is recorded: ``ValueError: what it says``; of a group, what its errors say too."""
    name = type(error).__qualname__
    try:
        text = str(error)
        if isinstance(error, BaseExceptionGroup):
            text = f"{text}: {'; '.join(map(error_text, error.exceptions[:MAX_GROUPED]))}"
    except Exception:  # noqa: BLE001  its own code may raise anything
        text = "<its text can't be had>"
    return f"{name}: {text}" if text else name


def error_fields(error: BaseException) -> dict[str, str]:
    """An error as the fields of an ``error`` event."""
    name = type(error).__qualname__
    return {"type": name, "message": error_text(error).removeprefix(name).removeprefix(": ")}


def plain(value: Any) -> Any:
    """``value`` as dicts, lists, texts and numbers of JSON; what can't be one is named in its place."""
    return _Walk(MAX_PARTS).plain(value)


class _Walk:
    """One value being made plain: a web of objects that lead to each other takes no more than ``room`` parts."""

    def __init__(self, room: int) -> None:
        self._room = room

    def plain(self, value: Any, depth: int = 0, above: tuple[int, ...] = (), *, formless: bool = False) -> Any:
        """``value`` in its plain form, ``depth`` below the whole and part of what is ``above``.

        Args:
            formless: whether it is known that JSON has no form for it.
        """
        self._room -= 1
        if id(value) in above:
            return CYCLE
        if depth > MAX_DEPTH or self._room < 0:
            return TOO_DEEP if depth > MAX_DEPTH else TOO_MUCH
        try:
            return (self._parts if formless else self._plain)(value, type(value), depth + 1, (*above, id(value)))
        except Exception as error:  # noqa: BLE001  a value's own code may raise anything
            return f"<{type(value).__qualname__}: {type(error).__name__} while it was recorded>"

    def _plain(self, value: Any, kind: type, depth: int, above: tuple[int, ...]) -> Any:
        # By its type: what a proxy says of its class may take all the work that it puts off.
        if value is None or kind is bool:
            return value
        if issubclass(kind, int):
            return int(value) if -(2**63) <= value < 2**64 else str(value)
        if issubclass(kind, str):
            return str.__str__(value).encode("utf-8", "replace").decode()
        try:
            return orjson.Fragment(orjson.dumps(value, None, orjson.OPT_UTC_Z))
        except Exception:  # noqa: BLE001  something in it has no form in JSON, or its code raised
            return self._parts(value, kind, depth, above)

    def _parts(self, value: Any, kind: type, depth: int, above: tuple[int, ...]) -> Any:
        if issubclass(kind, dict):
            return {name: self.plain(inner, depth, above) for name, inner in _named(dict.copy(value).items())}
        if issubclass(kind, _LISTS) and not hasattr(kind, "_fields"):
            return [self.plain(inner, depth, above) for inner in list(value)]
        found = _known(value, kind)
        return self.plain(found, depth, above) if found is not None else self._of_web(value, depth, above)

    def _of_web(self, value: Any, depth: int, above: tuple[int, ...]) -> Any:
        """An object by its attributes, which may lead to any number of others."""
        room = min(self._room, MAX_ATTRIBUTES)
        web = _Walk(room)
        found = web.plain(_attributes(value), depth, above)
        self._room -= room - web._room
        return found


def _named(items: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    """Keys and values, the keys as names of JSON; of several that come to the same name each keeps its value."""
    seen: set[str] = set()
    number = 1
    for key, inner in items:
        name = plain_name = _name(key)
        while name in seen:
            number += 1
            name = f"{plain_name} {number}"
        seen.add(name)
        yield name, inner


def _name(key: Any) -> str:
    if type(key) is str and key.isascii():
        return key
    found = plain(key)
    return str(orjson.loads(orjson.dumps(found)) if isinstance(found, orjson.Fragment) else found)


def _known(value: Any, kind: type) -> Any:  # noqa: PLR0911  one for each kind
    """What stands for an object; None for one that only its attributes tell of."""
    if issubclass(kind, bytes | bytearray | memoryview):
        return _binary(bytes(value))
    if issubclass(kind, BaseException):
        return error_text(value)
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
    for convert in (_array, _model, _collection):
        found = convert(value, kind)
        if found is not None:
            return found
    return _described(value, kind)


def _binary(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _array(value: Any, kind: type) -> Any:
    """Numbers of numpy, and of whatever else has its ``tolist``; of a large array its shape."""
    if not hasattr(kind, "tolist") or not hasattr(value, "dtype"):
        return None
    if prod(value.shape) > MAX_ELEMENTS:
        return {"array": str(value.dtype), "shape": list(value.shape)}
    found = value.tolist()
    return None if type(found) is kind else found  # a number that Python has none for


def _model(value: Any, kind: Any) -> Any:
    """Fields of models and of named tuples; told by the type, because a mock has whatever it is asked for."""
    if hasattr(kind, "model_dump"):
        return value.model_dump()
    if hasattr(kind, "__dataclass_fields__"):
        held = getattr(value, "__dict__", None)
        named = kind.__dataclass_fields__ if held is None else dict(held)
        return {name: getattr(value, name) for name in named if not name.startswith("_")}
    if hasattr(kind, "_fields") and hasattr(kind, "_asdict"):
        return value._asdict()
    names = getattr(kind, "__struct_fields__", None)
    if names is None and (attributes := getattr(kind, "__attrs_attrs__", None)) is not None:
        names = [attribute.name for attribute in attributes]
    return None if names is None else {name: getattr(value, name) for name in names}


def _collection(value: Any, kind: type) -> Any:
    """What holds other values as mappings, sequences and sets do.

    Whatever else can be iterated over isn't: an iterator's items are the agent's, and a query would ask its database.
    """
    if issubclass(kind, Mapping):
        return dict(_named(islice(value.items(), MAX_ELEMENTS)))
    if hasattr(kind, "keys") and hasattr(kind, "__getitem__") and hasattr(kind, "__len__"):  # a database's row
        return {_name(key): value[key] for key in islice(value.keys(), MAX_ELEMENTS)}
    if issubclass(kind, _COLLECTIONS) and not hasattr(kind, "shape"):  # no table
        found = list(islice(value, MAX_ELEMENTS + 1))
        return found if len(found) <= MAX_ELEMENTS else None
    return None


def _described(value: Any, kind: type) -> str | None:
    """An object in its own words; None where it has none."""
    if any(hasattr(kind, name) for name in _UNREAD):
        return f"<{kind.__qualname__}>"
    own = getattr(kind, "__repr__", None) is not object.__repr__
    return repr(value)[:MAX_REPR] if own else None


def _attributes(value: Any) -> dict[str, Any]:
    slots = {name: getattr(value, name) for name in _slots(type(value)) if hasattr(value, name)}
    return {"type": type(value).__qualname__, **slots, **getattr(value, "__dict__", {})}


def _slots(kind: type) -> Iterator[str]:
    for each in kind.__mro__:
        named = vars(each).get("__slots__", ())
        yield from (name for name in ((named,) if isinstance(named, str) else named) if not name.startswith("__"))
