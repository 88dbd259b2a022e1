"""An event at another time: its ``timestamp`` is written anew, all else stays the bytes that it was. Pure."""

import re
from datetime import datetime, timedelta

import msgspec

from agentlog.event import codec
from agentlog.event.event import Headers, Record

HEADER = "agentlog.shifted"
"""The record header that says by how many milliseconds an event was moved; of one moved twice there are two."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_texts = msgspec.json.Decoder(str)
_COLON = re.compile(rb"\s*:")


def shifted(record: Record, by_ms: int) -> tuple[bytes, Headers]:
    """A record's value and headers, moved by so many milliseconds.

    Raises:
        OverflowError: no calendar holds the new time.
    """
    at = _written(record.event.timestamp + timedelta(milliseconds=by_ms))
    begins, ends = _timestamp(record.value)
    value = record.value[:begins] + b'"' + at.encode() + b'"' + record.value[ends:]
    return value, (*record.place.headers, (HEADER, str(by_ms).encode()))


def _written(moment: datetime) -> str:
    digits = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.isoformat(timespec=digits).replace("+00:00", "Z")


def _timestamp(value: bytes) -> tuple[int, int]:
    """Where the value of the last top-level ``timestamp`` stands: the one that counts."""
    depth, found, wanted = 0, (0, 0), False
    for token in _TOKEN.finditer(value):
        text = token[0]
        if wanted:
            found, wanted = token.span(), False
        elif text in b"{[":
            depth += 1
        elif text in b"}]":
            depth -= 1
        elif depth == 1:
            wanted = _COLON.match(value, token.end()) is not None and _name(text) == "timestamp"
    return found


def _name(text: bytes) -> str:
    return codec.tolerant(_texts, text) if b"\\" in text else text[1:-1].decode()
