"""What can't be read, named on standard error as it comes: each once, the first hundred one by one."""

from dataclasses import dataclass, field

from agentlog.events import Unreadable
from agentlog.output import complain
from agentlog.untrusted import escaped

NAMED = 100


@dataclass
class Naming:
    """The places of what couldn't be read so far."""

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
