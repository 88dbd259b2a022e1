"""Any value -> JSON, as it is now: what the agent changes afterwards doesn't change what is recorded. Never raises."""

import base64
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import prod
from pathlib import PurePath
from typing import Any

import orjson

MAX_DEPTH = 60
MAX_ELEMENTS = 100_000
MAX_PARTS = 200_000
MAX_ATTRIBUTES = 1_000
MAX_REPR = 10_000
CYCLE = "<the value itself, again>"
TOO_DEEP = "<nested too deep>"
TOO_MUCH = "<more than can be recorded>"

_SCALARS = frozenset({str, int, float, bool, type(None)})
_STREAMED = ("__next__", "__anext__", "__await__")


def snapshot(value: Any) -> Any:
    """``value`` as it is now: a text, a number, a truth value or None as such, anything else as JSON in bytes."""
    if type(value) in _SCALARS:
        return value
    try:
        return orjson.dumps(value, _default)
    except Exception:  # noqa: BLE001  a value's own code may raise anything
        return orjson.dumps(plain(value))


def dumps(event: Mapping[str, Any]) -> bytes:
    """``event``, whose payload and context are snapshots, as JSON; what JSON can't hold in it is replaced."""
    try:
        return orjson.dumps(event, orjson.Fragment, orjson.OPT_UTC_Z)
    except TypeError:
        return orjson.dumps(plain(_embedded(event)), None, orjson.OPT_UTC_Z)


def _embedded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _embedded(inner) for name, inner in value.items()}
    return orjson.Fragment(value) if isinstance(value, bytes) else value


def error_text(error: BaseException) -> str:
    """An error as it is recorded: ``ValueError: what it says``."""
    name = type(error).__qualname__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  its own code may raise anything
        text = "<its text can't be had>"
    return f"{name}: {text}" if text else name


def error_fields(error: BaseException) -> dict[str, str]:
    """An error as the fields of an ``error`` event."""
    name = type(error).__qualname__
    return {"type": name, "message": error_text(error).removeprefix(f"{name}: ")}


def plain(value: Any) -> Any:
    """``value`` as dicts, lists, texts and numbers of JSON; what can't be one is named in its place."""
    return _Walk(MAX_PARTS).plain(value)


class _Walk:
    """One value being made plain: a web of objects that lead to each other takes no more than ``room`` parts."""

    def __init__(self, room: int) -> None:
        self._room = room

    def plain(self, value: Any, depth: int = 0, above: tuple[int, ...] = ()) -> Any:
        """``value`` in its plain form, ``depth`` below the whole and part of what is ``above``."""
        self._room -= 1
        if id(value) in above:
            return CYCLE
        if depth > MAX_DEPTH or self._room < 0:
            return TOO_DEEP if depth > MAX_DEPTH else TOO_MUCH
        try:
            return self._plain(value, depth + 1, (*above, id(value)))
        except Exception as error:  # noqa: BLE001  a value's own code may raise anything
            return f"<{type(value).__qualname__}: {type(error).__name__} while it was recorded>"

    def _plain(self, value: Any, depth: int, above: tuple[int, ...]) -> Any:  # noqa: PLR0911  one for each kind
        match value:
            case None | bool():
                return value
            case int():
                return int(value) if -(2**63) <= value < 2**64 else str(value)
            case float():
                return float(value)
            case str():
                return str.__str__(value).encode("utf-8", "replace").decode()
            case orjson.Fragment():
                return value
            case Mapping():
                return {_name(key): self.plain(inner, depth, above) for key, inner in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.plain(inner, depth, above) for inner in value]
        try:
            return orjson.Fragment(orjson.dumps(value, None, orjson.OPT_UTC_Z))
        except TypeError:
            found = _known(value)
            return self.plain(_attributes(value) if found is None else found, depth, above)


def _name(key: Any) -> str:
    return str(plain(key)) if not isinstance(key, str) else plain(key)


def _default(value: Any) -> Any:
    """What stands for an object that JSON has no form for, as orjson asks for it."""
    found = _known(value)
    return _Walk(MAX_ATTRIBUTES).plain(_attributes(value)) if found is None else found


def _known(value: Any) -> Any:
    """What stands for an object; None for one that only its attributes tell of."""
    if isinstance(value, bytes | bytearray | memoryview):
        return _binary(bytes(value))
    if isinstance(value, BaseException):
        return error_text(value)
    if isinstance(value, Decimal | PurePath):
        return str(value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    for convert in (_array, _model, _collection):
        found = convert(value)
        if found is not None:
            return found
    return _described(value)


def _binary(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _array(value: Any) -> Any:
    """Numbers of numpy, and of whatever else has its ``tolist``; of a large array its shape."""
    if not hasattr(type(value), "tolist") or not hasattr(value, "dtype"):
        return None
    if prod(value.shape) > MAX_ELEMENTS:
        return {"array": str(value.dtype), "shape": list(value.shape)}
    return value.tolist()


def _model(value: Any) -> Any:
    """Fields of pydantic, msgspec and attrs models; told by the type, because a mock has whatever it is asked for."""
    if hasattr(type(value), "model_dump"):
        return value.model_dump()
    names = getattr(type(value), "__struct_fields__", None)
    if names is None and (attributes := getattr(type(value), "__attrs_attrs__", None)) is not None:
        names = [attribute.name for attribute in attributes]
    return None if names is None else {name: getattr(value, name) for name in names}


def _collection(value: Any) -> Any:
    """What holds other values and may be read twice; an iterator isn't touched, because the agent wants its items."""
    if isinstance(value, Mapping):
        return {_name(key): inner for key, inner in value.items()}
    if isinstance(value, Iterable) and hasattr(value, "__len__") and not hasattr(value, "shape"):  # no table
        return list(value)
    return None


def _described(value: Any) -> str | None:
    """An object in its own words; None where it has none."""
    if any(hasattr(value, name) for name in _STREAMED):
        return f"<{type(value).__qualname__}>"
    own = getattr(type(value), "__repr__", None) is not object.__repr__
    return repr(value)[:MAX_REPR] if own else None


def _attributes(value: Any) -> dict[str, Any]:
    return {"type": type(value).__qualname__, **getattr(value, "__dict__", {})}
