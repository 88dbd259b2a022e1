"""Statistics as lines for a terminal and as a JSON document. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentlog.event.escape import escape_controls
from agentlog.event.event import MAX_EVENT_BYTES, to_datetime
from agentlog.formatting import format_count, format_dollars, format_duration, shorten_name
from agentlog.terminal.style import Paint, Style
from agentlog.terminal.text_width import clip_text, flow_items, wrap_text
from agentlog.text.step_text import STEP_WORDS

from .counters import Tally

NAME_WIDTH = 12


@dataclass(frozen=True)
class Statistics:
    """The counts of a time range.

    Attributes:
        source: the topic and cluster, for a person.
        began_ms: the beginning of the range, in milliseconds since the epoch.
        ended_ms: the end of the range, in milliseconds since the epoch.
        tally: the counts.
        top: the number of sessions, partitions and errors to name.
    """

    source: str
    began_ms: int
    ended_ms: int
    tally: Tally
    top: int

    @property
    def seconds(self) -> float:
        """The length of the range in seconds."""
        return max(self.ended_ms - self.began_ms, 1) / 1000

    @property
    def cost_per_hour(self) -> float | None:
        """The cost of an hour at this rate, in dollars; None if no event has a cost."""
        cost = self.tally.cost_usd
        return None if cost is None else round(cost * 3600 / self.seconds, 9)


def build_document(statistics: Statistics) -> dict[str, Any]:
    """Return the JSON document."""
    tally = statistics.tally
    return {
        "source": statistics.source,
        "from": _format_time(statistics.began_ms),
        "to": _format_time(statistics.ended_ms),
        "seconds": statistics.seconds,
        "events": tally.events,
        "events_per_s": round(tally.events / statistics.seconds, 3),
        "bytes": tally.bytes,
        "sessions": len(tally.sessions),
        "errors": tally.errors,
        "unreadable": tally.unreadable,
        "llm_calls": tally.llm_calls,
        "unpriced": tally.unpriced,
        "cost_usd": tally.cost_usd,
        "cost_usd_per_hour": statistics.cost_per_hour,
        "sizes": {**_measure_sizes(tally), "limit": MAX_EVENT_BYTES, "over": tally.count_over(MAX_EVENT_BYTES)},
        "types": _sort_by_count(tally.types),
        "error_names": _sort_by_count(tally.error_names, statistics.top),
        "busiest_sessions": [
            {"session_id": i, "events": n} for i, n in _sort_by_count(tally.sessions, statistics.top).items()
        ],
        "partitions": [{"partition": p, "records": n} for p, n in _sort_by_count(tally.partitions).items()],
    }


def _format_time(ms: int) -> str:
    return to_datetime(ms * 1000).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _measure_sizes(tally: Tally) -> dict[str, int | None]:
    return {"p50": tally.size_quantile(0.5), "p95": tally.size_quantile(0.95), "max": tally.size_quantile(1)}


def _sort_by_count(counts: Counter[Any], limit: int | None = None) -> dict[Any, int]:
    """Return the largest counts first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit])


def render_lines(statistics: Statistics, columns: int, paint: Paint) -> Iterator[str]:
    """Yield the lines: the source, the time range, and a name with its values for each statistic."""
    began, ended = to_datetime(statistics.began_ms * 1000), to_datetime(statistics.ended_ms * 1000)
    span = f"{began:%Y-%m-%d %H:%M:%S} to {ended:%H:%M:%S} UTC"
    yield paint(clip_text(statistics.source, columns), Style.STRONG)
    yield from wrap_text(f"{span}, {format_duration(round(statistics.seconds * 1e6))}", columns)
    yield ""
    for name, items in _build_items(statistics):
        style = Style.BAD if name == "errors" and statistics.tally.errors else Style.FAINT
        first, *rest = flow_items(map(escape_controls, items), ", ", columns - NAME_WIDTH)
        yield paint(f"{name:<{NAME_WIDTH}}", style) + first
        yield from (" " * NAME_WIDTH + line for line in rest)


def _build_items(statistics: Statistics) -> Iterator[tuple[str, list[str]]]:
    tally = statistics.tally
    rate = f"{tally.events / statistics.seconds:,.1f} a second"
    unreadable_text = [f"{tally.unreadable:,} unreadable"] if tally.unreadable else []
    yield "events", [f"{tally.events:,}", rate, f"{tally.bytes:,} bytes", *unreadable_text]
    if not tally.events:
        return
    yield (
        "sessions",
        [format_count(len(tally.sessions), "session"), *_format_counts(tally.sessions, statistics.top, tally.events)],
    )
    yield "cost", list(_format_cost(statistics))
    yield "sizes", list(_format_sizes(tally))
    words = Counter[str]()
    for name, count in tally.types.items():
        words[STEP_WORDS.get(name, name)] += count
    yield "types", _format_counts(words, 8, 0)
    yield "errors", [f"{tally.errors:,}", *_format_counts(tally.error_names, statistics.top, 0)]
    yield "partitions", _format_counts(tally.partitions, statistics.top, tally.events + tally.unreadable)


def _format_counts(counts: Counter[Any], limit: int, total: int) -> list[str]:
    """Return the largest with their counts, and with their shares of ``total`` unless that is 0."""
    texts = [
        f"{shorten_name(str(name))} {count:,}" + (f" ({count / total:.0%})" if total else "")
        for name, count in _sort_by_count(counts, limit).items()
    ]
    return texts + ([f"{len(counts) - limit:,} more"] if len(counts) > limit else [])


def _format_cost(statistics: Statistics) -> Iterator[str]:
    tally, hourly = statistics.tally, statistics.cost_per_hour
    if tally.cost_usd is not None and hourly is not None:
        yield from (format_dollars(tally.cost_usd), f"{format_dollars(hourly)} an hour")
    elif tally.llm_calls:
        yield "unknown"
    else:
        yield "no event has a cost"
    if tally.unpriced:
        yield f"{format_count(tally.unpriced, 'llm call')} of {tally.llm_calls:,} without a price"


def _format_sizes(tally: Tally) -> Iterator[str]:
    for name, size in _measure_sizes(tally).items():
        yield f"{name} {size or 0:,}" + (" bytes" if name == "max" else "")
    over_count = tally.count_over(MAX_EVENT_BYTES)
    yield (
        f"{over_count:,} over the {MAX_EVENT_BYTES:,} that a recorder keeps to"
        if over_count
        else f"none over {MAX_EVENT_BYTES:,}"
    )
