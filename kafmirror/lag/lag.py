"""How far a mirror is behind, in records and in seconds, and what is too far. Pure."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from agentlog.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Lag(NamedTuple):
    """How far a partition is behind; None is unknown, never nothing."""

    records: int | None
    seconds: float | None


UNKNOWN_LAG = Lag(None, None)
NO_LAG = Lag(0, 0.0)


def compute_lag(
    mirrored_offset: int | None, source_end: int | None, first_timestamp: float | None, now_ms: float
) -> Lag:
    """How far a partition is behind.

    Args:
        mirrored_offset: the source's offset up to which it is mirrored.
        source_end: the source's end.
        first_timestamp: the timestamp of the first record that isn't mirrored, in milliseconds since 1970.
        now_ms: the time, in milliseconds since 1970.
    """
    if mirrored_offset is None or source_end is None:
        return UNKNOWN_LAG
    if mirrored_offset >= source_end:
        return NO_LAG
    seconds = None if first_timestamp is None else max(now_ms - first_timestamp, 0) / 1000
    return Lag(source_end - mirrored_offset, seconds)


def combine_lags(lags: list[Lag]) -> Lag:
    """The lag of them all: the records together, the seconds of the slowest; unknown as soon as one is."""
    records = [each.records for each in lags]
    seconds = [each.seconds for each in lags]
    return Lag(
        None if None in records else sum(each or 0 for each in records),
        None if None in seconds else max((each or 0.0 for each in seconds), default=0.0),
    )


@dataclass(frozen=True)
class Threshold:
    """The most that a mirror may be behind: so many seconds, or so many records."""

    seconds: float | None = None
    records: int | None = None

    def measure(self, lag: Lag) -> float | None:
        """What counts of a lag, its seconds or its records; None where that isn't known."""
        return lag.records if self.seconds is None else lag.seconds

    def is_exceeded(self, lag: Lag) -> bool:
        """Whether a lag is too large; one that isn't known is."""
        measured, limit = self.measure(lag), self.records or 0 if self.seconds is None else self.seconds
        return measured is None or measured > limit

    def __str__(self) -> str:
        return f"{self.seconds:g} s" if self.seconds is not None else f"{self.records:,} records"


def parse_threshold(text: str) -> Threshold:
    """What ``--lag-threshold`` says: ``10s``, ``500ms``, ``2m``, or a number of records.

    Raises:
        UsageError: it isn't understood.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|records?)?\s*", text)
    if match is None or (match[2] not in _UNITS and "." in match[1]):
        raise UsageError(f"--lag-threshold {text[:40]!r} isn't understood; write 10s, 500ms, 2m, or 1000 for records")
    number, unit = match.groups()
    return Threshold(seconds=float(number) * _UNITS[unit]) if unit in _UNITS else Threshold(records=int(number))
