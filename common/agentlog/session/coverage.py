"""How far what is shown can be trusted: what was searched, what was skipped, what may be missing. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..event.escape import escaped
from ..event.event import EPOCH, Unreadable, timestamp_text
from ..event.position import Position
from ..log.source import Searched, Span
from ..text.formatting import counted
from .timeline import Timeline

NEVER_CAPTURED = "nothing is known of what was never captured"


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


def sentence(found: Coverage) -> str:
    """The line that says how far the rest can be trusted."""
    parts = [counted(found.duplicates, "duplicate")] if found.duplicates else []
    parts += [f"{found.late:,} late"] if found.late else []
    partitions = found.partitions if len(found.partitions) < found.partition_count else None
    where = where_read(found.what, found.partition_count, partitions)
    where += ", by the catalogue" if found.catalogue else ""
    counts = counts_read(found.records, found.partition_count, found.unreadable, parts, found.missing_offsets)
    return f"{where}: {counts}; {_beginning(found)}"


def where_read(what: str, partition_count: int, partitions: Sequence[int] | None = None) -> str:
    """A source, and how much of it was read: these partitions of so many, or all; a file has none."""
    if not partition_count:
        return what
    if partitions is None:
        return f"{what}, all {counted(partition_count, 'partition')}"
    return f"{what}, partitions {', '.join(map(str, partitions))} of {partition_count}"


def counts_read(records: int, partition_count: int, unreadable: int, more: Iterable[str], missing_offsets: int) -> str:
    """How many records were read, how many of them count for nothing, and what else is to be counted."""
    parts = [counted(records, "record" if partition_count else "line")]
    parts += [counted(unreadable, "unreadable", "unreadable")] if unreadable else []
    parts += more
    if missing_offsets:
        parts.append(f"{counted(missing_offsets, 'offset')} without a record (compaction or transactions)")
    return ", ".join(parts)


def _beginning(found: Coverage) -> str:
    if found.beginning == "bounded":
        return f"only {asked(found.span)}"
    begins = EPOCH + timedelta(milliseconds=found.log_begins_ms or 0)
    if found.beginning == "trimmed":
        since = f" from before {begins:%Y-%m-%d %H:%M:%S} UTC" if found.log_begins_ms is not None else ""
        return f"retention has deleted records{since}: the session's beginning may be missing"
    if not found.partition_count:
        return NEVER_CAPTURED
    return "the log reaches back beyond the beginning"


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


def asked(span: Span) -> str:
    """The bounds that the user gave, as they were understood."""

    def shown(word: str, at: Position | None) -> str:
        return f"{word} {at.describe()}" if at is not None else ""

    return " ".join(filter(None, (shown("from", span.start), shown("to", span.end))))


def not_found(session_id: str, searched: Searched, span: Span) -> str:
    """What was searched, and which sessions there are that have nearly this name."""
    everywhere = len(searched.partitions) == searched.partition_count
    partitions = f", {'all' if everywhere else len(searched.partitions)} partitions" if searched.partitions else ""
    bounds = f", {asked(span)}" if any(span) else ""
    read = counted(searched.records, "record" if searched.partitions else "line")
    bad = f", {searched.unreadable:,} of them unreadable" if searched.unreadable else ""
    near = nearest(session_id, searched.others)
    hint = f"\nNearest: {', '.join(map(escaped, near))}" if near else ""
    return f"no session {escaped(session_id)}. Searched {searched.what}{partitions}{bounds}: {read}{bad}.{hint}"


def nearest(session_id: str, others: Iterable[bytes]) -> list[str]:
    """The five ids that are most like the one that was asked for."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415  loaded only for who mistyped

    names = sorted(key.decode(errors="replace") for key in others)
    return [name for name, *_ in process.extract(session_id, names, scorer=fuzz.ratio, limit=5, score_cutoff=50)]
