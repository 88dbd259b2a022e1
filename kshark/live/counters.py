"""Records counted: sums that can be added up, whatever the order and the parts. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import fsum

from agentlog.event.event import Record, number
from agentlog.log.source import Found
from agentlog.session.timeline import alone
from agentlog.text.step_text import error_name


@dataclass
class Tally:
    """What some records amount to; a copy of an event counts as it came in.

    Attributes:
        events: records that could be read; of the others the places are in ``unreadable``.
        sizes: how many events have how many bytes as stored.
        errors: events with an error, and ``error`` events; the end of a session that failed is none.
        error_names: the errors in a word or two, each with its count.
        costs: in dollars, as the events say it; llm calls that say none count in ``unpriced``.
    """

    events: int = 0
    unreadable: int = 0
    sessions: Counter[str] = field(default_factory=Counter)
    partitions: Counter[int] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    errors: int = 0
    error_names: Counter[str] = field(default_factory=Counter)
    llm_calls: int = 0
    unpriced: int = 0
    costs: list[float] = field(default_factory=list)

    def add(self, found: Found) -> None:
        """Count a record."""
        self.partitions[found.place.partition] += 1
        if not isinstance(found, Record):
            self.unreadable += 1
            return
        self.events += 1
        self.sessions[found.event.session_id] += 1
        self.types[found.event.event_type] += 1
        self.sizes[len(found.value)] += 1
        self._add_outcome(found)

    def _add_outcome(self, record: Record) -> None:
        step = alone(record)
        if step.error is not None and step.kind != "session_end":
            self.errors += 1
            self.error_names[error_name(step.error)] += 1
        if step.is_open:
            return
        cost = number(step.event.payload.get("cost_usd"))
        if cost is not None:
            self.costs.append(cost)
        if step.kind == "llm_call":
            self.llm_calls += 1
            self.unpriced += cost is None

    @property
    def cost_usd(self) -> float | None:
        """The sum, to the billionth; None where no event says what it cost."""
        return round(fsum(self.costs), 9) if self.costs else None

    @property
    def bytes(self) -> int:
        """The bytes of all events as stored."""
        return sum(size * count for size, count in self.sizes.items())

    def size_at(self, share: float) -> int | None:
        """The size that so large a share of the events doesn't exceed; None where there are none."""
        wanted, seen = share * self.events, 0
        for size, count in sorted(self.sizes.items()):
            seen += count
            if seen >= wanted:
                return size
        return None

    def over(self, limit: int) -> int:
        """How many events are larger than ``limit`` bytes."""
        return sum(count for size, count in self.sizes.items() if size > limit)


def together(tallies: Iterable[Tally]) -> Tally:
    """The sum of several."""
    found = Tally()
    for each in tallies:
        for name in ("events", "unreadable", "errors", "llm_calls", "unpriced"):
            setattr(found, name, getattr(found, name) + getattr(each, name))
        for name in ("sessions", "partitions", "types", "sizes", "error_names"):
            getattr(found, name).update(getattr(each, name))
        found.costs += each.costs
    return found


@dataclass
class Window:
    """The last so many seconds, as tallies of a sixtieth of that each.

    Attributes:
        length_s: how long it is.
    """

    length_s: float
    parts: dict[int, Tally] = field(default_factory=dict)

    def add(self, found: Found, at_s: float) -> None:
        """Count a record that came in at ``at_s``."""
        self.parts.setdefault(self._part(at_s), Tally()).add(found)

    def total(self, now_s: float) -> Tally:
        """What came in within the window that ends now; what is older is forgotten."""
        oldest = self._part(now_s - self.length_s)
        self.parts = {part: tally for part, tally in self.parts.items() if part > oldest}
        return together(self.parts.values())

    def _part(self, at_s: float) -> int:
        return int(at_s * 60 / self.length_s)
