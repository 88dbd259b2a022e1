"""A verdict for a terminal: what a person needs first stands first, the last lines say how far it can be trusted."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentlog.event.escape import escaped
from agentlog.terminal.output import Paint, Style, cell_width, clipped, flowing
from agentlog.text.coverage_text import sentence

from ..judge.divergence import Divergence
from ..judge.verdict import Answer, Verdict
from ..reading.session import totals
from .hunks import Hunk, hunks
from .phrases import MARKS, Row, Told, Words, first_changes, kinds, links, place, rule, value_text
from .result import Excerpt, Result

KEY = 10
NARROW = 100
"""Below so many columns the two sides stand one under the other."""
MOST_CHANGES = 12
SAID = 500
"""So many characters of a reason are shown."""
GOOD = ("succeeded",)


@dataclass(frozen=True, slots=True)
class Look:
    """How text is to be written, and what is shown step by step."""

    width: int
    paint: Paint
    excerpt: Excerpt | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """Writes one verdict."""

    result: Result
    look: Look

    @property
    def found(self) -> Verdict:
        """The verdict."""
        return self.result.verdict

    @property
    def words(self) -> Words:
        """What puts moves into words."""
        return self.result.words

    def lines(self) -> Iterator[str]:
        """All lines, controls escaped."""
        yield from self._header()
        yield ""
        yield from self._verdict()
        if self.look.excerpt is not None:
            for hunk in hunks(self.words.rows(self.result.compared), self.look.excerpt):
                yield ""
                yield from self._hunk(hunk)
        yield ""
        yield from self._footer()

    def _header(self) -> Iterator[str]:
        for name, own in (("A", self.result.a), ("B", self.result.b)):
            ended = own.outcome
            style = Style.GOOD if ended in GOOD else Style.BAD
            head = f"{escaped(own.timeline.session_id)}  {self._paint(escaped(ended), style)}"
            yield f"{self._paint(name, Style.STRONG)}  {head}, {len(own.timeline.steps):,} steps"
        if len(self.result.goals) == 1:
            yield f"   {clipped(self.result.goals[0], self.look.width - 3)}"

    def _verdict(self) -> Iterator[str]:
        if self.found.answer is Answer.SAME:
            yield self._keyed("same", "no divergence" + self._worded(), Style.GOOD)
            return
        if self.found.decisive is None:
            yield self._keyed(
                "decisive", self.found.note or "none: nothing that differs can explain an outcome", Style.NOTICE
            )
        else:
            yield from self._decisive(self.found.decisive)
        yield from self._root()
        yield from self._chain()
        yield from self._first()
        yield from self._wrapped("also", kinds(self._others(), self.result.compared.worded_otherwise))

    def _worded(self) -> str:
        many = self.result.compared.worded_otherwise
        return f"; {many:,} texts worded otherwise" if many else ""

    def _others(self) -> Sequence[Divergence]:
        return [each for each in self.result.compared.divergences if each is not self.found.decisive]

    def _decisive(self, decisive: Divergence) -> Iterator[str]:
        yield from self._wrapped("decisive", decisive.why, Style.BAD)
        yield from self._sides(decisive)
        for change in first_changes(decisive.changes, MOST_CHANGES):
            yield from self._change(change.path, value_text(change.a), value_text(change.b))
        yield from self._wrapped("", rule(decisive), Style.FAINT)
        yield from self._wrapped("", self.found.note, Style.NOTICE)

    def _sides(self, decisive: Divergence) -> Iterator[str]:
        for name, move in (("A", decisive.a), ("B", decisive.shown_b)):
            if move is not None:
                own = decisive.b if name == "B" and decisive.b is not None else move
                told = self.words.told(own)._replace(
                    place=place(decisive).rpartition("B ")[2] if name == "B" else str(own.index)
                )
                yield self._told(name, told)
            elif decisive.kind in ("missing", "extra", "error", "repeated"):
                yield self._keyed("", f"{name}  -", Style.FAINT)

    def _told(self, name: str, told: Told) -> str:
        head = f"{name} {told.place}  {clipped(told.word, 12):<9}"
        return self._keyed("", f"{head} {clipped(told.text, max(self.look.width - KEY - len(head) - 1, 20))}")

    def _root(self) -> Iterator[str]:
        root = self.found.root
        for key, name, move in (("root", "B", root.b if root else None), ("", "A", root.a if root else None)):
            if move is None:
                continue
            told = self.words.told(move)
            head = f"{name} {told.place}  {clipped(told.word, 12):<9}"
            said = told.text if told.because else told.text[:SAID]
            lines = list(self._wrapped("", said, indent=len(head) + 1)) or [""]
            yield self._keyed(key, f"{head} {lines[0].strip()}", Style.NOTICE)
            yield from lines[1:2] if told.because else lines[1:]
            if told.because and told.because != told.text:
                yield from self._wrapped("", f'"{told.because[:SAID]}"', indent=len(head) + 1)

    def _chain(self) -> Iterator[str]:
        if len(self.found.chain) > 1:
            own = [clipped(link, 60) for link in links(self.found.decisive, self.found.chain, self.result.b.outcome)]
            for n, line in enumerate(flowing([f"B {own[0]}", *own[1:]], " -> ", self.look.width - KEY)):
                yield self._keyed("" if n else "chain", line)

    def _first(self) -> Iterator[str]:
        first = self.found.first
        if first is not None and first is not self.found.decisive:
            made = "" if int(first.weight) else "; it explains nothing by itself"
            yield from self._wrapped("first", f"{place(first)}: {first.label}: {first.why}{made}")

    def _hunk(self, hunk: Hunk) -> Iterator[str]:
        wide = self.look.width >= NARROW
        column = (self.look.width - 3) // 2
        if hunk.skipped:
            yield self._paint(f"... {hunk.skipped:,} steps that say nothing new", Style.FAINT)
        for row in hunk.rows:
            yield from self._side_by_side(row, column) if wide else self._stacked(row)
            if row.divergence is not None:
                yield from self._below(row.divergence)

    def _side_by_side(self, row: Row, column: int) -> Iterator[str]:
        mark = MARKS[row.divergence.kind] if row.divergence is not None else " "
        left, right = (self._cell(side, column) for side in (row.a, row.b))
        pad = " " * (column - cell_width(left))
        yield f"{self._marked(left, row)}{pad} {self._marked(mark, row)} {self._marked(right, row)}".rstrip()

    def _stacked(self, row: Row) -> Iterator[str]:
        mark = MARKS[row.divergence.kind] if row.divergence is not None else " "
        names = [("A", row.a), ("B", row.b)] if row.divergence is not None else [("=", row.b)]
        for name, told in names:
            if told is not None:
                yield self._marked(f"{mark} {name} {self._cell(told, self.look.width - 4)}", row)

    def _cell(self, told: Told | None, columns: int) -> str:
        if told is None:
            return ""
        head = f"{told.place:>5}  {clipped(told.word, 12):<9}"
        return f"{head}{clipped(told.text, max(columns - len(head), 12))}"

    def _marked(self, text: str, row: Row) -> str:
        if row.divergence is None:
            return self._paint(text, Style.FAINT)
        decisive = row.divergence is self.found.decisive
        return self._paint(
            text, Style.BAD if decisive else Style.NOTICE if int(row.divergence.weight) > 1 else Style.NAME
        )

    def _below(self, divergence: Divergence) -> Iterator[str]:
        if divergence is self.found.decisive:
            yield from self._wrapped("", f"decisive: {divergence.why}", Style.BAD)
        for change in list(divergence.changes)[:MOST_CHANGES]:
            yield from self._change(change.path, value_text(change.a), value_text(change.b))
        more = len(divergence.changes) - MOST_CHANGES
        if more > 0:
            yield self._keyed("", f"{more:,} more differences; --format json has all", Style.FAINT)

    def _change(self, path: str, a: str, b: str) -> Iterator[str]:
        shown = path.removeprefix("payload.")
        room = self.look.width - KEY - 4
        if len(shown) + len(a) + len(b) + 6 <= room:
            yield self._keyed("", f"{escaped(shown)}  {escaped(a)} -> {escaped(b)}")
            return
        yield self._keyed("", clipped(shown, room))
        if max(len(a), len(b)) > room:
            a, b = _from_where_they_differ(a, b, room)
        yield self._keyed("", f"  A {clipped(a, room - 4)}")
        yield self._keyed("", f"  B {clipped(b, room - 4)}")

    def _footer(self) -> Iterator[str]:
        rows = totals(self.result.a, self.result.b)
        own = max(len(row[1]) for row in rows)
        for n, (name, a, b) in enumerate(rows):
            yield self._keyed("totals" if n == 0 else "", f"{name:<14} A {a:>{own}}   B {b}")
        for said in self.result.doubts:
            yield from self._wrapped("doubt", said, Style.NOTICE)
        for name, read in (("A", self.result.a), ("B", self.result.b)):
            yield from self._wrapped("read" if name == "A" else "", f"{name} {sentence(read.found)}", Style.FAINT)

    def _wrapped(self, key: str, text: str, style: Style | None = None, indent: int = 0) -> Iterator[str]:
        if not text:
            return
        width = max(self.look.width - KEY - indent, 20)
        for n, line in enumerate(textwrap.wrap(escaped(text), width, break_on_hyphens=False)):
            yield self._keyed(key if n == 0 else "", " " * indent + line, style)

    def _keyed(self, key: str, text: str, style: Style | None = None) -> str:
        named = self._paint(f"{key:<{KEY}}", Style.STRONG) if key else " " * KEY
        return (named + (self._paint(text, style) if style else text)).rstrip()

    def _paint(self, text: str, style: Style) -> str:
        return self.look.paint(text, style)


def _from_where_they_differ(a: str, b: str, room: int) -> tuple[str, str]:
    """Two long texts from a little before the first character that differs."""
    same = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    start = max(same - room // 3, 0)
    before = "..." if start else ""
    return before + a[start:], before + b[start:]
