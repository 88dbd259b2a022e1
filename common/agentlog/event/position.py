"""What a user may write for a time or an offset, and how it is shown back as understood."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from .event import Record, to_microseconds


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time.

    Attributes:
        time: in UTC.
        zone: the user's, in which ``describe`` shows it too.
        note: how it was understood, where the text left something open; empty otherwise.
    """

    time: datetime
    zone: tzinfo = field(default=UTC, compare=False)
    note: str = field(default="", compare=False)

    @property
    def microseconds(self) -> int:
        """Microseconds since the epoch."""
        return to_microseconds(self.time)

    @property
    def timestamp_ms(self) -> int:
        """Milliseconds since the epoch, the fraction dropped: the unit of Kafka's timestamps."""
        return self.microseconds // 1000

    def describe(self) -> str:
        """The UTC time, then in brackets how it was understood and, where it differs, the user's local time."""
        local = self.time.astimezone(self.zone)
        notes = [self.note] if self.note else []
        if local.utcoffset():
            notes.append(f"{_format_local_time(local)}{_get_zone_name(local)}")
        return f"{_format_local_time(self.time)[:-6]} UTC" + (f" ({'; '.join(notes)})" if notes else "")


@dataclass(frozen=True, slots=True)
class Offset:
    """A place in the log: an offset of one partition or, where ``partition`` is None, of every partition searched."""

    partition: int | None
    offset: int

    def describe(self) -> str:
        """The place in words."""
        where = "every partition searched" if self.partition is None else f"partition {self.partition}"
        return f"offset {self.offset} of {where}"


Position = Moment | Offset


def _format_local_time(moment: datetime) -> str:
    digits = "seconds" if not moment.microsecond else "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.isoformat(" ", digits)


def _get_zone_name(local: datetime) -> str:
    """The zone's name, where it says more than the offset."""
    name = getattr(local.tzinfo, "key", None) or local.tzname() or ""
    return f" in {name}" if name and not name.startswith("UTC") else ""


class PositionRange(NamedTuple):
    """The part of a session that is asked for, both ends included; None where it is open."""

    start: Position | None = None
    end: Position | None = None

    @property
    def partition(self) -> int | None:
        """The one partition that a place at either end names, or None."""
        named_partitions = [at.partition for at in self if isinstance(at, Offset) and at.partition is not None]
        return named_partitions[0] if named_partitions else None

    def contains(self, record: Record) -> bool:
        """Whether a record lies in it: by the time that its event was recorded, or by its offset."""
        if self.partition not in (None, record.place.partition):
            return False
        behind_start = self.start is None or _measure_distance(self.start, record) >= 0
        return behind_start and (self.end is None or _measure_distance(self.end, record) <= 0)


def _measure_distance(position: Position, record: Record) -> int:
    """How far a record lies behind ``position``; negative before it."""
    if isinstance(position, Moment):
        return to_microseconds(record.event.timestamp) - position.microseconds
    return record.place.offset - position.offset
