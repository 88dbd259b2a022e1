"""What was read to know a source's sessions, and what may be missing. Pure."""

from dataclasses import dataclass

from agentlog.wording import counted


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
    partitions = f", all {counted(read.partition_count, 'partition')}" if read.partition_count else ""
    counts = [counted(read.records, "record" if read.partition_count else "line")]
    counts += [f"{read.new:,} of them new to the catalogue"] if read.catalogue else []
    counts += [counted(read.unreadable, "unreadable", "unreadable")] if read.unreadable else []
    if read.missing_offsets:
        counts.append(f"{counted(read.missing_offsets, 'offset')} without a record (compaction or transactions)")
    return f"{read.what}{partitions}: {', '.join(counts)}; {_beginning(read)}"


def _beginning(read: Read) -> str:
    if not read.partition_count:
        return "nothing is known of what was never captured"
    if read.trimmed:
        where = f"{len(read.trimmed)} of its partitions" if len(read.trimmed) < read.partition_count else "it"
        return f"retention has deleted the first records of {where}: sessions, or their beginnings, may be missing"
    return "nothing has been deleted from the log"
