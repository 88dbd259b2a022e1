"""The status of a partition's copy, and its form in text and JSON. Pure."""

from dataclasses import dataclass, replace
from typing import Any

from agentlog.formatting import format_count, format_duration

from ..batches.loss import Loss
from ..kafka.metadata import Partition
from .lag import Lag, RecordAge, compute_lag

MIN_SKEW_S = 1.0
"""A timestamp that is ahead by less isn't worth a word."""

UNKNOWN_AGE = RecordAge(None)


@dataclass(frozen=True)
class PartitionStatus:
    """The status of a partition's copy.

    Attributes:
        source, target: the partition on both sides.
        position: the source's offset up to which the partition is mirrored; None when unknown.
        source_end: the source's end; None when unknown.
        target_end: the target's end; None when unknown.
        lag: how far the copy is behind the source.
        records: the number of records that this process has copied.
        sent_bytes: the number of bytes that this process has sent for them.
        problem: why the position is unknown or the copy can't continue; None when all is well.
        age: what is known of the age of the first record that isn't mirrored.
        is_advancing: whether the copy advances while records wait; None when unknown, or nothing waits.
        losses: the accepted losses, in order.
        filled: how many of how many offsets before the source's first record are filled, while nothing is copied yet;
            None otherwise.
    """

    source: Partition
    target: Partition
    position: int | None
    source_end: int | None
    target_end: int | None
    lag: Lag
    records: int = 0
    sent_bytes: int = 0
    problem: str | None = None
    age: RecordAge = UNKNOWN_AGE
    is_advancing: bool | None = None
    losses: tuple[Loss, ...] = ()
    filled: tuple[int, int] | None = None

    @property
    def offsets_lost(self) -> int:
        """The number of offsets that were lost."""
        return sum(each.offsets for each in self.losses)

    @property
    def is_behind(self) -> bool:
        """Whether records are known to wait."""
        return bool(self.lag.records)


def compare_looks(first: PartitionStatus | None, second: PartitionStatus, elapsed_s: float) -> PartitionStatus:
    """Return the status of the second look, ``elapsed_s`` after the first, with what both looks tell together."""
    if first is None or not second.is_behind or None in (first.position, first.source_end, second.position):
        return second
    if (second.position or 0) < (first.source_end or 0):
        return replace(second, is_advancing=second.position != first.position)
    age = second.age._replace(at_most=elapsed_s)
    return replace(second, age=age, lag=compute_lag(second.position, second.source_end, age), is_advancing=True)


def describe_wait(status: PartitionStatus) -> str | None:
    """Say what is odd about the wait of the first record that isn't mirrored; None if nothing is."""
    age, parts = status.age, list[str]()
    if not status.is_behind:
        return None
    if age.skew > MIN_SKEW_S:
        parts.append(f"the next record's timestamp is {_format_seconds(age.skew)} ahead of this clock")
    elif age.is_old and age.stamped is not None:
        parts.append(f"the next record is old: its timestamp is {_format_seconds(age.stamped)} before its arrival")
    if status.is_advancing is False or (parts and status.is_advancing):
        parts.append("the copy advances" if status.is_advancing else "the copy stands still")
    return "; ".join(parts) or None


def describe_losses(status: PartitionStatus) -> str | None:
    """Return a sentence about the newest accepted loss and the number of earlier ones; None if there is none."""
    if not status.losses:
        return None
    earlier = status.losses[:-1]
    more = f", and {format_count(len(earlier), 'loss', 'losses')} before" if earlier else ""
    return f"lost: {status.losses[-1]}{more}"


def format_lag(lag: Lag) -> str:
    """Return a lag for a person: ``behind by 1,204 records, 3.2 s``."""
    if lag.records is None:
        return "its lag is unknown"
    seconds = "for an unknown time" if lag.seconds is None else format_lag_time(lag)
    return f"behind by {format_count(lag.records, 'record')}, {seconds}"


def format_lag_time(lag: Lag) -> str:
    """Return the time of a lag for a person."""
    if lag.seconds is None:
        return "unknown"
    return _format_seconds(lag.seconds) if lag.seconds else "0 s"


def _format_seconds(seconds: float) -> str:
    return format_duration(round(seconds * 1_000_000))


def encode_status(status: PartitionStatus) -> dict[str, Any]:
    """Return a partition for the JSON of ``status`` and ``replicate``."""
    return {
        "topic": status.source.topic,
        "partition": status.source.number,
        "target_topic": status.target.topic,
        "position": status.position,
        "source_end": status.source_end,
        "target_end": status.target_end,
        "lag_records": status.lag.records,
        "lag_seconds": status.lag.seconds,
        "first_record_age_seconds": status.age.stamped if status.is_behind else None,
        "advancing": status.is_advancing,
        "problem": status.problem,
        "lost": [{"from": each.first, "to": each.end - 1, "found_at": each.found_at} for each in status.losses],
        "filled_offsets": status.filled[0] if status.filled else None,
        "offsets_to_fill": status.filled[1] if status.filled else None,
    }
