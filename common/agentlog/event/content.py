"""The content of an event: equal for all copies of it, however their JSON was written. Pure."""

import re
from hashlib import blake2b
from typing import Any

import msgspec

from .codec import decode_tolerantly
from .json_text import encode_json

_decoder = msgspec.json.Decoder()
_WHOLE_FLOAT = re.compile(rb"[0-9](?:\.0|e[+-]?[0-9]+)(?![0-9.])")
_DIGEST_BYTES = 16


def encode_content(value: bytes, *, without: str = "") -> bytes:
    """Return the stored event ``value`` in one form: members in order, no space, 1.0 written as 1.

    Args:
        without: the name of a member of the event to leave out.
    """
    try:
        content = decode_tolerantly(_decoder, value)
        if without and isinstance(content, dict):
            content.pop(without, None)
        encoded = encode_json(content, is_sorted=True)
        return encode_json(_to_whole_numbers(content), is_sorted=True) if _WHOLE_FLOAT.search(encoded) else encoded
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return value


def digest_content(value: bytes, *, without: str = "") -> bytes:
    """Return a digest of the stored event ``value``, the same for all copies. It is no JSON."""
    return b"\0" + blake2b(encode_content(value, without=without), digest_size=_DIGEST_BYTES).digest()


def _to_whole_numbers(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _to_whole_numbers(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_to_whole_numbers(value) for value in content]
    return int(content) if isinstance(content, float) and content.is_integer() else content
