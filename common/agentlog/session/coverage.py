"""The coverage of a session: what was searched, what was unreadable, and what may be missing. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ..event.event import EPOCH, Unreadable, format_timestamp
from ..event.position import PositionRange
from ..event.record_key import KeyDescription, describe_key

if TYPE_CHECKING:  # as in summary.py
    from .timeline import Timeline

MAX_KEYS = 1_000
"""At most this many keys of a session are remembered."""


@dataclass(slots=True)
class SearchReport:
    """The part of a source that was read so far.

    Attributes:
        what: the name of the topic and cluster, or of the file, for a person.
        partitions: the partitions that were read; empty for a file.
        partition_count: the number of partitions that the topic has.
        records: the number of records that were read, of any session.
        expected: the number of offsets to read.
        others: ids of other sessions that were seen, up to a limit.
        log_begins: for each partition whose earlier records were deleted, the timestamp in milliseconds of the first
            record left, or None if that wasn't read, or can't be right.
        catalogue: the catalogue file that told where the session lies, or None. With it, only that part was read.
        unavailable: the partitions that couldn't be read, and why.
        keys: the keys of the session's records that aren't its id, up to a limit, each with the number of records.
        more_keys: the number of the session's records with other keys.
        has_read_more: whether all partitions were read because records have keys that aren't their sessions' ids.
        keyed_sessions: for the sessions whose records have the requested id as key, the number of these records.
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
    unavailable: dict[int, str] = field(default_factory=dict)
    keys: dict[bytes | None, int] = field(default_factory=dict)
    more_keys: int = 0
    has_read_more: bool = False
    keyed_sessions: dict[str, int] = field(default_factory=dict)

    def note_key(self, key: bytes | None) -> None:
        """Count a record of the session whose key isn't the session's id."""
        if key in self.keys or len(self.keys) < MAX_KEYS:
            self.keys[key] = self.keys.get(key, 0) + 1
        else:
            self.more_keys += 1

    def note_keyed_session(self, session_id: str) -> None:
        """Count a record of another session that has the requested id as key."""
        if session_id in self.keyed_sessions or len(self.keyed_sessions) < MAX_KEYS:
            self.keyed_sessions[session_id] = self.keyed_sessions.get(session_id, 0) + 1


class KeyUse(NamedTuple):
    """A key that isn't the session's id, and how many of the session's records have it."""

    key: KeyDescription
    records: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The records read for a session, and those that may be missing.

    Attributes:
        clashes: the number of event ids that stand for several events.
        missing_offsets: the number of offsets in the range that held no record, because of compaction or transactions.
        beginning: ``whole``, or ``trimmed`` if retention may have deleted the session's first events, or ``bounded``
            if only a part of the session was requested.
        log_begins_ms: the latest timestamp at which a partition begins from which retention has deleted records, in
            milliseconds since the epoch; None if it has deleted nothing.
        catalogue: the catalogue file that told where the session lies, or None if the partitions were read whole.
        unavailable: the partitions that couldn't be read, and why.
        keys: the keys of the session's records that aren't its id, the most used first.
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
    position_range: PositionRange
    clashes: int = 0
    unavailable: Mapping[int, str] = field(default_factory=dict)
    keys: tuple[KeyUse, ...] = ()


def measure_coverage(report: SearchReport, timeline: "Timeline", position_range: PositionRange) -> Coverage:
    """Compute the coverage of ``timeline`` from the report of the search."""
    known_begins_ms = [begins for begins in report.log_begins.values() if begins is not None]
    reaches_back = len(known_begins_ms) == len(report.log_begins) and all(
        ms * 1000 < timeline.began for ms in known_begins_ms
    )
    has_start = any(step.kind == "session_start" and step.lane.depth == 0 for step in timeline.steps[:1])
    beginning = "whole" if has_start or reaches_back else "trimmed"
    return Coverage(
        what=report.what,
        partitions=tuple(sorted(report.partitions)),
        partition_count=report.partition_count,
        records=report.records,
        unreadable=report.unreadable,
        duplicates=timeline.duplicates,
        late=sum(step.late_us > 0 for step in timeline.steps),
        missing_offsets=max(report.expected - report.records, 0) if report.expected else 0,
        beginning="bounded" if position_range.start is not None else beginning,
        log_begins_ms=max(known_begins_ms, default=None),
        catalogue=report.catalogue,
        position_range=position_range,
        clashes=timeline.clashes,
        unavailable=dict(report.unavailable),
        keys=list_keys(report, timeline.session_id),
    )


def list_keys(report: SearchReport, session_id: str) -> tuple[KeyUse, ...]:
    """List the keys of a session's records that aren't its id, the most used first."""
    uses = [KeyUse(describe_key(key, session_id), count) for key, count in report.keys.items()]
    return tuple(sorted(uses, key=lambda use: (-use.records, use.key.text)))


def coverage_to_json(coverage: Coverage, unreadable: Sequence[Unreadable]) -> dict[str, Any]:
    """Return the member ``searched`` of every tool's JSON document; docs/kshark.md has the contract."""
    log_begins_ms, position_range = coverage.log_begins_ms, coverage.position_range
    return {
        "source": coverage.what,
        "partitions": coverage.partitions,
        "partition_count": coverage.partition_count,
        "records": coverage.records,
        "duplicates": coverage.duplicates,
        "clashes": coverage.clashes,
        "late": coverage.late,
        "missing_offsets": coverage.missing_offsets,
        "beginning": coverage.beginning,
        "catalogue": coverage.catalogue,
        "log_begins": None
        if log_begins_ms is None
        else format_timestamp(EPOCH + timedelta(milliseconds=log_begins_ms)),
        "from": position_range.start.describe() if position_range.start else None,
        "to": position_range.end.describe() if position_range.end else None,
        "keys": [
            {"key": key.text, "form": key.form, "schema": key.schema, "records": records}
            for key, records in coverage.keys
        ],
        "unreadable": [unreadable_to_json(each) for each in unreadable],
        "unavailable": unavailable_to_json(coverage.unavailable),
    }


def unavailable_to_json(unavailable: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the partitions that couldn't be read as every tool's JSON has them."""
    return [{"partition": partition, "reason": reason} for partition, reason in sorted(unavailable.items())]


def unreadable_to_json(unreadable: Unreadable) -> dict[str, Any]:
    """Return an unreadable record as every tool's JSON has it."""
    place = unreadable.place
    return {
        "where": unreadable.where,
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
        "reason": unreadable.reason,
    }
