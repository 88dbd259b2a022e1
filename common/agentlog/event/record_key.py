"""The key of a record whose key isn't its session's id: what it is, in words. Pure."""

import codecs
from typing import NamedTuple

import msgspec

from .registry_frame import split_frame

ENCODINGS = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_BYTE_ORDER_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_json_decoder = msgspec.json.Decoder()


class KeyDescription(NamedTuple):
    """What a key is.

    Attributes:
        text: the key as text, without a frame; in hexadecimal digits if it is no text.
        form: ``none``, ``JSON``, ``UTF-16``, ``UTF-32``, ``part`` if the session's id is a part of it, or ``other``.
        schema: the id of the schema in a schema registry's frame, or None.
    """

    text: str
    form: str
    schema: str | None = None


def describe_key(key: bytes | None, session_id: str) -> KeyDescription:
    """Describe the key of a record of a session."""
    if key is None:
        return KeyDescription("", "none")
    if (encoding := _find_encoding(key, session_id)) is not None:
        return KeyDescription(session_id, encoding.upper()[:6])
    framed = split_frame(key)
    content = framed.content if framed is not None else key
    schema = framed.schema if framed is not None else None
    if _decode_json(content) == session_id:
        return KeyDescription(_decode_text(content), "JSON", schema)
    if session_id.encode() in content:
        # Behind a frame, the bytes around the id are Avro's or Protobuf's, and no text.
        return KeyDescription(session_id if schema is not None else _decode_text(content), "part", schema)
    if schema is not None and _is_text(content):
        return KeyDescription(_decode_text(content), "other", schema)
    return KeyDescription(_decode_text(key), "other")


def names_session(key: bytes | None, session_id: str) -> bool:
    """Whether a key holds a session's id in any form."""
    return key is not None and describe_key(key, session_id).form != "other"


def _find_encoding(key: bytes, session_id: str) -> str | None:
    mark = next((each for each in _BYTE_ORDER_MARKS if key.startswith(each)), b"")
    text = key.removeprefix(mark)
    return next((each for each in ENCODINGS if text == session_id.encode(each, errors="replace")), None)


def _decode_json(content: bytes) -> object:
    try:
        return _json_decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _decode_text(key: bytes) -> str:
    return key.decode() if _is_text(key) else f"0x{key.hex()}"


def _is_text(key: bytes) -> bool:
    try:
        return key.decode().isprintable()
    except UnicodeDecodeError:
        return False
