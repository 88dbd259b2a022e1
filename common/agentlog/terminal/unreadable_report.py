"""What can't be read, named on standard error: the first ones one by one, of the others how many there are."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from ..event.escape import escaped
from ..event.event import Unreadable
from .output import complain

NAMED = 100


@dataclass
class Naming:
    """The places of what couldn't be read so far; each is named once, as it comes."""

    seen: set[str] = field(default_factory=set)

    def add(self, each: Unreadable) -> None:
        """Take in one, and say which record can't be read, and why."""
        if each.where not in self.seen and len(self.seen) < NAMED:
            name_unreadable(each)
        self.seen.add(each.where)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.seen)

    def total(self) -> None:
        """Say how many weren't named."""
        if self.count > NAMED:
            complain(f"unreadable: {self.count - NAMED:,} more")


def name_unreadable(each: Unreadable) -> None:
    """Say which record can't be read, and why."""
    complain(f"unreadable: {escaped(each.where)}: {escaped(each.reason)}")


def name_first(unreadable: Iterable[Unreadable], count: int, most: int = NAMED) -> None:
    """Name the first of ``count`` that can't be read, at the ``most`` so many."""
    for each in islice(unreadable, most):
        name_unreadable(each)
    if count > most:
        complain(f"unreadable: {count - most:,} more; --format json names all")
