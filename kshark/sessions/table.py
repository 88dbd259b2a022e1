"""Sessions as a table that fits the terminal, with totals and coverage below. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from agentlog.event.escape import escape_controls
from agentlog.event.event import EPOCH, MICROSECOND
from agentlog.formatting import format_count, format_dollars, format_duration, shorten_name
from agentlog.session.summary import Summary
from agentlog.terminal.style import Paint, Style
from agentlog.terminal.text_width import cell_width, clip_text, elide_middle, flow_items

from ..catalogue.coverage import CatalogueCoverage, describe_coverage
from ..catalogue.query import Query, Totals
from ..view.layout import NARROW_COLUMNS, OUTCOME_STYLES

GAP = "  "
UNKNOWN = "?"
MIN_USEFUL_WIDTH = 20


class Column(NamedTuple):
    """A column of the table.

    Attributes:
        text: returns the text of a cell.
        weight: where there is no room for all columns, the one with the least weight is left out first.
        sort: the value of --sort that orders by this column; empty for none.
        min_width: the least width in terminal columns; 0 if the column can't be cut.
        cut: shortens a text to a number of terminal columns.
    """

    title: str
    text: Callable[[Summary, Query], str]
    weight: int
    sort: str = ""
    min_width: int = 0
    is_right_aligned: bool = False
    cut: Callable[[str, int], str] = clip_text


def _format_agents(row: Summary, _: Query) -> str:
    return shorten_name(row.agents[0]) + (f" +{len(row.agents) - 1}" if len(row.agents) > 1 else "")


def _format_start(row: Summary, query: Query) -> str:
    mark = {"from": "<", "both": "<"}.get(query.find_crossed_edge(row) or "", "")
    return f"{mark}{EPOCH + row.started * MICROSECOND:%Y-%m-%d %H:%M}"


def _format_duration(row: Summary, query: Query) -> str:
    mark = {"to": ">", "both": ">"}.get(query.find_crossed_edge(row) or "", "")
    return f"{format_duration(row.ended - row.started)}{mark}"


def _format_tokens(row: Summary, _: Query) -> str:
    token_counts = [amount for amount in (row.input_tokens, row.output_tokens) if amount is not None]
    return f"{sum(token_counts):,}" if token_counts else UNKNOWN


def _format_cost(row: Summary, _: Query) -> str:
    if row.cost_usd is None:
        return UNKNOWN
    return format_dollars(row.cost_usd) + ("+" if row.unpriced else "")


def _format_top_tool(row: Summary, _: Query) -> str:
    tool, calls = row.top_tool
    return f"{shorten_name(tool)} {calls:,}" if tool is not None else ""


COLUMNS = (
    Column("session", lambda row, _: row.session_id, 100, min_width=36, cut=elide_middle),
    Column("status", lambda row, query: query.describe_status(row), 90),
    Column("began", _format_start, 60, "start"),
    Column("took", _format_duration, 70, "duration", is_right_aligned=True),
    Column("events", lambda row, _: f"{row.events:,}", 40, "events", is_right_aligned=True),
    Column("calls", lambda row, _: f"{row.tool_calls:,}", 85, "calls", is_right_aligned=True),
    Column("errors", lambda row, _: f"{row.errors:,}" if row.errors else "", 80, "errors", is_right_aligned=True),
    Column("tokens", _format_tokens, 30, "tokens", is_right_aligned=True),
    Column("cost", _format_cost, 82, "cost", is_right_aligned=True),
    Column("top tool", _format_top_tool, 50, min_width=26, cut=elide_middle),
    Column("agent", _format_agents, 45, min_width=12, cut=elide_middle),
    Column("goal", lambda row, _: " ".join(row.goal.split()), 55, min_width=30),
)
CHOICE_COLUMNS = (COLUMNS[0]._replace(min_width=0), *COLUMNS[1:])
"""The columns of the list to choose from. The id is never cut, so that it can be copied."""


def render_table(  # noqa: PLR0913, PLR0917  the content and the width
    rows: Sequence[Summary], totals: Totals, query: Query, coverage: CatalogueCoverage, columns: int, paint: Paint
) -> Iterator[str]:
    """Yield a line for each session (two on a narrow terminal), then the totals and the coverage."""
    if rows:
        yield from (_render_narrow if columns < NARROW_COLUMNS else _render_wide)(rows, query, columns, paint)
        yield ""
    for name, items in _build_footer(rows, totals, query, coverage):
        first, *rest = flow_items(map(escape_controls, items), ", ", columns - 9)
        yield paint(f"{name:<9}", Style.FAINT) + first
        yield from (" " * 9 + line for line in rest)


def render_numbered_rows(rows: Sequence[Summary], query: Query, columns: int, paint: Paint) -> Iterator[str]:
    """Yield the column titles and a numbered line for each session; a long id makes its line longer."""
    numbers = ["", *map(str, range(1, len(rows) + 1))]
    room = len(numbers[-1]) + len(GAP)
    for mark, line in zip(numbers, _render_wide(rows, query, columns - room, paint, CHOICE_COLUMNS), strict=True):
        yield mark.rjust(room - len(GAP)) + GAP + line


def _render_wide(
    rows: Sequence[Summary], query: Query, columns: int, paint: Paint, candidates: Sequence[Column] = COLUMNS
) -> Iterator[str]:
    cells = {column: [column.text(row, query) for row in rows] for column in candidates}
    cells = {column: texts for column, texts in cells.items() if any(texts) or not column.min_width}
    widths = _fit_columns(
        {column: _measure_column(column, texts) for column, texts in cells.items()}, query.sort, columns
    )
    titles = [_pad_cell(column, column.title, width) for column, width in widths.items()]
    styles = [Style.STRONG if column.sort == query.sort else Style.FAINT for column in widths]
    yield _join_cells(titles, styles, paint)
    for number, row in enumerate(rows):
        texts = [_pad_cell(column, cells[column][number], width) for column, width in widths.items()]
        yield _join_cells(texts, [_choose_style(column, row) for column in widths], paint)


def _measure_column(column: Column, texts: Sequence[str]) -> int:
    return max([len(column.title), *(cell_width(escape_controls(text)) for text in texts)])


def _fit_columns(natural_widths: dict[Column, int], sort_order: str, room: int) -> dict[Column, int]:
    """Return the columns that fit and their widths; long texts are cut before columns are left out."""
    widths = dict(natural_widths)
    while (
        len(widths) > 1
        and sum(_find_min_width(column, width) + len(GAP) for column, width in widths.items()) - len(GAP) > room
    ):
        del widths[min(widths, key=lambda column: 95 if column.sort == sort_order else column.weight)]
    while (excess := sum(widths.values()) + len(GAP) * (len(widths) - 1) - room) > 0:
        widest = max(widths, key=lambda column: widths[column] - _find_min_width(column, widths[column]))
        if widths[widest] == _find_min_width(widest, widths[widest]):
            break
        widths[widest] = max(_find_min_width(widest, widths[widest]), widths[widest] - max(excess // 2, 1))
    return _fill_rest(widths, natural_widths, -excess)


def _fill_rest(widths: dict[Column, int], natural_widths: dict[Column, int], room: int) -> dict[Column, int]:
    """Return the columns in order, with one more in the rest of the line: the heaviest that can use it."""
    room -= len(GAP)
    others = [column for column in natural_widths if column not in widths and column.min_width]
    useful = [column for column in others if room >= min(natural_widths[column], MIN_USEFUL_WIDTH)]
    for column in sorted(useful, key=lambda column: -column.weight)[:1]:
        widths[column] = min(natural_widths[column], room)
    return {column: widths[column] for column in natural_widths if column in widths}


def _find_min_width(column: Column, width: int) -> int:
    return min(column.min_width or width, width)


def _pad_cell(column: Column, text: str, width: int) -> str:
    shown = column.cut(text, width)
    gap = " " * (width - cell_width(shown))
    return gap + shown if column.is_right_aligned else shown + gap


def _join_cells(texts: Iterable[str], styles: Iterable[Style | None], paint: Paint) -> str:
    painted = [_paint_cell(text, style, paint) for text, style in zip(texts, styles, strict=True)]
    return GAP.join(painted).rstrip()


def _paint_cell(text: str, style: Style | None, paint: Paint) -> str:
    return paint(text, style) if style is not None and text.strip() else text


def _choose_style(column: Column, row: Summary) -> Style | None:
    match column.title:
        case "session":
            return Style.STRONG
        case "status":
            return OUTCOME_STYLES.get(row.outcome or "", Style.NOTICE)
        case "errors":
            return Style.BAD
        case "agent":
            return Style.NAME
    return None


def _render_narrow(rows: Sequence[Summary], query: Query, columns: int, paint: Paint) -> Iterator[str]:
    for row in rows:
        status = query.describe_status(row)
        name = elide_middle(row.session_id, columns - cell_width(escape_controls(status)) - 1)
        gap = " " * (columns - cell_width(name) - cell_width(escape_controls(status)))
        outcome = paint(escape_controls(status), OUTCOME_STYLES.get(row.outcome or "", Style.NOTICE))
        yield paint(name, Style.STRONG) + gap + outcome
        amounts = [_format_duration(row, query), format_count(row.tool_calls, "call")]
        amounts += [format_count(row.errors, "error")] if row.errors else []
        amounts += [_format_cost(row, query)] if row.cost_usd is not None else []
        yield from ("  " + line for line in flow_items([_format_start(row, query), *amounts], "  ", columns - 2))


def _build_footer(
    rows: Sequence[Summary], totals: Totals, query: Query, coverage: CatalogueCoverage
) -> Iterator[tuple[str, list[str]]]:
    counts_by_outcome = [(totals.succeeded, "succeeded"), (totals.failed, "failed"), (totals.cancelled, "cancelled")]
    counts_by_outcome += [
        (totals.running, "running"),
        (totals.never_ended, "never ended"),
        (totals.other, "ended otherwise"),
    ]
    yield (
        "total",
        [
            format_count(totals.sessions, "session"),
            *(f"{count:,} {name}" for count, name in counts_by_outcome if count),
        ],
    )
    if totals.sessions:
        amounts = [(totals.events, "event"), (totals.tool_calls, "tool call"), (totals.llm_calls, "llm call")]
        yield (
            "",
            [
                *(format_count(count, name) for count, name in amounts),
                *_format_errors(totals),
                *_format_amounts(totals),
            ],
        )
    if len(rows) < totals.sessions:
        yield "shown", [f"the first {len(rows):,} by {query.sort}; --limit 0 shows all"]
    yield "read", [describe_coverage(coverage)]


def _format_errors(totals: Totals) -> list[str]:
    return [format_count(totals.errors, "error")]


def _format_amounts(totals: Totals) -> Iterator[str]:
    token_counts = [amount for amount in (totals.input_tokens, totals.output_tokens) if amount is not None]
    yield f"{sum(token_counts):,} tokens" if token_counts else "tokens unknown"
    cost = f"{format_dollars(totals.cost_usd)}" if totals.cost_usd is not None else "cost unknown"
    yield cost + (f" ({format_count(totals.unpriced, 'llm call')} unpriced)" if totals.unpriced else "")
