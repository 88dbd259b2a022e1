"""Where a partition's copy stands, as all outputs tell it. Pure."""

from dataclasses import dataclass
from typing import Any

from agentlog.formatting import counted, duration

from ..kafka.metadata import Partition
from .lag import Lag


@dataclass(frozen=True)
class Standing:
    """Where a partition's copy stands.

    Attributes:
        position: the source's offset up to which it is mirrored; None when unknown.
        end: the source's end; None when unknown.
        target_end: the target's end; None when unknown.
        records, sent_bytes: what this process has copied.
        problem: why it isn't known or doesn't go on, or None.
    """

    source: Partition
    target: Partition
    position: int | None
    end: int | None
    target_end: int | None
    lag: Lag
    records: int = 0
    sent_bytes: int = 0
    problem: str | None = None


def lag_text(lag: Lag) -> str:
    """A lag for a person: ``behind by 1,204 records, 3.2 s``."""
    if lag.records is None:
        return "how far it is behind isn't known"
    seconds = "nobody knows for how long" if lag.seconds is None else seconds_text(lag)
    return f"behind by {counted(lag.records, 'record')}, {seconds}"


def seconds_text(lag: Lag) -> str:
    """The time of a lag for a person."""
    if lag.seconds is None:
        return "unknown"
    return duration(round(lag.seconds * 1_000_000)) if lag.seconds else "0 s"


def as_json(standing: Standing) -> dict[str, Any]:
    """A partition as the JSON of ``status`` and ``replicate`` has it."""
    return {
        "topic": standing.source.topic,
        "partition": standing.source.number,
        "target_topic": standing.target.topic,
        "position": standing.position,
        "source_end": standing.end,
        "target_end": standing.target_end,
        "lag_records": standing.lag.records,
        "lag_seconds": standing.lag.seconds,
        "problem": standing.problem,
    }
