"""Counters for `kshark stats`, which can be merged in any order. Pure."""

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
    """Counts of records; a copy of an event counts again.

    Attributes:
        events: the number of readable records; ``unreadable`` is the number of the others.
        sizes: the number of events for each size in bytes, as stored.
        errors: the number of events with an error and of ``error`` events, without the ends of sessions.
        error_names: the number of errors for each short name of an error.
        costs: the costs of events in dollars; llm calls without a cost count in ``unpriced``.
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
        """The sum in dollars, rounded to nine places; None if no event has a cost."""
        return round(fsum(self.costs), 9) if self.costs else None

    @property
    def bytes(self) -> int:
        """The size of all events in bytes, as stored."""
        return sum(size * count for size, count in self.sizes.items())

    def size_quantile(self, share: float) -> int | None:
        """Return the size in bytes that ``share`` (0 to 1) of the events don't exceed; None without events."""
        target, seen = share * self.events, 0
        for size, count in sorted(self.sizes.items()):
            seen += count
            if seen >= target:
                return size
        return None

    def count_over(self, limit: int) -> int:
        """Count the events that are larger than ``limit`` bytes."""
        return sum(count for size, count in self.sizes.items() if size > limit)


def merge_tallies(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of several tallies."""
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
    """A window over the last ``length_s`` seconds, kept as sixty tallies.

    Attributes:
        length_s: the window's length in seconds.
        parts: the tally of each sixtieth, by its number.
    """

    length_s: float
    parts: dict[int, Tally] = field(default_factory=dict)

    def add(self, item: RecordOrUnreadable, at_s: float) -> None:
        """Count a record that arrived at ``at_s``, in seconds since the epoch."""
        self.parts.setdefault(self._find_part(at_s), Tally()).add(item)

    def sum_until(self, now_s: float) -> Tally:
        """Return the sum over the window that ends at ``now_s``, and drop older parts."""
        oldest = self._find_part(now_s - self.length_s)
        self.parts = {part: tally for part, tally in self.parts.items() if part > oldest}
        return merge_tallies(self.parts.values())

    def _find_part(self, at_s: float) -> int:
        return int(at_s * 60 / self.length_s)
