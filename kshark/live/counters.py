"""Records counted: sums that can be added up, whatever the order and the parts. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import fsum

from agentlog.event.event import Record, parse_amount
from agentlog.log.source import RecordOrUnreadable
from agentlog.session.timeline import make_single_step
from agentlog.text.step_text import shorten_error


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

    def add(self, item: RecordOrUnreadable) -> None:
        """Count a record."""
        self.partitions[item.place.partition] += 1
        if not isinstance(item, Record):
            self.unreadable += 1
            return
        self.events += 1
        self.sessions[item.event.session_id] += 1
        self.types[item.event.event_type] += 1
        self.sizes[len(item.value)] += 1
        self._add_outcome(item)

    def _add_outcome(self, record: Record) -> None:
        step = make_single_step(record)
        if step.error is not None and step.kind != "session_end":
            self.errors += 1
            self.error_names[shorten_error(step.error)] += 1
        if step.is_open:
            return
        cost = parse_amount(step.event.payload.get("cost_usd"))
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

    def size_quantile(self, share: float) -> int | None:
        """The size that so large a share of the events doesn't exceed; None where there are none."""
        target, seen = share * self.events, 0
        for size, count in sorted(self.sizes.items()):
            seen += count
            if seen >= target:
                return size
        return None

    def count_over(self, limit: int) -> int:
        """How many events are larger than ``limit`` bytes."""
        return sum(count for size, count in self.sizes.items() if size > limit)


def merge_tallies(tallies: Iterable[Tally]) -> Tally:
    """The sum of several."""
    merged = Tally()
    for each in tallies:
        for name in ("events", "unreadable", "errors", "llm_calls", "unpriced"):
            setattr(merged, name, getattr(merged, name) + getattr(each, name))
        for name in ("sessions", "partitions", "types", "sizes", "error_names"):
            getattr(merged, name).update(getattr(each, name))
        merged.costs += each.costs
    return merged


@dataclass
class SlidingWindow:
    """The last so many seconds, as tallies of a sixtieth of that each.

    Attributes:
        length_s: how long it is.
    """

    length_s: float
    parts: dict[int, Tally] = field(default_factory=dict)

    def add(self, item: RecordOrUnreadable, at_s: float) -> None:
        """Count a record that came in at ``at_s``."""
        self.parts.setdefault(self._find_part(at_s), Tally()).add(item)

    def sum_until(self, now_s: float) -> Tally:
        """What came in within the window that ends now; what is older is forgotten."""
        oldest = self._find_part(now_s - self.length_s)
        self.parts = {part: tally for part, tally in self.parts.items() if part > oldest}
        return merge_tallies(self.parts.values())

    def _find_part(self, at_s: float) -> int:
        return int(at_s * 60 / self.length_s)
