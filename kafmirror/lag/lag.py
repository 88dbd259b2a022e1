"""The lag of a mirror in records and in seconds, and its threshold. Pure."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from agentlog.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Lag(NamedTuple):
    """The lag of a partition. None means unknown, never zero."""

    records: int | None
    seconds: float | None


MIN_LAG_S = 0.001
"""The least lag while records wait. Only a partition that has caught up has a lag of 0."""

OLD_S = 5.0
"""A record whose timestamp is older than its arrival by this counts as an old record that arrived late."""

UNKNOWN_LAG = Lag(None, None)
NO_LAG = Lag(0, 0.0)


def compute_lag(mirrored_offset: int | None, source_end: int | None, age: "RecordAge") -> Lag:
    """Return the lag of a partition.

    Args:
        mirrored_offset: the source's offset up to which the partition is mirrored; None when unknown.
        source_end: the source's end; None when unknown.
        age: what is known of the age of the first record that isn't mirrored.
    """
    if mirrored_offset is None or source_end is None:
        return UNKNOWN_LAG
    if mirrored_offset >= source_end:
        return NO_LAG
    return Lag(source_end - mirrored_offset, age.waited)


class RecordAge(NamedTuple):
    """The age of the first record that isn't mirrored, in seconds.

    Attributes:
        stamped: its age by its timestamp, below 0 when the writer's clock is ahead of ours; None when unknown.
        at_most: how long it can have waited, because the source ended before it then; None when unknown.
    """

    stamped: float | None
    at_most: float | None = None

    @classmethod
    def at(cls, now_ms: float, first_timestamp: float | None, arrived_after_ms: float | None = None) -> "RecordAge":
        """Return the age at ``now_ms``. All times are in milliseconds since 1970; None stands for unknown."""
        stamped, at_most = (
            None if each is None else (now_ms - each) / 1000 for each in (first_timestamp, arrived_after_ms)
        )
        return cls(stamped, None if at_most is None else max(at_most, 0.0))

    @property
    def waited(self) -> float | None:
        """How long it has waited, never 0; None when unknown. Its timestamp counts where it can be true."""
        if self.stamped is not None and self.stamped >= 0 and (self.at_most is None or self.stamped <= self.at_most):
            return max(self.stamped, MIN_LAG_S)
        return None if self.at_most is None else max(self.at_most, MIN_LAG_S)

    @property
    def skew(self) -> float:
        """How far its timestamp is ahead of our clock; 0 when it isn't."""
        return max(-(self.stamped or 0.0), 0.0)

    @property
    def is_old(self) -> bool:
        """Whether its timestamp is much older than its arrival."""
        return None not in (self.stamped, self.at_most) and (self.stamped or 0) > (self.at_most or 0) + OLD_S


def combine_lags(lags: list[Lag]) -> Lag:
    """Return the sum of the records and the maximum of the seconds. Each is unknown as soon as one of them is."""
    records = [each.records for each in lags]
    seconds = [each.seconds for each in lags]
    return Lag(
        None if None in records else sum(each or 0 for each in records),
        None if None in seconds else max((each or 0.0 for each in seconds), default=0.0),
    )


@dataclass(frozen=True)
class Threshold:
    """The largest lag that is allowed, in seconds or in records."""

    seconds: float | None = None
    records: int | None = None

    def measure(self, lag: Lag) -> float | None:
        """Return the part of a lag that counts, its seconds or its records; None when it is unknown."""
        return lag.records if self.seconds is None else lag.seconds

    def is_exceeded(self, lag: Lag) -> bool:
        """Return whether a lag is too large. An unknown lag is."""
        measured, limit = self.measure(lag), self.records or 0 if self.seconds is None else self.seconds
        return measured is None or measured > limit

    def __str__(self) -> str:
        return f"{self.seconds:g} s" if self.seconds is not None else f"{self.records:,} records"


def parse_threshold(text: str) -> Threshold:
    """Return the value of ``--lag-threshold``: ``10s``, ``500ms``, ``2m``, or a number of records.

    Raises:
        UsageError: the text is neither a time nor a number of records.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|records?)?\s*", text)
    if match is None or (match[2] not in _UNITS and "." in match[1]):
        raise UsageError(f"--lag-threshold {text[:40]!r} isn't understood; write 10s, 500ms, 2m, or 1000 for records")
    number, unit = match.groups()
    return Threshold(seconds=float(number) * _UNITS[unit]) if unit in _UNITS else Threshold(records=int(number))
