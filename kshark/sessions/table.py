"""Sessions as a table for a terminal, as wide as there is room, and how far it can be trusted. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from agentlog.event.escape import escaped
from agentlog.event.event import EPOCH, MICROSECOND
from agentlog.formatting import counted, dollars, duration
from agentlog.session.summary import Summary
from agentlog.terminal.output import Paint, Style, cell_width, clipped, flowing

from ..catalogue.coverage import Read, sentence
from ..catalogue.query import Query, Totals
from ..render import NARROW, OUTCOME_STYLES

GAP = "  "
UNKNOWN = "?"


class Column(NamedTuple):
    """A column of the table.

    Attributes:
        sort: the order whose column it is.
        least: so narrow it may be made; 0 where it can't be cut.
        weight: of the columns for which there is no room, the lightest is left out first.
    """

    title: str
    text: Callable[[Summary, Query], str]
    weight: int
    sort: str = ""
    least: int = 0
    right: bool = False


def _agent(row: Summary, _: Query) -> str:
    return row.agents[0] + (f" +{len(row.agents) - 1}" if len(row.agents) > 1 else "")


def _began(row: Summary, query: Query) -> str:
    across = {"from": "<", "both": "<"}.get(query.across(row) or "", "")
    return f"{across}{EPOCH + row.started * MICROSECOND:%Y-%m-%d %H:%M}"


def _took(row: Summary, query: Query) -> str:
    across = {"to": ">", "both": ">"}.get(query.across(row) or "", "")
    return f"{duration(row.ended - row.started)}{across}"


def _tokens(row: Summary, _: Query) -> str:
    said = [amount for amount in (row.input_tokens, row.output_tokens) if amount is not None]
    return f"{sum(said):,}" if said else UNKNOWN


def _cost(row: Summary, _: Query) -> str:
    if row.cost_usd is None:
        return UNKNOWN
    return dollars(row.cost_usd) + ("+" if row.unpriced else "")


def _top(row: Summary, _: Query) -> str:
    tool, calls = row.top_tool
    return f"{tool} {calls:,}" if tool is not None else ""


COLUMNS = (
    Column("session", lambda row, _: row.session_id, 100, least=36),
    Column("status", lambda row, query: query.status(row), 90),
    Column("began", _began, 60, "start"),
    Column("took", _took, 70, "duration", right=True),
    Column("events", lambda row, _: f"{row.events:,}", 40, "events", right=True),
    Column("calls", lambda row, _: f"{row.tool_calls:,}", 85, "calls", right=True),
    Column("errors", lambda row, _: f"{row.errors:,}" if row.errors else "", 80, "errors", right=True),
    Column("tokens", _tokens, 30, "tokens", right=True),
    Column("cost", _cost, 82, "cost", right=True),
    Column("top tool", _top, 50, least=26),
    Column("agent", _agent, 45, least=12),
)


def table(  # noqa: PLR0913, PLR0917  what there is to say, and how wide
    rows: Sequence[Summary], totals: Totals, query: Query, read: Read, columns: int, paint: Paint
) -> Iterator[str]:
    """A line a session, or two where the terminal is narrow; what all of them amount to; what was read."""
    if rows:
        yield from (_narrow if columns < NARROW else _wide)(rows, query, columns, paint)
        yield ""
    for name, items in _footer(rows, totals, query, read):
        first, *rest = flowing(map(escaped, items), ", ", columns - 9)
        yield paint(f"{name:<9}", Style.FAINT) + first
        yield from (" " * 9 + line for line in rest)


def numbered(rows: Sequence[Summary], query: Query, columns: int, paint: Paint) -> Iterator[str]:
    """A line a session, from 1 on, below the titles of their columns."""
    marks = ["", *map(str, range(1, len(rows) + 1))]
    room = len(marks[-1]) + len(GAP)
    for mark, line in zip(marks, _wide(rows, query, columns - room, paint), strict=True):
        yield mark.rjust(room - len(GAP)) + GAP + line


def _wide(rows: Sequence[Summary], query: Query, columns: int, paint: Paint) -> Iterator[str]:
    cells = {column: [column.text(row, query) for row in rows] for column in COLUMNS}
    widths = _fitted({column: _natural(column, texts) for column, texts in cells.items()}, query.sort, columns)
    titles = [_cell(column, column.title, width) for column, width in widths.items()]
    styles = [Style.STRONG if column.sort == query.sort else Style.FAINT for column in widths]
    yield _line(titles, styles, paint)
    for number, row in enumerate(rows):
        texts = [_cell(column, cells[column][number], width) for column, width in widths.items()]
        yield _line(texts, [_style(column, row) for column in widths], paint)


def _natural(column: Column, texts: Sequence[str]) -> int:
    return max([len(column.title), *(cell_width(escaped(text)) for text in texts)])


def _fitted(natural: dict[Column, int], sort: str, room: int) -> dict[Column, int]:
    """The columns for which there is room, and how wide each is: long names are cut before columns are left out."""
    kept = dict(natural)
    while len(kept) > 1 and sum(_least(column, width) + len(GAP) for column, width in kept.items()) - len(GAP) > room:
        del kept[min(kept, key=lambda column: 95 if column.sort == sort else column.weight)]
    while (over := sum(kept.values()) + len(GAP) * (len(kept) - 1) - room) > 0:
        widest = max(kept, key=lambda column: kept[column] - _least(column, kept[column]))
        kept[widest] = max(_least(widest, kept[widest]), kept[widest] - max(over // 2, 1))
    return kept


def _least(column: Column, width: int) -> int:
    return min(column.least or width, width)


def _cell(column: Column, text: str, width: int) -> str:
    shown = clipped(text, width)
    gap = " " * (width - cell_width(shown))
    return gap + shown if column.right else shown + gap


def _line(texts: Iterable[str], styles: Iterable[Style | None], paint: Paint) -> str:
    painted = [_painted(text, style, paint) for text, style in zip(texts, styles, strict=True)]
    return GAP.join(painted).rstrip()


def _painted(text: str, style: Style | None, paint: Paint) -> str:
    return paint(text, style) if style is not None and text.strip() else text


def _style(column: Column, row: Summary) -> Style | None:
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


def _narrow(rows: Sequence[Summary], query: Query, columns: int, paint: Paint) -> Iterator[str]:
    for row in rows:
        status = query.status(row)
        name = clipped(row.session_id, columns - cell_width(escaped(status)) - 1)
        gap = " " * (columns - cell_width(name) - cell_width(escaped(status)))
        outcome = paint(escaped(status), OUTCOME_STYLES.get(row.outcome or "", Style.NOTICE))
        yield paint(name, Style.STRONG) + gap + outcome
        amounts = [_took(row, query), counted(row.tool_calls, "call")]
        amounts += [counted(row.errors, "error")] if row.errors else []
        amounts += [_cost(row, query)] if row.cost_usd is not None else []
        yield from ("  " + line for line in flowing([_began(row, query), *amounts], "  ", columns - 2))


def _footer(rows: Sequence[Summary], totals: Totals, query: Query, read: Read) -> Iterator[tuple[str, list[str]]]:
    ended = [(totals.succeeded, "succeeded"), (totals.failed, "failed"), (totals.cancelled, "cancelled")]
    ended += [(totals.running, "running"), (totals.never_ended, "never ended"), (totals.other, "ended otherwise")]
    yield "total", [counted(totals.sessions, "session"), *(f"{count:,} {name}" for count, name in ended if count)]
    if totals.sessions:
        amounts = [(totals.events, "event"), (totals.tool_calls, "tool call"), (totals.llm_calls, "llm call")]
        yield "", [*(counted(count, name) for count, name in amounts), *_errors(totals), *_amounts(totals)]
    if len(rows) < totals.sessions:
        yield "shown", [f"the first {len(rows):,} by {query.sort}; --limit 0 shows all"]
    yield "read", [sentence(read)]


def _errors(totals: Totals) -> list[str]:
    return [counted(totals.errors, "error")]


def _amounts(totals: Totals) -> Iterator[str]:
    said = [amount for amount in (totals.input_tokens, totals.output_tokens) if amount is not None]
    yield f"{sum(said):,} tokens" if said else "tokens unknown"
    cost = f"{dollars(totals.cost_usd)}" if totals.cost_usd is not None else "cost unknown"
    yield cost + (f" ({counted(totals.unpriced, 'llm call')} unpriced)" if totals.unpriced else "")
