"""The coverage of a session in words: what was read, and what may be missing. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from ..event.escape import escape_controls
from ..event.event import EPOCH
from ..event.position import Position, PositionRange
from ..event.record_key import KeyDescription
from ..formatting import format_count, shorten_name
from ..session.coverage import Coverage, KeyUse, SearchReport, list_keys

UNCAPTURED_NOTE = "nothing is known of what was never captured"


def describe_coverage(coverage: Coverage) -> str:
    """Describe in one line what was read, and what may be missing."""
    parts = [format_count(coverage.duplicates, "duplicate")] if coverage.duplicates else []
    parts += [f"{coverage.late:,} late"] if coverage.late else []
    parts += [describe_clashes(coverage.clashes)] if coverage.clashes else []
    parts += [_describe_keys(coverage.keys, "of the session")] if coverage.keys else []
    partitions = coverage.partitions if len(coverage.partitions) < coverage.partition_count else None
    where = describe_source(coverage.what, coverage.partition_count, partitions)
    where += ", by the catalogue" if coverage.catalogue else ""
    counts = describe_counts(
        coverage.records, coverage.partition_count, coverage.unreadable, parts, coverage.missing_offsets
    )
    unavailable = f"; {describe_unavailable(coverage.unavailable)}" if coverage.unavailable else ""
    return f"{where}: {counts}; {_describe_beginning(coverage)}{unavailable}"


def describe_partitions(partitions: Iterable[int]) -> str:
    """Name partitions, and add the verb for what they have."""
    numbers = sorted(partitions)
    is_one = len(numbers) == 1
    return f"partition{'' if is_one else 's'} {', '.join(map(str, numbers))} {'has' if is_one else 'have'}"


def describe_unavailable(unavailable: Mapping[int, str]) -> str:
    """Name the partitions that can't be read, and say why."""
    partitions_by_reason: dict[str, list[int]] = {}
    for partition, reason in sorted(unavailable.items()):
        partitions_by_reason.setdefault(reason, []).append(partition)
    return "; ".join(
        f"partition{'s' if len(partitions) > 1 else ''} {', '.join(map(str, partitions))} can't be read: {reason}"
        for reason, partitions in partitions_by_reason.items()
    )


MAX_KEYS_NAMED = 3
"""At most this many keys are named in a line."""
_KEY_FORMS = {
    "JSON": "as JSON",
    "UTF-16": "in UTF-16",
    "UTF-32": "in UTF-32",
    "part": "which holds the session's id",
    "other": "",
}


def _describe_keys(uses: Sequence[KeyUse], unit: str) -> str:
    """Describe the keys that aren't the session's id, and how many records have each; the first with its unit."""
    units = [unit] + [""] * len(uses)
    named = zip(uses[:MAX_KEYS_NAMED], units, strict=False)
    texts = [" ".join(filter(None, (f"{use.records:,}", unit, _describe_key(use.key)))) for use, unit in named]
    rest = uses[MAX_KEYS_NAMED:]
    if rest:
        texts.append(f"{sum(use.records for use in rest):,} under {format_count(len(rest), 'more key')}")
    return ", ".join(texts)


def _describe_key(key: KeyDescription) -> str:
    """Describe where a record with a key lies: ``under the key "sess_1" (as JSON)``, or ``without a key``."""
    if key.form == "none":
        return "without a key"
    if not key.text:
        return "under an empty key"
    frame = f"behind a schema registry's frame, schema {key.schema}" if key.schema is not None else ""
    details = ", ".join(filter(None, (_KEY_FORMS[key.form], frame)))
    return f"under the key {escape_controls(shorten_name(key.text))}" + (f" ({details})" if details else "")


def describe_key_search(session_id: str, report: SearchReport) -> str | None:
    """Say what it costs that records of the session, or of its topic, have other keys; None if it costs nothing."""
    uses = list_keys(report, session_id)
    if not uses and not report.has_read_more:
        return None
    if uses:
        unit = "record" if uses[0].records == 1 else "records"
        subject = f"session {escape_controls(session_id)} has {_describe_keys(uses, unit)}"
    else:
        subject = "records of this topic have other keys than their session's id"
    count = format_count(report.partition_count, "partition")
    if report.catalogue is not None:
        cost = "the catalogue says where they are"
    elif len(report.partitions) == report.partition_count > 1:
        cost = f"so all {count} were read, and each record's value was looked at"
    else:
        cost = "so each record's value was looked at"
    order = "; records of different partitions are in the order of their times" if report.partition_count > 1 else ""
    return f"{subject}: {cost}{order}"


def describe_clashes(clashes: int) -> str:
    """Say that ids stand for several events."""
    return f"{format_count(clashes, 'event id')} that {'stands' if clashes == 1 else 'stand'} for more than one event"


def describe_source(source_name: str, partition_count: int, partitions: Sequence[int] | None = None) -> str:
    """Name a source and the partitions that were read; None means all of them. A file has no partitions."""
    if not partition_count:
        return source_name
    if partitions is None:
        return f"{source_name}, all {format_count(partition_count, 'partition')}"
    return f"{source_name}, partitions {', '.join(map(str, partitions))} of {partition_count}"


def describe_counts(
    records: int, partition_count: int, unreadable: int, other_counts: Iterable[str], missing_offsets: int
) -> str:
    """Describe the number of records, of unreadable ones, the other counts, and the missing offsets."""
    parts = [format_count(records, "record" if partition_count else "line")]
    parts += [format_count(unreadable, "unreadable", "unreadable")] if unreadable else []
    parts += other_counts
    if missing_offsets:
        parts.append(f"{format_count(missing_offsets, 'offset')} without a record (compaction or transactions)")
    return ", ".join(parts)


def _describe_beginning(coverage: Coverage) -> str:
    if coverage.beginning == "bounded":
        return f"only {describe_range(coverage.position_range)}"
    begins = EPOCH + timedelta(milliseconds=coverage.log_begins_ms or 0)
    if coverage.beginning == "trimmed":
        since = f" from before {begins:%Y-%m-%d %H:%M:%S} UTC" if coverage.log_begins_ms is not None else ""
        return f"retention has deleted records{since}: the session's beginning may be missing"
    if not coverage.partition_count:
        return UNCAPTURED_NOTE
    return "the log reaches back beyond the beginning"


def progress_text(report: SearchReport) -> str:
    """Describe how many records of the source have been read so far."""
    of = f" of {report.expected:,}" if report.expected else ""
    return f"{report.what}: read {report.records:,}{of} records"


def describe_range(position_range: PositionRange) -> str:
    """Describe the requested range as it was understood."""

    def describe_end(word: str, position: Position | None) -> str:
        return f"{word} {position.describe()}" if position is not None else ""

    return " ".join(filter(None, (describe_end("from", position_range.start), describe_end("to", position_range.end))))


def describe_not_found(session_id: str, report: SearchReport, position_range: PositionRange) -> str:
    """Say that there is no such session, what was searched, and which ids are similar."""
    has_read_all = len(report.partitions) == report.partition_count
    partitions = f", {'all' if has_read_all else len(report.partitions)} partitions" if report.partitions else ""
    bounds = f", {describe_range(position_range)}" if any(position_range) else ""
    read = format_count(report.records, "record" if report.partitions else "line")
    bad = f", {report.unreadable:,} of them unreadable" if report.unreadable else ""
    nearest_ids = find_nearest_ids(session_id, report.others)
    unavailable = f" But {describe_unavailable(report.unavailable)}." if report.unavailable else ""
    hint = f"\nNearest: {', '.join(map(escape_controls, nearest_ids))}" if nearest_ids else ""
    keyed = _describe_keyed_sessions(report.keyed_sessions) if report.keyed_sessions else ""
    searched = f"Searched {report.what}{partitions}{bounds}: {read}{bad}."
    return f"no session {escape_controls(session_id)}. {searched}{unavailable}{keyed}{hint}"


def _describe_keyed_sessions(records_by_session: Mapping[str, int]) -> str:
    """Say which sessions have the requested id as the key of their records."""
    largest = sorted(records_by_session.items(), key=lambda pair: (-pair[1], pair[0]))
    names = ", ".join(f"{escape_controls(name)} ({count:,})" for name, count in largest[:MAX_KEYS_NAMED])
    more = f" and {len(largest) - MAX_KEYS_NAMED:,} more" if len(largest) > MAX_KEYS_NAMED else ""
    records = format_count(sum(records_by_session.values()), "record")
    return f"\n{records} with this key name another session: {names}{more}"


def find_nearest_ids(session_id: str, other_ids: Iterable[bytes]) -> list[str]:
    """Return the (at most five) ids that are most similar to the requested one."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415  loaded only when an id isn't found

    names = sorted(key.decode(errors="replace") for key in other_ids)
    return [name for name, *_ in process.extract(session_id, names, scorer=fuzz.ratio, limit=5, score_cutoff=50)]
