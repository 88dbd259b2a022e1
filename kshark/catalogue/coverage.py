"""What was read to know a source's sessions, and what may be missing. Pure."""

from dataclasses import dataclass

from agentlog.text.coverage_text import NEVER_CAPTURED, counts_read, where_read


@dataclass(frozen=True)
class Read:
    """What was read, now or before, and what may be missing.

    Attributes:
        records: how many records there are, ``new`` of them read now.
        missing_offsets: offsets that held no record: compacted away, or markers of transactions.
        trimmed: partitions whose first records are deleted.
        catalogue: the file that knew the others, or None.
    """

    what: str
    partition_count: int
    records: int
    new: int
    unreadable: int
    missing_offsets: int
    trimmed: tuple[int, ...]
    catalogue: str | None


def sentence(read: Read) -> str:
    """The line that says how far the rest can be trusted."""
    new = [f"{read.new:,} new to the catalogue"] if read.catalogue else []
    counts = counts_read(read.records, read.partition_count, read.unreadable, new, read.missing_offsets)
    return f"{where_read(read.what, read.partition_count)}: {counts}; {_beginning(read)}"


def _beginning(read: Read) -> str:
    if not read.partition_count:
        return NEVER_CAPTURED
    if read.trimmed:
        where = f"{len(read.trimmed)} of its partitions" if len(read.trimmed) < read.partition_count else "it"
        return f"retention has deleted the first records of {where}: sessions, or their beginnings, may be missing"
    return "nothing has been deleted from the log"
