"""The text of plans, tables and summaries, and the JSON of plans. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import inf
from typing import Any, NamedTuple

from agentlog.event.escape import escape_controls
from agentlog.formatting import format_count
from agentlog.session.coverage import unavailable_to_json
from agentlog.terminal.style import Paint, Style
from agentlog.terminal.text_width import clip_text, elide_middle, wrap_text
from agentlog.text.coverage_text import describe_unavailable

from ..batches.filler import describe_filled
from ..kafka.metadata import Partition
from ..lag.lag import combine_lags
from ..lag.partition_status import PartitionStatus, describe_losses, describe_wait, format_lag_time
from ..plan.plan import Plan, TopicPlan


def encode_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan as the JSON that docs/kafmirror.md describes."""
    topics = [
        {
            **asdict(topic),
            "adopted": {str(number): end for number, end in topic.adopted.items()},
            "unknown": unavailable_to_json(topic.unknown),
        }
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


def plan_lines(plan: Plan, paint: Paint, columns: int) -> Iterator[str]:
    """Yield the lines of a plan, wrapped to ``columns``."""
    yield f"{escape_controls(plan.source)} to {escape_controls(plan.target)}: {format_count(len(plan.topics), 'topic')}"
    for topic in plan.topics:
        yield ""
        yield paint(topic.source if topic.source == topic.target else f"{topic.source} as {topic.target}", Style.STRONG)
        for field in _plan_fields(topic):
            yield from _field_lines(field, paint, columns)
    yield ""
    for text in plan.warnings:
        yield from _field_lines(_Field("note", text, Style.NOTICE), paint, columns)
    for text in plan.refusals:
        yield from _field_lines(_Field("refused", text, Style.BAD), paint, columns)
    if not plan.all_refusals:
        yield paint("It can be done.", Style.GOOD)


def describe_unknown(topic: TopicPlan) -> str:
    """Name a topic's partitions that can't be had now, and say what becomes of them."""
    return f"{describe_unavailable(topic.unknown)}. The others are copied; these wait"


class _Field(NamedTuple):
    label: str
    text: str
    style: Style | None = None


def _plan_fields(topic: TopicPlan) -> Iterator[_Field]:
    """Yield the fields of a topic's plan."""
    stored_text = f", {format_bytes(topic.stored_bytes)} on disk" if topic.stored_bytes is not None else ""
    yield _Field("create" if topic.create else "use", f"{format_count(topic.partitions, 'partition')}{stored_text}")
    if topic.widen:
        yield _Field("widen", f"to {format_count(topic.partitions, 'partition')}")
    for number, end in sorted(topic.adopted.items()):
        yield _Field("adopt", f"partition {number} up to offset {end}, because it holds the same records as the source")
    if topic.changes:
        settings = (
            f"{name}={'(default)' if value is None else value}" for name, value in sorted(topic.changes.items())
        )
        yield _Field("settings", "  ".join(settings))
    yield _Field("to copy", format_count(topic.records, "record"))
    if topic.unknown:
        yield _Field("unknown", describe_unknown(topic), Style.NOTICE)
    yield from (_Field("note", text, Style.NOTICE) for text in topic.warnings)
    yield from (_Field("refused", text, Style.BAD) for text in topic.refusals)


def _field_lines(field: _Field, paint: Paint, columns: int) -> Iterator[str]:
    """Yield the lines of a field: its label, and beside it the text, wrapped to ``columns``."""
    first, *further = wrap_text(escape_controls(field.text), columns - 12)
    label = f"{field.label:<8}"
    yield f"  {paint(label, field.style) if field.style else label}  {first}"
    yield from (f"{'':12}{line}" for line in further)


def format_bytes(number: int) -> str:
    """Return a number of bytes for a person, like 3.0 kB."""
    value, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


Rates = Mapping[Partition, tuple[float, float]]


class Terminal(NamedTuple):
    """A terminal's size and its colours."""

    columns: int
    rows: int
    paint: Paint


def table_lines(
    statuses: Sequence[PartitionStatus], paint: Paint, columns: int, rates: Rates | None = None
) -> list[str]:
    """Return a table with a line per partition. Columns that don't fit are left out, the least needed first.

    Args:
        statuses: the partitions.
        paint: the colours.
        columns: the width in columns of the terminal.
        rates: records/s and bytes/s by partition of the source; None to leave them out.
    """
    table = [COLUMN_HEADS, *(_table_row(each, rates, max(columns // 2, MIN_NAME_WIDTH)) for each in statuses)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    shown_columns = _select_columns(widths, COLUMN_HEADS if rates is not None else COLUMN_HEADS[:-2], columns)
    lines = [
        _align_cells([row[n] for n in shown_columns], [widths[n] for n in shown_columns], columns) for row in table
    ]
    output = [paint(lines[0], Style.FAINT)]
    for line, status in zip(lines[1:], statuses, strict=True):
        output.append(paint(line, Style.NOTICE) if status.lag.records != 0 else line)
        if status.filled:
            output += [f"  {text}" for text in wrap_text(describe_filled(*status.filled), columns - 2)]
        if status.problem:
            problem = wrap_text(escape_controls(status.problem), columns - 2)
            output += [f"  {paint(text, Style.BAD)}" for text in problem]
        if loss_text := describe_losses(status):
            output += [f"  {paint(text, Style.NOTICE)}" for text in wrap_text(loss_text, columns - 2)]
        if wait_text := describe_wait(status):
            output += [f"  {paint(text, Style.NOTICE)}" for text in wrap_text(wait_text, columns - 2)]
    return output


MIN_NAME_WIDTH = 24
COLUMN_HEADS = ("partition", "position", "source end", "behind", "lag", "records/s", "data/s")
_COLUMN_PRIORITY = ("partition", "lag", "behind", "records/s", "position", "source end", "data/s")


def _select_columns(widths: Sequence[int], heads: Sequence[str], columns: int) -> list[int]:
    """Return the numbers of the columns that fit."""
    remaining, selected = columns, list[int]()
    for number in sorted(range(len(heads)), key=lambda number: _COLUMN_PRIORITY.index(COLUMN_HEADS[number])):
        needed_columns = widths[number] + (2 if selected else 0)
        if selected and needed_columns > remaining:
            break
        remaining -= needed_columns
        selected.append(number)
    return sorted(selected)


def _table_row(status: PartitionStatus, rates: Rates | None, name_width: int) -> tuple[str, ...]:
    """Return the cells of a partition. A long name is cut in its middle, so that the partition's number stays."""
    records, sent_bytes = (rates or {}).get(status.source, (0.0, 0.0))
    name = str(status.source) if status.source == status.target else f"{status.source} as {status.target}"
    return (
        elide_middle(name, name_width),
        _format_number(status.position),
        _format_number(status.source_end),
        _format_number(status.lag.records),
        format_lag_time(status.lag),
        f"{records:,.0f}",
        f"{format_bytes(int(sent_bytes))}/s",
    )


def _format_number(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _align_cells(cells: Sequence[str], widths: Sequence[int], columns: int) -> str:
    aligned = (f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True))
    return clip_text("  ".join([f"{cells[0]:<{widths[0]}}", *aligned]).rstrip(), columns)


def live_lines(
    statuses: Sequence[PartitionStatus], rates: Rates, waits: Sequence[str], terminal: Terminal
) -> list[str]:
    """Return the lines of a running mirror. A small terminal shows the partitions that are furthest behind."""
    shown = sorted(statuses, key=_lag_sort_key, reverse=True)[: max(terminal.rows - 4, 1)]
    lines = table_lines(sorted(shown, key=lambda each: each.source), terminal.paint, terminal.columns, rates)
    if len(shown) < len(statuses):
        lines.append(clip_text(f"and {len(statuses) - len(shown)} more, none further behind", terminal.columns))
    below = [clip_text(text, terminal.columns) for text in (summarize(statuses), *waits)]
    return [*lines[: max(terminal.rows - 2, 1)], *below][: terminal.rows - 1]


def _lag_sort_key(status: PartitionStatus) -> tuple[float, float]:
    records, seconds = status.lag
    return (inf if seconds is None else seconds, inf if records is None else records)


def summarize(statuses: Sequence[PartitionStatus]) -> str:
    """Return one line about all partitions together."""
    total = combine_lags([each.lag for each in statuses])
    behind = "an unknown number of records" if total.records is None else format_count(total.records, "record")
    offsets_lost = sum(each.offsets_lost for each in statuses)
    lost = f", {format_count(offsets_lost, 'offset')} lost" if offsets_lost else ""
    return f"{format_count(len(statuses), 'partition')}, {behind} behind, lag {format_lag_time(total)}{lost}"
