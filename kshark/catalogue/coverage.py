"""The coverage of a list of sessions: what was read, and what may be missing. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentlog.text.coverage_text import UNCAPTURED_NOTE, describe_counts, describe_source, describe_unavailable


@dataclass(frozen=True)
class CatalogueCoverage:
    """What was read, now or by earlier runs, and what may be missing.

    Attributes:
        records: the number of records, of which ``new_records`` were read now.
        missing_offsets: the number of offsets without a record (compaction, transaction markers).
        trimmed: partitions whose first records retention has deleted.
        catalogue: the file that knew the records that weren't read now, or None.
        unavailable: the partitions that can't be read now, and why.
    """

    source: str
    partition_count: int
    records: int
    new_records: int
    unreadable: int
    missing_offsets: int
    trimmed: tuple[int, ...]
    catalogue: str | None
    unavailable: Mapping[int, str] = field(default_factory=dict)


def describe_coverage(coverage: CatalogueCoverage) -> str:
    """Return the line that says what was read and what may be missing."""
    new_text = [f"{coverage.new_records:,} new to the catalogue"] if coverage.catalogue else []
    counts = describe_counts(
        coverage.records, coverage.partition_count, coverage.unreadable, new_text, coverage.missing_offsets
    )
    unavailable = f"; {describe_unavailable(coverage.unavailable)}" if coverage.unavailable else ""
    where = describe_source(coverage.source, coverage.partition_count)
    return f"{where}: {counts}; {_describe_beginning(coverage)}{unavailable}"


def _describe_beginning(coverage: CatalogueCoverage) -> str:
    if not coverage.partition_count:
        return UNCAPTURED_NOTE
    if coverage.trimmed:
        where = (
            f"{len(coverage.trimmed)} of its partitions" if len(coverage.trimmed) < coverage.partition_count else "it"
        )
        return f"retention has deleted the first records of {where}: sessions, or their beginnings, may be missing"
    return "nothing has been deleted from the log"
