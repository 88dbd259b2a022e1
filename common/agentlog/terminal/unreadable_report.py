"""The report of unreadable records on standard error: the first ones one by one, then the number of the others."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from ..event.escape import escape_controls
from ..event.event import Unreadable
from .output import write_stderr

MAX_NAMED = 100


@dataclass
class UnreadableReport:
    """The places of unreadable records so far. Each is named once, when it arrives."""

    reported: set[str] = field(default_factory=set)

    def add(self, unreadable: Unreadable) -> None:
        """Add an unreadable record, and say which it is, and why."""
        if unreadable.where not in self.reported and len(self.reported) < MAX_NAMED:
            report_unreadable(unreadable)
        self.reported.add(unreadable.where)

    @property
    def count(self) -> int:
        """The number of unreadable records."""
        return len(self.reported)

    def report_rest(self) -> None:
        """Say how many records weren't named."""
        if self.count > MAX_NAMED:
            write_stderr(f"unreadable: {self.count - MAX_NAMED:,} more")


def report_unreadable(unreadable: Unreadable) -> None:
    """Say which record can't be read, and why."""
    write_stderr(f"unreadable: {escape_controls(unreadable.where)}: {escape_controls(unreadable.reason)}")


def report_first(unreadable: Iterable[Unreadable], count: int, limit: int = MAX_NAMED) -> None:
    """Name the first of ``count`` unreadable records, and at the limit say how many more there are."""
    for each in islice(unreadable, limit):
        report_unreadable(each)
    if count > limit:
        write_stderr(f"unreadable: {count - limit:,} more; --format json names all")
