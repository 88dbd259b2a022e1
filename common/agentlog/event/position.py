"""Positions in a session: a time or an offset, and ranges between two of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from .event import Record, to_microseconds


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time.

    Attributes:
        time: the time in UTC.
        zone: the user's time zone; ``describe`` shows the time in it as well.
        note: how the user's text was understood, if it was ambiguous; else empty.
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
        """Whole milliseconds since the epoch, the unit of Kafka's timestamps."""
        return self.microseconds // 1000

    def describe(self) -> str:
        """Return the UTC time, and in brackets the note and the user's local time, if they add anything."""
        local = self.time.astimezone(self.zone)
        notes = [self.note] if self.note else []
        if local.utcoffset():
            notes.append(f"{_format_local_time(local)}{_get_zone_name(local)}")
        return f"{_format_local_time(self.time)[:-6]} UTC" + (f" ({'; '.join(notes)})" if notes else "")


@dataclass(frozen=True, slots=True)
class Offset:
    """An offset of one partition, or of every partition searched when ``partition`` is None."""

    partition: int | None
    offset: int

    def describe(self) -> str:
        """Return the offset in words."""
        where = "every partition searched" if self.partition is None else f"partition {self.partition}"
        return f"offset {self.offset} of {where}"


Position = Moment | Offset


def _format_local_time(moment: datetime) -> str:
    digits = "seconds" if not moment.microsecond else "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.isoformat(" ", digits)


def _get_zone_name(local: datetime) -> str:
    """Return the zone's name if it says more than its offset from UTC, else an empty text."""
    name = getattr(local.tzinfo, "key", None) or local.tzname() or ""
    return f" in {name}" if name and not name.startswith("UTC") else ""


class PositionRange(NamedTuple):
    """The requested part of a session. Both ends belong to it; None leaves an end open."""

    start: Position | None = None
    end: Position | None = None

    @property
    def partition(self) -> int | None:
        """The partition that an offset at either end names, or None."""
        named_partitions = [end.partition for end in self if isinstance(end, Offset) and end.partition is not None]
        return named_partitions[0] if named_partitions else None

    def contains(self, record: Record) -> bool:
        """Whether a record lies in the range, by its event's time or by its offset."""
        if self.partition not in (None, record.place.partition):
            return False
        behind_start = self.start is None or _measure_distance(self.start, record) >= 0
        return behind_start and (self.end is None or _measure_distance(self.end, record) <= 0)


def _measure_distance(position: Position, record: Record) -> int:
    """Return how far a record lies behind ``position``: microseconds or offsets, negative before it."""
    if isinstance(position, Moment):
        return to_microseconds(record.event.timestamp) - position.microseconds
    return record.place.offset - position.offset
