"""How far what is shown can be trusted: what was searched, what was skipped, what may be missing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ..event.event import EPOCH, Unreadable, timestamp_text
from ..event.position import Span
from .timeline import Timeline


@dataclass(slots=True)
class Searched:
    """What a source has looked at so far.

    Attributes:
        what: the topic and cluster, or the file, for a person.
        partitions: those that were read; of a file none.
        partition_count: how many the topic has.
        records: how many were read, of whatever session.
        expected: how many offsets there are to read.
        others: ids of other sessions that were seen, some of them.
        log_begins: of each partition whose earlier records are deleted, the timestamp in milliseconds of the first
            that is left, or None where it wasn't read.
        catalogue: the file that told where the session lies, so that the rest of the partitions wasn't read; or None.
    """

    what: str
    partitions: list[int] = field(default_factory=list)
    partition_count: int = 0
    records: int = 0
    expected: int = 0
    unreadable: int = 0
    others: set[bytes] = field(default_factory=set)
    log_begins: dict[int, int | None] = field(default_factory=dict)
    catalogue: str | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was read for a session, and what may be missing.

    Attributes:
        missing_offsets: offsets in the range read that held no record: compacted away, or markers of transactions.
        beginning: ``whole``, or ``trimmed`` when retention may have deleted the session's first events, or ``bounded``
            when only a part of the session was asked for.
        log_begins_ms: where retention has deleted records, the timestamp of the first that is left in the partition
            where the log reaches back least, in milliseconds since the epoch; None where it has deleted nothing.
        catalogue: the file that told where in the partitions the session lies, or None where they were read whole.
    """

    what: str
    partitions: tuple[int, ...]
    partition_count: int
    records: int
    unreadable: int
    duplicates: int
    late: int
    missing_offsets: int
    beginning: str
    log_begins_ms: int | None
    catalogue: str | None
    span: Span


def coverage(searched: Searched, timeline: Timeline, span: Span) -> Coverage:
    """What can be said of ``timeline``, from what was searched."""
    known = [begins for begins in searched.log_begins.values() if begins is not None]
    reaches_back = len(known) == len(searched.log_begins) and all(ms * 1000 < timeline.began for ms in known)
    starts = any(step.kind == "session_start" and step.lane.depth == 0 for step in timeline.steps[:1])
    whole = "whole" if starts or reaches_back else "trimmed"
    return Coverage(
        what=searched.what,
        partitions=tuple(sorted(searched.partitions)),
        partition_count=searched.partition_count,
        records=searched.records,
        unreadable=searched.unreadable,
        duplicates=timeline.duplicates,
        late=sum(step.late_us > 0 for step in timeline.steps),
        missing_offsets=max(searched.expected - searched.records, 0) if searched.expected else 0,
        beginning="bounded" if span.start is not None else whole,
        log_begins_ms=max(known, default=None),
        catalogue=searched.catalogue,
        span=span,
    )


def as_json(found: Coverage, unreadable: Sequence[Unreadable]) -> dict[str, Any]:
    """The member ``searched`` of every tool's JSON document; docs/kshark.md holds the contract."""
    begins, span = found.log_begins_ms, found.span
    return {
        "source": found.what,
        "partitions": found.partitions,
        "partition_count": found.partition_count,
        "records": found.records,
        "duplicates": found.duplicates,
        "late": found.late,
        "missing_offsets": found.missing_offsets,
        "beginning": found.beginning,
        "catalogue": found.catalogue,
        "log_begins": None if begins is None else timestamp_text(EPOCH + timedelta(milliseconds=begins)),
        "from": span.start.describe() if span.start else None,
        "to": span.end.describe() if span.end else None,
        "unreadable": [unreadable_as_json(each) for each in unreadable],
    }


def unreadable_as_json(each: Unreadable) -> dict[str, Any]:
    """An unreadable record in every tool's JSON."""
    place = each.place
    return {
        "where": each.where,
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
        "reason": each.reason,
    }
