"""Any value -> JSON, as it is now: what the agent changes afterwards doesn't change what is recorded. Never raises."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

MAX_DEPTH = 60
MAX_ELEMENTS = 100_000
MAX_REPR = 10_000
CYCLE = "<the value itself, again>"
TOO_DEEP = "<nested too deep>"

_SCALARS = frozenset({str, int, float, bool, type(None)})
_STREAMED = ("__next__", "__anext__", "__await__")


def snapshot(value: Any) -> Any:
    """``value`` as it is now: a text, a number, a truth value or None as such, anything else as JSON in bytes."""
    if type(value) in _SCALARS:
        return value
    try:
        return orjson.dumps(value, _known)
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


def plain(value: Any, _depth: int = 0, _above: tuple[int, ...] = ()) -> Any:
    """``value`` as dicts, lists, texts and numbers of JSON; what can't be one is named in its place."""
    if id(value) in _above:
        return CYCLE
    if _depth > MAX_DEPTH:
        return TOO_DEEP
    inner = (_depth + 1, (*_above, id(value)))
    try:
        return _plain(value, *inner)
    except Exception as error:  # noqa: BLE001  a value's own code may raise anything
        return f"<{type(value).__qualname__}: {type(error).__name__} while it was recorded>"


def _plain(value: Any, depth: int, above: tuple[int, ...]) -> Any:  # noqa: PLR0911  one for each kind
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
            return {_name(key): plain(inner, depth, above) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(inner, depth, above) for inner in value]
    try:
        return orjson.Fragment(orjson.dumps(value, None, orjson.OPT_UTC_Z))
    except TypeError:
        return plain(_known(value), depth, above)


def _name(key: Any) -> str:
    return str(plain(key)) if not isinstance(key, str) else plain(key)


def _known(value: Any) -> Any:
    """What stands for an object that JSON has no form for."""
    if isinstance(value, bytes | bytearray | memoryview):
        return _binary(bytes(value))
    if isinstance(value, BaseException):
        return error_text(value)
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
    if not hasattr(value, "tolist") or not hasattr(value, "dtype"):
        return None
    if getattr(value, "size", 1) > MAX_ELEMENTS:
        return {"array": str(value.dtype), "shape": list(value.shape)}
    return value.tolist()


def _model(value: Any) -> Any:
    """Fields of pydantic, msgspec and attrs models."""
    if callable(getattr(value, "model_dump", None)):
        return value.model_dump()
    names = getattr(value, "__struct_fields__", None)
    if names is None and (attributes := getattr(type(value), "__attrs_attrs__", None)) is not None:
        names = [attribute.name for attribute in attributes]
    return None if names is None else {name: getattr(value, name) for name in names}


def _collection(value: Any) -> Any:
    """What holds other values and may be read twice; an iterator isn't touched, because the agent wants its items."""
    if isinstance(value, Mapping):
        return {_name(key): inner for key, inner in value.items()}
    if isinstance(value, Iterable) and hasattr(value, "__len__"):
        return list(value)
    return None


def _described(value: Any) -> Any:
    streamed = any(hasattr(value, name) for name in _STREAMED)
    if getattr(type(value), "__repr__", None) is object.__repr__ and not streamed:
        return {"type": type(value).__qualname__, **getattr(value, "__dict__", {})}
    return f"<{type(value).__qualname__}>" if streamed else repr(value)[:MAX_REPR]
