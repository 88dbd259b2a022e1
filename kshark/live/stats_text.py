"""What came in, as lines for a terminal and as a JSON document. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentlog.event.escape import escaped
from agentlog.event.event import MAX_EVENT
from agentlog.formatting import counted, dollars, duration
from agentlog.terminal.output import Paint, Style, clipped, flowing, wrapped
from agentlog.text.step_text import WORDS

from ..render import moment
from .counters import Tally

NAME = 12


@dataclass(frozen=True)
class Shown:
    """What is to be shown.

    Attributes:
        source: what was read, for a person.
        began_ms: the beginning of the time that was counted, in milliseconds since the epoch; ``ended_ms`` its end.
        top: how many sessions, partitions and errors are named.
    """

    source: str
    began_ms: int
    ended_ms: int
    tally: Tally
    top: int

    @property
    def seconds(self) -> float:
        """How long that time is."""
        return max(self.ended_ms - self.began_ms, 1) / 1000

    @property
    def cost_per_hour(self) -> float | None:
        """What an hour like that costs, in dollars; None where no event says what it cost."""
        cost = self.tally.cost_usd
        return None if cost is None else round(cost * 3600 / self.seconds, 9)


def document(shown: Shown) -> dict[str, Any]:
    """The JSON document."""
    tally = shown.tally
    return {
        "source": shown.source,
        "from": _iso(shown.began_ms),
        "to": _iso(shown.ended_ms),
        "seconds": shown.seconds,
        "events": tally.events,
        "events_per_s": round(tally.events / shown.seconds, 3),
        "bytes": tally.bytes,
        "sessions": len(tally.sessions),
        "errors": tally.errors,
        "unreadable": tally.unreadable,
        "llm_calls": tally.llm_calls,
        "unpriced": tally.unpriced,
        "cost_usd": tally.cost_usd,
        "cost_usd_per_hour": shown.cost_per_hour,
        "sizes": {**_sizes(tally), "limit": MAX_EVENT, "over": tally.over(MAX_EVENT)},
        "types": _most(tally.types),
        "error_names": _most(tally.error_names, shown.top),
        "busiest_sessions": [{"session_id": i, "events": n} for i, n in _most(tally.sessions, shown.top).items()],
        "partitions": [{"partition": p, "records": n} for p, n in _most(tally.partitions).items()],
    }


def _iso(ms: int) -> str:
    return moment(ms * 1000).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _sizes(tally: Tally) -> dict[str, int | None]:
    return {"p50": tally.size_at(0.5), "p95": tally.size_at(0.95), "max": tally.size_at(1)}


def _most(counts: Counter[Any], top: int | None = None) -> dict[Any, int]:
    """The largest first, of equal ones in the order of their names."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top])


def lines(shown: Shown, columns: int, paint: Paint) -> Iterator[str]:
    """The picture: a name, and what there is to say of it."""
    span = f"{moment(shown.began_ms * 1000):%Y-%m-%d %H:%M:%S} to {moment(shown.ended_ms * 1000):%H:%M:%S} UTC"
    yield paint(clipped(shown.source, columns), Style.STRONG)
    yield from wrapped(f"{span}, {duration(round(shown.seconds * 1e6))}", columns)
    yield ""
    for name, items in _items(shown):
        style = Style.BAD if name == "errors" and shown.tally.errors else Style.FAINT
        first, *rest = flowing(map(escaped, items), ", ", columns - NAME)
        yield paint(f"{name:<{NAME}}", style) + first
        yield from (" " * NAME + line for line in rest)


def _items(shown: Shown) -> Iterator[tuple[str, list[str]]]:
    tally = shown.tally
    rate = f"{tally.events / shown.seconds:,.1f} a second"
    bad = [f"{tally.unreadable:,} unreadable"] if tally.unreadable else []
    yield "events", [f"{tally.events:,}", rate, f"{tally.bytes:,} bytes", *bad]
    if not tally.events:
        return
    yield "sessions", [counted(len(tally.sessions), "session"), *_named(tally.sessions, shown.top, tally.events)]
    yield "cost", list(_cost(shown))
    yield "sizes", list(_size_items(tally))
    words = Counter[str]()
    for name, count in tally.types.items():
        words[WORDS.get(name, name)] += count
    yield "types", _named(words, 8, 0)
    yield "errors", [f"{tally.errors:,}", *_named(tally.error_names, shown.top, 0)]
    yield "partitions", _named(tally.partitions, shown.top, tally.events + tally.unreadable)


def _named(counts: Counter[Any], top: int, of: int) -> list[str]:
    """The largest with their counts, and their shares ``of`` all where that isn't 0."""
    found = [f"{name} {count:,}" + (f" ({count / of:.0%})" if of else "") for name, count in _most(counts, top).items()]
    return found + ([f"{len(counts) - top:,} more"] if len(counts) > top else [])


def _cost(shown: Shown) -> Iterator[str]:
    tally, hourly = shown.tally, shown.cost_per_hour
    if tally.cost_usd is not None and hourly is not None:
        yield from (dollars(tally.cost_usd), f"{dollars(hourly)} an hour")
    elif tally.llm_calls:
        yield "unknown"
    else:
        yield "none said"
    if tally.unpriced:
        yield f"{counted(tally.unpriced, 'llm call')} of {tally.llm_calls:,} without a price"


def _size_items(tally: Tally) -> Iterator[str]:
    for name, size in _sizes(tally).items():
        yield f"{name} {size or 0:,}" + (" bytes" if name == "max" else "")
    over = tally.over(MAX_EVENT)
    yield f"{over:,} over the {MAX_EVENT:,} that a recorder keeps to" if over else f"none over {MAX_EVENT:,}"
