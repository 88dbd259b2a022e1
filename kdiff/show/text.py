"""A verdict as text for a terminal: the most important lines first, the limits of the comparison last."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentlog.event.escape import escape_controls
from agentlog.formatting import format_count, shorten_name
from agentlog.terminal.style import Paint, Style
from agentlog.terminal.text_width import cell_width, clip_text, flow_items
from agentlog.text.coverage_text import describe_coverage

from ..judge.divergence import Divergence
from ..judge.verdict import Verdict, VerdictKind
from ..reading.session import compare_totals
from .hunks import Hunk, build_hunks
from .phrases import (
    MARKS,
    Row,
    StepDescriber,
    StepText,
    describe_chain,
    describe_position,
    describe_rule,
    format_change,
    select_changes,
    skip_common_start,
    summarize_kinds,
)
from .result import Excerpt, Result

KEY_COLUMNS = 10
"""The width of the column with ``decisive``, ``root`` and the other keys."""
MIN_SIDE_BY_SIDE_COLUMNS = 100
"""On fewer columns than this, the two sides are shown one below the other."""
MAX_CHANGES = 12
"""The greatest number of changes that are shown for one divergence."""
MAX_REASON_CHARS = 500
"""The greatest number of characters of a reason that are shown."""
GOOD_OUTCOMES = ("succeeded",)


@dataclass(frozen=True, slots=True)
class Layout:
    """The width and colours of the text, and the excerpt that is shown step by step."""

    width: int
    paint: Paint
    excerpt: Excerpt | None = None


@dataclass(frozen=True, slots=True)
class VerdictText:
    """Renders one verdict as text."""

    result: Result
    layout: Layout

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.result.verdict

    @property
    def describer(self) -> StepDescriber:
        """The describer of steps."""
        return self.result.describer

    def lines(self) -> Iterator[str]:
        """Yield all lines. Control characters are escaped."""
        yield from self._header()
        yield ""
        yield from self._verdict()
        if self.layout.excerpt is not None:
            for hunk in build_hunks(self.describer.build_rows(self.result.comparison), self.layout.excerpt):
                yield ""
                yield from self._hunk(hunk)
        yield ""
        yield from self._footer()

    def _header(self) -> Iterator[str]:
        for name, session in (("A", self.result.a), ("B", self.result.b)):
            outcome = session.outcome
            style = Style.GOOD if outcome in GOOD_OUTCOMES else Style.BAD
            head = f"{escape_controls(session.timeline.session_id)}  {self._paint(escape_controls(outcome), style)}"
            yield f"{self._paint(name, Style.STRONG)}  {head}, {len(session.timeline.steps):,} steps"
        if len(self.result.goals) == 1:
            yield f"   {clip_text(self.result.goals[0], self.layout.width - 3)}"

    def _verdict(self) -> Iterator[str]:
        if self.verdict.kind is VerdictKind.SAME:
            yield self._keyed_line("same", "no divergence" + self._reworded_note(), Style.GOOD)
            yield from self._wrapped_lines("", self.result.note, Style.NOTICE)
            return
        if self.verdict.decisive is None:
            yield self._keyed_line(
                "decisive", self.verdict.note or "none: no difference can explain the outcome", Style.NOTICE
            )
        else:
            yield from self._decisive(self.verdict.decisive)
        yield from self._root()
        yield from self._chain()
        yield from self._first()
        yield from self._wrapped_lines("also", summarize_kinds(self._others(), self.result.comparison.reworded_count))

    def _reworded_note(self) -> str:
        count = self.result.comparison.reworded_count
        return f"; {format_count(count, 'reworded text')}" if count else ""

    def _others(self) -> Sequence[Divergence]:
        return [
            divergence for divergence in self.result.comparison.divergences if divergence is not self.verdict.decisive
        ]

    def _decisive(self, decisive: Divergence) -> Iterator[str]:
        yield from self._wrapped_lines("decisive", decisive.why, Style.BAD)
        yield from self._sides(decisive)
        for change in select_changes(decisive.changes, MAX_CHANGES):
            yield from self._change(change.path, *format_change(change))
        yield from self._wrapped_lines("", describe_rule(decisive), Style.FAINT)
        yield from self._wrapped_lines("", self.verdict.note, Style.NOTICE)

    def _sides(self, decisive: Divergence) -> Iterator[str]:
        for name, step_text in self._show_difference(list(self.describer.describe_sides(decisive))):
            if step_text is not None:
                yield self._step_line(name, step_text)
            elif decisive.kind in ("missing", "extra", "error", "repeated"):
                yield self._keyed_line("", f"{name}  -", Style.FAINT)

    def _show_difference(self, sides: Sequence[tuple[str, StepText | None]]) -> Iterator[tuple[str, StepText | None]]:
        """Yield both sides. Where a narrow line would cut the difference off, the start that both have is left out."""
        (name_a, a), (name_b, b) = sides
        if a is not None and b is not None and a.text != b.text:
            columns = self._count_step_columns(max(a, b, key=lambda each: len(each.position)))
            text_a, text_b = (clip_text(each.text, columns) for each in (a, b))
            if text_a == text_b:
                tool = a.text.split(" ", 1)[0]
                text_a, text_b = skip_common_start(a.text, b.text, columns - len(tool))
                a, b = a._replace(text=f"{tool} {text_a}"), b._replace(text=f"{tool} {text_b}")
        yield name_a, a
        yield name_b, b

    def _count_step_columns(self, step_text: StepText) -> int:
        head = f"A {step_text.position}  {clip_text(step_text.word, 12):<9}"
        return max(self.layout.width - KEY_COLUMNS - len(head) - 1, 20)

    def _step_line(self, name: str, step_text: StepText) -> str:
        head = f"{name} {step_text.position}  {clip_text(step_text.word, 12):<9}"
        return self._keyed_line(
            "", f"{head} {clip_text(step_text.text, max(self.layout.width - KEY_COLUMNS - len(head) - 1, 20))}"
        )

    def _root(self) -> Iterator[str]:
        root_cause = self.verdict.root_cause
        for key, name, group in (
            ("root", "B", root_cause.b if root_cause else None),
            ("", "A", root_cause.a if root_cause else None),
        ):
            if group is None:
                continue
            step_text = self.describer.describe_step(group)
            head = f"{name} {step_text.position}  {clip_text(step_text.word, 12):<9}"
            text = step_text.text if step_text.reasoning else step_text.text[:MAX_REASON_CHARS]
            lines = list(self._wrapped_lines("", text, indent=len(head) + 1)) or [""]
            yield self._keyed_line(key, f"{head} {lines[0].strip()}", Style.NOTICE)
            yield from lines[1:2] if step_text.reasoning else lines[1:]
            if step_text.reasoning and step_text.reasoning != step_text.text:
                yield from self._wrapped_lines("", f'"{step_text.reasoning[:MAX_REASON_CHARS]}"', indent=len(head) + 1)

    def _chain(self) -> Iterator[str]:
        if len(self.verdict.chain) > 1:
            steps = [
                clip_text(link, 60)
                for link in describe_chain(self.verdict.decisive, self.verdict.chain, self.result.b.outcome)
            ]
            for n, line in enumerate(
                flow_items([f"B {steps[0]}", *steps[1:]], " -> ", self.layout.width - KEY_COLUMNS)
            ):
                yield self._keyed_line("" if n else "chain", line)

    def _first(self) -> Iterator[str]:
        first = self.verdict.first
        if first is not None and first is not self.verdict.decisive:
            weight_note = "" if int(first.weight) else "; it explains nothing on its own"
            yield from self._wrapped_lines(
                "first", f"{describe_position(first)}: {shorten_name(first.label)}: {first.why}{weight_note}"
            )

    def _hunk(self, hunk: Hunk) -> Iterator[str]:
        is_wide = self.layout.width >= MIN_SIDE_BY_SIDE_COLUMNS
        column = (self.layout.width - 3) // 2
        if hunk.skipped:
            yield self._paint(f"... {hunk.skipped:,} steps without a difference", Style.FAINT)
        for row in hunk.rows:
            yield from self._side_by_side(row, column) if is_wide else self._stacked(row)
            if row.divergence is not None:
                yield from self._divergence_lines(row.divergence)

    def _side_by_side(self, row: Row, column: int) -> Iterator[str]:
        mark = MARKS[row.divergence.kind] if row.divergence is not None else " "
        left, right = (self._cell(side, column) for side in (row.a, row.b))
        pad = " " * (column - cell_width(left))
        yield f"{self._paint_row(left, row)}{pad} {self._paint_row(mark, row)} {self._paint_row(right, row)}".rstrip()

    def _stacked(self, row: Row) -> Iterator[str]:
        mark = MARKS[row.divergence.kind] if row.divergence is not None else " "
        names = [("A", row.a), ("B", row.b)] if row.divergence is not None else [("=", row.b)]
        for name, step_text in names:
            if step_text is not None:
                yield self._paint_row(f"{mark} {name} {self._cell(step_text, self.layout.width - 4)}", row)

    def _cell(self, step_text: StepText | None, columns: int) -> str:
        if step_text is None:
            return ""
        head = f"{step_text.position:>5}  {clip_text(step_text.word, 12):<9}"
        return f"{head}{clip_text(step_text.text, max(columns - len(head), 12))}"

    def _paint_row(self, text: str, row: Row) -> str:
        if row.divergence is None:
            return self._paint(text, Style.FAINT)
        is_decisive = row.divergence is self.verdict.decisive
        return self._paint(
            text, Style.BAD if is_decisive else Style.NOTICE if int(row.divergence.weight) > 1 else Style.NAME
        )

    def _divergence_lines(self, divergence: Divergence) -> Iterator[str]:
        if divergence is self.verdict.decisive:
            yield from self._wrapped_lines("", f"decisive: {divergence.why}", Style.BAD)
        for change in list(divergence.changes)[:MAX_CHANGES]:
            yield from self._change(change.path, *format_change(change))
        more = len(divergence.changes) - MAX_CHANGES
        if more > 0:
            yield self._keyed_line("", f"{more:,} more changes; --format json has all", Style.FAINT)

    def _change(self, path: str, a: str, b: str) -> Iterator[str]:
        path_text = path.removeprefix("payload.")
        columns = self.layout.width - KEY_COLUMNS - 4
        if len(path_text) + len(a) + len(b) + 6 <= columns:
            yield self._keyed_line("", f"{escape_controls(path_text)}  {escape_controls(a)} -> {escape_controls(b)}")
            return
        yield self._keyed_line("", clip_text(path_text, columns))
        if max(len(a), len(b)) > columns:
            a, b = skip_common_start(a, b, columns)
        yield self._keyed_line("", f"  A {clip_text(a, columns - 4)}")
        yield self._keyed_line("", f"  B {clip_text(b, columns - 4)}")

    def _footer(self) -> Iterator[str]:
        rows = compare_totals(self.result.a, self.result.b)
        value_columns = max(len(row[1]) for row in rows)
        for n, (name, a, b) in enumerate(rows):
            yield self._keyed_line("totals" if n == 0 else "", f"{name:<14} A {a:>{value_columns}}   B {b}")
        for limitation in self.result.limitations:
            yield from self._wrapped_lines("doubt", limitation, Style.NOTICE)
        for name, session in (("A", self.result.a), ("B", self.result.b)):
            yield from self._wrapped_lines(
                "read" if name == "A" else "", f"{name} {describe_coverage(session.coverage)}", Style.FAINT
            )

    def _wrapped_lines(self, key: str, text: str, style: Style | None = None, indent: int = 0) -> Iterator[str]:
        if not text:
            return
        width = max(self.layout.width - KEY_COLUMNS - indent, 20)
        for n, line in enumerate(textwrap.wrap(escape_controls(text), width, break_on_hyphens=False)):
            yield self._keyed_line(key if n == 0 else "", " " * indent + line, style)

    def _keyed_line(self, key: str, text: str, style: Style | None = None) -> str:
        label = self._paint(f"{key:<{KEY_COLUMNS}}", Style.STRONG) if key else " " * KEY_COLUMNS
        return (label + (self._paint(text, style) if style else text)).rstrip()

    def _paint(self, text: str, style: Style) -> str:
        return self.layout.paint(text, style)
