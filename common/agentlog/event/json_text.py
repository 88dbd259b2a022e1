"""A value as JSON, with whole numbers of any size. Pure."""

import json

import msgspec


def encode_json(value: object, *, is_sorted: bool = False) -> bytes:
    """Return ``value`` as JSON on one line, its members in their own order or sorted by name."""
    try:
        # str is for its own subclasses
        return msgspec.json.encode(value, enc_hook=str, order="sorted" if is_sorted else None)
    except OverflowError:  # an integer of more than 64 bits, in older versions of msgspec
        return json.dumps(value, sort_keys=is_sorted, ensure_ascii=False, separators=(",", ":")).encode()


def to_json_text(value: object, *, is_sorted: bool = False) -> str:
    """Return ``value`` as a JSON text on one line, its members in their own order or sorted by name."""
    return encode_json(value, is_sorted=is_sorted).decode()
