"""The status of a partition's copy, and its form in text and JSON. Pure."""

from dataclasses import dataclass
from typing import Any

from agentlog.formatting import format_count, format_duration

from ..kafka.metadata import Partition
from .lag import Lag


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
    return format_duration(round(lag.seconds * 1_000_000)) if lag.seconds else "0 s"


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
        "problem": status.problem,
    }
