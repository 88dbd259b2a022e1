"""Rows of two columns cut down to the divergences and a little around each. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .phrases import Row
from .result import Excerpt

MAX_ROWS = 300
"""So many rows with a divergence are shown; JSON has all."""


class Hunk(NamedTuple):
    """Rows that stand together, and how many were left out before them."""

    rows: list[Row]
    skipped: int


def build_hunks(rows: Iterable[Row], excerpt: Excerpt) -> Iterator[Hunk]:
    """The rows with a divergence that is to be shown, each with so many rows before and behind it."""
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
