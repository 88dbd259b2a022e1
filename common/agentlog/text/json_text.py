"""A value as JSON text. Pure."""

import json

import msgspec


def to_json_text(value: object) -> str:
    """Return ``value`` as JSON on one line."""
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()  # str is for its own subclasses
    except OverflowError:  # an integer of more than 64 bits
        return json.dumps(value, ensure_ascii=False)
