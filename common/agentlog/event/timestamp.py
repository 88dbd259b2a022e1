"""The forms of an event's timestamp: RFC 3339, its relatives, and epoch numbers. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from .event import EPOCH

WANTED = "write RFC 3339, such as 2026-02-03T10:00:00Z"

_RFC_3339 = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d|\d{4}/\d\d/\d\d|\d{8})[Tt _]{1,2}"
    r"(?P<hour>\d\d):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,18}))?)?"
    r" ?(?P<zone>[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?"
    r"(?: [A-Z]{3,4})?(?: m=[+-][\d.]+)?"  # Go prints the zone's name and its own clock too
    r"(?:\[[\w/+:-]+\])?",  # java.time prints the zone's name
    re.ASCII,
)
_RFC_2822 = re.compile(
    r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})", re.ASCII
)
_NUMBER = re.compile(r"(?:-1|\d{1,7}|\d{9,20})(?:\.\d{1,9})?", re.ASCII)  # eight digits may be a day
_UNITS = ((10**8, 10**6), (10**11, 10**3), (10**14, 1), (10**17, Decimal("0.001")))
"""Seconds, milliseconds, microseconds and nanoseconds since 1970: the least number of each, and its microseconds."""
_MAX_SMALL = 10**7
"""A number below is the time of a clock that was never set: seconds since its start, or -1 for none."""


def parse_timestamp(value: object) -> datetime:
    """Parse an event's timestamp, as decoded from JSON. A time without a zone stays without one.

    Raises:
        ValueError: it is no time that can be read for certain; the message names it, and says what is wanted.
    """
    try:
        if isinstance(value, str):
            for pattern, parse in _PARSERS.items():
                if (match := pattern.fullmatch(value.strip())) is not None:
                    return parse(match)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            return _parse_epoch(Decimal(repr(value)))
    except (ValueError, OverflowError, ArithmeticError):
        pass
    raise ValueError(f"timestamp {_quote(value)} can't be read: {WANTED}")


def _parse_rfc_3339(match: re.Match[str]) -> datetime:
    """Parse a time. A leap second, and 24:00, are the beginning of what follows."""
    day = re.sub(r"\D", "", match["day"])
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    is_midnight = (hour, minute, second) == (24, 0, 0) and not int(match["fraction"] or 0)
    if minute > 59 or second > 60 or (hour > 23 and not is_midnight):
        raise ValueError("no time of day")
    microseconds = min(round(Decimal(f"0.{match['fraction'] or 0}") * 1_000_000), 999_999)
    midnight = datetime(int(day[:4]), int(day[4:6]), int(day[6:]), tzinfo=_parse_zone(match["zone"]))
    return midnight + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=microseconds)


def _parse_zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    if int(digits[2:]) > 59:
        raise ValueError("no zone")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _parse_rfc_2822(text: str) -> datetime:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  few events have one, and it loads sockets too

    return parsedate_to_datetime(text)


def _parse_epoch(number: Decimal) -> datetime:
    """Parse a number since 1970, whose magnitude tells the unit; a small one, of a clock never set, is seconds."""
    if -1 <= number < _MAX_SMALL:
        return EPOCH + timedelta(microseconds=round(number * 10**6))
    scale = next((scale for least, scale in _UNITS if least <= number < least * 1000), None)
    if scale is None:
        raise ValueError("no epoch number")
    return EPOCH + timedelta(microseconds=round(number * scale))


_PARSERS: Mapping[re.Pattern[str], Callable[[re.Match[str]], datetime]] = {
    _RFC_3339: _parse_rfc_3339,
    _RFC_2822: lambda match: _parse_rfc_2822(match[0]),
    _NUMBER: lambda match: _parse_epoch(Decimal(match[0])),
}


def _quote(value: object) -> str:
    text = json.dumps(value, ensure_ascii=not (isinstance(value, str) and value.isprintable()))
    return text if len(text) <= 60 else f"{text[:57]}..."
