"""Where a partition's copy stands, as all outputs tell it. Pure."""

from dataclasses import dataclass
from typing import Any

from agentlog.formatting import format_count, format_duration

from ..kafka.metadata import Partition
from .lag import Lag


@dataclass(frozen=True)
class PartitionStatus:
    """Where a partition's copy stands.

    Attributes:
        position: the source's offset up to which it is mirrored; None when unknown.
        source_end: the source's end; None when unknown.
        target_end: the target's end; None when unknown.
        records, sent_bytes: what this process has copied.
        problem: why it isn't known or doesn't go on, or None.
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
    """A lag for a person: ``behind by 1,204 records, 3.2 s``."""
    if lag.records is None:
        return "how far it is behind isn't known"
    seconds = "nobody knows for how long" if lag.seconds is None else format_lag_time(lag)
    return f"behind by {format_count(lag.records, 'record')}, {seconds}"


def format_lag_time(lag: Lag) -> str:
    """The time of a lag for a person."""
    if lag.seconds is None:
        return "unknown"
    return format_duration(round(lag.seconds * 1_000_000)) if lag.seconds else "0 s"


def encode_status(status: PartitionStatus) -> dict[str, Any]:
    """A partition as the JSON of ``status`` and ``replicate`` has it."""
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
