"""What kafmirror shows: plans, tables of partitions, comparisons; as text and as JSON. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agentlog.output import Paint, Style
from agentlog.untrusted import escaped
from agentlog.wording import counted

from .known import Partition
from .lag import worst
from .plan import Plan, TopicPlan
from .standing import Standing, seconds_text


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


def plan_lines(plan: Plan, paint: Paint) -> Iterator[str]:
    """A plan for a person."""
    yield f"{escaped(plan.source)} to {escaped(plan.target)}: {counted(len(plan.topics), 'topic')}"
    for topic in plan.topics:
        yield ""
        yield from _topic_lines(topic, paint)
    yield ""
    for text in plan.warnings:
        yield f"{paint('note', Style.NOTICE)}     {escaped(text)}"
    for text in plan.refusals:
        yield f"{paint('refused', Style.BAD)}  {escaped(text)}"
    if not plan.all_refusals:
        yield paint("It can be done.", Style.GOOD)


def _topic_lines(topic: TopicPlan, paint: Paint) -> Iterator[str]:
    name = topic.source if topic.source == topic.target else f"{topic.source} as {topic.target}"
    stored = f", {size(topic.stored_bytes)} on disk" if topic.stored_bytes is not None else ""
    yield paint(name, Style.STRONG)
    yield f"  {'made' if topic.create else 'taken'}     {counted(topic.partitions, 'partition')}{stored}"
    if topic.widen:
        yield f"  widened   to {counted(topic.partitions, 'partition')}"
    for number, end in sorted(topic.adopted.items()):
        yield f"  adopted   partition {number} up to offset {end}: the same records as in the source"
    for setting, value in sorted(topic.changes.items()):
        yield f"  setting   {setting} = {escaped(value) if value is not None else '(back to the default)'}"
    yield f"  to copy   {counted(topic.records, 'record')}"
    for text in topic.warnings:
        yield f"  {paint('note', Style.NOTICE)}      {escaped(text)}"
    for text in topic.refusals:
        yield f"  {paint('refused', Style.BAD)}   {escaped(text)}"


def size(number: int) -> str:
    """Bytes for a person."""
    value, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


Rates = Mapping[Partition, tuple[float, float]]


def table_lines(standings: Sequence[Standing], paint: Paint, rates: Rates | None = None) -> Iterator[str]:
    """A partition a line; ``rates`` are records/s and bytes/s by partition of the source."""
    rows = [_row(each, rates) for each in standings]
    heads = ["partition", "position", "source end", "behind", "lag"]
    heads += ["records/s", "data/s"] if rates is not None else []
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    yield paint(_line(heads, widths), Style.FAINT)
    for row, standing in zip(rows, standings, strict=True):
        line = _line(row, widths)
        is_behind = standing.lag.records is None or standing.lag.records > 0
        yield paint(line, Style.NOTICE) if is_behind else line
        if standing.problem:
            yield f"  {paint(escaped(standing.problem), Style.BAD)}"


def _row(standing: Standing, rates: Rates | None) -> list[str]:
    cells = [
        str(standing.source) if standing.source == standing.target else f"{standing.source} as {standing.target}",
        _number(standing.position),
        _number(standing.end),
        _number(standing.lag.records),
        seconds_text(standing.lag),
    ]
    if rates is not None:
        records, sent = rates.get(standing.source, (0.0, 0.0))
        cells += [f"{records:,.0f}", f"{size(int(sent))}/s"]
    return cells


def _number(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    others = (f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "  ".join([f"{cells[0]:<{widths[0]}}", *others]).rstrip()


def summary(standings: Sequence[Standing]) -> str:
    """One line over all partitions."""
    total = worst([each.lag for each in standings])
    behind = "an unknown number of records" if total.records is None else counted(total.records, "record")
    return f"{counted(len(standings), 'partition')}, {behind} behind, lag {seconds_text(total)}"
