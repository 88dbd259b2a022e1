"""The rows around each divergence; rows far from any are left out. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .phrases import Row
from .result import Excerpt

MAX_ROWS = 300
"""The greatest number of rows with a divergence that are shown. JSON has all."""


class Hunk(NamedTuple):
    """Rows in sequence, and the number of rows that are left out before them."""

    rows: list[Row]
    skipped: int


def build_hunks(rows: Iterable[Row], excerpt: Excerpt) -> Iterator[Hunk]:
    """Yield the rows of the divergences in the excerpt, with the rows of context before and after each."""
    shown_divergences, context = set(excerpt.divergences), excerpt.context
    before: deque[Row] = deque(maxlen=context)
    open_rows: list[Row] = []
    skipped = rows_after = shown_count = 0
    for row in rows:
        if row.divergence in shown_divergences:
            if not open_rows:
                skipped -= len(before)
            open_rows += [*before, row]
            before.clear()
            rows_after, shown_count = context, shown_count + 1
        elif open_rows and rows_after:
            open_rows.append(row)
            rows_after -= 1
        else:
            if open_rows and len(before) == context:
                yield Hunk(open_rows, skipped)
                open_rows, skipped = [], len(before)
                if shown_count >= MAX_ROWS:
                    return
            before.append(row)
            skipped += not open_rows
    if open_rows:
        yield Hunk(open_rows, skipped)
