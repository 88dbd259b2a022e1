"""A verdict as Markdown, for a ticket or a report. Pure."""

from collections.abc import Iterator

from agentlog.event.escape import code, plain
from agentlog.text.coverage_text import sentence

from ..align.step_groups import Move
from ..judge.divergence import Divergence
from ..judge.verdict import Answer
from ..reading.session import totals
from .phrases import first_changes, kinds, links, place, rule, value_text
from .result import Excerpt, Result

LONGEST = 400


def markdown(result: Result, excerpt: Excerpt) -> Iterator[str]:
    """A heading, the verdict, the divergences and the totals as tables."""
    found = result.verdict
    yield f"# {code(result.a.timeline.session_id, 0)} against {code(result.b.timeline.session_id, 0)}"
    yield ""
    ends = [f"{code(own.outcome, 0)}, {len(own.timeline.steps):,} steps" for own in (result.a, result.b)]
    yield f"A {ends[0]}; B {ends[1]}."
    yield ""
    if found.answer is Answer.SAME:
        yield "**The same**: no divergence."
    else:
        yield from _verdict(result)
        yield from _divergences(result, excerpt)
    yield ""
    yield "| | A | B |"
    yield "|---|---:|---:|"
    yield from (f"| {name} | {a} | {b} |" for name, a, b in totals(result.a, result.b))
    yield ""
    for name, own in (("A", result.a), ("B", result.b)):
        yield f"- {name}: {code(sentence(own.found), 0)}"
    yield from (f"- {code(said, 0)}" for said in result.doubts)


def _verdict(result: Result) -> Iterator[str]:
    found = result.verdict
    if found.decisive is None:
        yield f"**Decisive**: none. {found.note}"
    else:
        yield f"**Decisive** ({place(found.decisive)}): {code(found.decisive.why, 0)}"
        yield ""
        yield from _moves(result, ("A", found.decisive.a), ("B", found.decisive.b))
        yield from _changes(found.decisive)
        if rule(found.decisive):
            yield f"- rule: {code(rule(found.decisive), 0)}"
        if found.note:
            yield f"- {found.note}"
    if found.root is not None:
        yield ""
        yield "**Root**"
        yield ""
        yield from _moves(result, ("B", found.root.b), ("A", found.root.a))
    if found.chain:
        yield ""
        own = links(found.decisive, found.chain, result.b.outcome)
        yield f"**Chain**: B {' → '.join(code(link, 80) for link in own)}"
    if found.first is not None:
        yield ""
        yield f"**First** ({place(found.first)}): {code(f'{found.first.label}: {found.first.why}', 0)}"


def _moves(result: Result, *moves: tuple[str, Move | None]) -> Iterator[str]:
    for name, move in moves:
        if move is not None:
            told = result.words.told(move)
            yield f"- {name} {told.place} **{plain(told.word)}** {code(told.text, LONGEST)}"
            if told.because:
                yield f"  - because {code(told.because, LONGEST)}"


def _changes(found: Divergence) -> Iterator[str]:
    for change in first_changes(found.changes, 12):
        yield f"- {code(change.path, 0)}: {code(value_text(change.a), LONGEST)} → {code(value_text(change.b), LONGEST)}"


def _divergences(result: Result, excerpt: Excerpt) -> Iterator[str]:
    shown = excerpt.divergences
    yield ""
    yield f"## Divergences: {code(kinds(shown, result.compared.worded_otherwise), 0)}"
    yield ""
    yield "| where | kind | what | why |"
    yield "|---|---|---|---|"
    for each in shown[:300]:
        yield f"| {place(each)} | {each.kind} | {_cell(each.label)} | {_cell(each.why)} |"
    if len(shown) > 300:
        yield ""
        yield f"{len(shown) - 300:,} more; `--format json` has all."


def _cell(text: str) -> str:
    return code(text, LONGEST).replace("|", "\\|")
