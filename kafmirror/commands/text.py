"""What kafmirror shows: plans, tables of partitions, comparisons; as text and as JSON. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import inf
from typing import Any, NamedTuple

from agentlog.event.escape import escaped
from agentlog.formatting import counted
from agentlog.terminal.output import Paint, Style, clipped, wrapped

from ..kafka.metadata import Partition
from ..lag.lag import worst
from ..lag.partition_status import Standing, seconds_text
from ..plan.plan import Plan, TopicPlan


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan as documented in docs/kafmirror.md."""
    topics = [
        {**asdict(topic), "adopted": {str(number): end for number, end in topic.adopted.items()}}
        for topic in plan.topics
    ]
    return {
        "source": plan.source,
        "target": plan.target,
        "possible": not plan.all_refusals,
        "refusals": list(plan.refusals),
        "warnings": list(plan.warnings),
        "topics": topics,
    }


def plan_lines(plan: Plan, paint: Paint, columns: int | None = None) -> Iterator[str]:
    """A plan for a person, its texts broken to ``columns``."""
    yield f"{escaped(plan.source)} to {escaped(plan.target)}: {counted(len(plan.topics), 'topic')}"
    for topic in plan.topics:
        yield ""
        yield paint(topic.source if topic.source == topic.target else f"{topic.source} as {topic.target}", Style.STRONG)
        for field in _told(topic):
            yield from _field_lines(field, paint, columns)
    yield ""
    for text in plan.warnings:
        yield from _field_lines(_Field("note", text, Style.NOTICE), paint, columns)
    for text in plan.refusals:
        yield from _field_lines(_Field("refused", text, Style.BAD), paint, columns)
    if not plan.all_refusals:
        yield paint("It can be done.", Style.GOOD)


class _Field(NamedTuple):
    label: str
    text: str
    style: Style | None = None


def _told(topic: TopicPlan) -> Iterator[_Field]:
    """What a plan says of a topic."""
    stored = f", {size(topic.stored_bytes)} on disk" if topic.stored_bytes is not None else ""
    yield _Field("made" if topic.create else "taken", f"{counted(topic.partitions, 'partition')}{stored}")
    if topic.widen:
        yield _Field("widened", f"to {counted(topic.partitions, 'partition')}")
    for number, end in sorted(topic.adopted.items()):
        yield _Field("adopted", f"partition {number} up to offset {end}: the same records as in the source")
    if topic.changes:
        changed = (f"{name}={'(default)' if value is None else value}" for name, value in sorted(topic.changes.items()))
        yield _Field("settings", "  ".join(changed))
    yield _Field("to copy", counted(topic.records, "record"))
    yield from (_Field("note", text, Style.NOTICE) for text in topic.warnings)
    yield from (_Field("refused", text, Style.BAD) for text in topic.refusals)


def _field_lines(field: _Field, paint: Paint, columns: int | None) -> Iterator[str]:
    """A label, and beside it a text, broken to the columns."""
    first, *more = wrapped(escaped(field.text), columns - 12) if columns else [escaped(field.text)]
    label = f"{field.label:<8}"
    yield f"  {paint(label, field.style) if field.style else label}  {first}"
    yield from (f"{'':12}{line}" for line in more)


def size(number: int) -> str:
    """Bytes for a person."""
    value, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


Rates = Mapping[Partition, tuple[float, float]]


class Room(NamedTuple):
    """A terminal: its size, and how it shows colours."""

    columns: int
    rows: int
    paint: Paint


def table_lines(
    standings: Sequence[Standing], paint: Paint, columns: int | None = None, rates: Rates | None = None
) -> list[str]:
    """A partition a line, below the heads; what doesn't fit into ``columns`` is left out, the least needed first.

    ``rates`` are records/s and bytes/s by partition of the source.
    """
    table = [HEADS, *(_row(each, rates) for each in standings)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    kept = _kept(widths, HEADS if rates is not None else HEADS[:-2], columns)
    lines = [_line([row[n] for n in kept], [widths[n] for n in kept], columns) for row in table]
    told = [paint(lines[0], Style.FAINT)]
    for line, standing in zip(lines[1:], standings, strict=True):
        told.append(paint(line, Style.NOTICE) if standing.lag.records != 0 else line)
        if standing.problem:
            problem = wrapped(escaped(standing.problem), columns - 2) if columns else [escaped(standing.problem)]
            told += [f"  {paint(text, Style.BAD)}" for text in problem]
    return told


HEADS = ("partition", "position", "source end", "behind", "lag", "records/s", "data/s")
_WORTH = ("partition", "lag", "behind", "records/s", "position", "source end", "data/s")


def _kept(widths: Sequence[int], heads: Sequence[str], columns: int | None) -> list[int]:
    """The numbers of the columns that fit."""
    room, kept = columns, list[int]()
    for number in sorted(range(len(heads)), key=lambda number: _WORTH.index(HEADS[number])):
        needed = widths[number] + (2 if kept else 0)
        if room is not None and kept and needed > room:
            break
        room = room - needed if room is not None else None
        kept.append(number)
    return sorted(kept)


def _row(standing: Standing, rates: Rates | None) -> tuple[str, ...]:
    records, sent = (rates or {}).get(standing.source, (0.0, 0.0))
    return (
        str(standing.source) if standing.source == standing.target else f"{standing.source} as {standing.target}",
        _number(standing.position),
        _number(standing.end),
        _number(standing.lag.records),
        seconds_text(standing.lag),
        f"{records:,.0f}",
        f"{size(int(sent))}/s",
    )


def _number(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _line(cells: Sequence[str], widths: Sequence[int], columns: int | None) -> str:
    others = (f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True))
    line = "  ".join([f"{cells[0]:<{widths[0]}}", *others]).rstrip()
    return line if columns is None else clipped(line, columns)


def live_lines(standings: Sequence[Standing], rates: Rates, troubles: Sequence[str], room: Room) -> list[str]:
    """A running mirror on a terminal; where it has too few lines, the partitions that are furthest behind."""
    shown = sorted(standings, key=_how_far, reverse=True)[: max(room.rows - 4, 1)]
    lines = table_lines(sorted(shown, key=lambda each: each.source), room.paint, room.columns, rates)
    if len(shown) < len(standings):
        lines.append(clipped(f"and {len(standings) - len(shown)} more, none further behind", room.columns))
    lines += (clipped(text, room.columns) for text in (summary(standings), *troubles))
    return lines[: room.rows - 1]


def _how_far(standing: Standing) -> tuple[float, float]:
    records, seconds = standing.lag
    return (inf if seconds is None else seconds, inf if records is None else records)


def summary(standings: Sequence[Standing]) -> str:
    """One line over all partitions."""
    total = worst([each.lag for each in standings])
    behind = "an unknown number of records" if total.records is None else counted(total.records, "record")
    return f"{counted(len(standings), 'partition')}, {behind} behind, lag {seconds_text(total)}"
