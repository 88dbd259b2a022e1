"""What was read for a session, and what may be missing, in words. Pure."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from ..event.escape import escaped
from ..event.event import EPOCH
from ..event.position import Position, Span
from ..formatting import counted
from ..session.coverage import Coverage, Searched

NEVER_CAPTURED = "nothing is known of what was never captured"


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


def progress_text(searched: Searched) -> str:
    """What is being read, and how many of its records have been read so far."""
    of = f" of {searched.expected:,}" if searched.expected else ""
    return f"{searched.what}: read {searched.records:,}{of} records"


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
