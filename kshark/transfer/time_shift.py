"""The shift of an event in time, which replaces its ``timestamp`` and keeps all other bytes. Pure."""

import re
from datetime import datetime, timedelta

import msgspec

from agentlog.event import codec
from agentlog.event.event import Headers, Record

SHIFT_HEADER = "agentlog.shifted"
"""The record header that holds the shift in milliseconds; an event that was shifted twice has two."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_text_decoder = msgspec.json.Decoder(str)
_COLON = re.compile(rb"\s*:\s*")
_NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*")


def shift_record(record: Record, by_ms: int) -> tuple[bytes, Headers]:
    """Return a record's value and headers, shifted by ``by_ms`` milliseconds.

    Raises:
        OverflowError: the new time is outside the years 1 to 9999.
    """
    new_time = _format_timestamp(record.event.timestamp + timedelta(milliseconds=by_ms))
    begins, ends = _find_timestamp(record.value)
    value = record.value[:begins] + b'"' + new_time.encode() + b'"' + record.value[ends:]
    return value, (*record.place.headers, (SHIFT_HEADER, str(by_ms).encode()))


def _format_timestamp(moment: datetime) -> str:
    digits = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.isoformat(timespec=digits).replace("+00:00", "Z")


def _find_timestamp(value: bytes) -> tuple[int, int]:
    """Return the span of the value of the last top-level ``timestamp``, which is the one that counts."""
    depth, value_span, is_value_next = 0, (0, 0), False
    for token in _TOKEN.finditer(value):
        text = token[0]
        if is_value_next:
            value_span, is_value_next = token.span(), False
        elif text in b"{[":
            depth += 1
        elif text in b"}]":
            depth -= 1
        elif depth == 1 and (colon := _COLON.match(value, token.end())) and _decode_name(text) == "timestamp":
            number = _NUMBER.match(value, colon.end())
            value_span, is_value_next = (number.span(), False) if number else (value_span, True)
    return value_span


def _decode_name(text: bytes) -> str:
    return codec.decode_tolerantly(_text_decoder, text) if b"\\" in text else text[1:-1].decode()
