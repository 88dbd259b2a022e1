"""A verdict as Markdown, for a ticket or a report. Pure."""

from collections.abc import Iterator

from agentlog.coverage import sentence
from agentlog.untrusted import code, plain

from .divergence import Divergence
from .moves import Move
from .text import Text
from .verdict import Answer
from .words import doubts, first_changes, kinds, links, outcome, place, rule, totals, value_text

LONGEST = 400


def markdown(text: Text) -> Iterator[str]:
    """A heading, the verdict, the divergences and the totals as tables."""
    found = text.found
    yield f"# {code(text.a.timeline.session_id, 0)} against {code(text.b.timeline.session_id, 0)}"
    yield ""
    ends = [f"{code(outcome(own), 0)}, {len(own.timeline.steps):,} steps" for own in (text.a, text.b)]
    yield f"A {ends[0]}; B {ends[1]}."
    yield ""
    if found.answer is Answer.SAME:
        yield "**The same**: no divergence."
    else:
        yield from _verdict(text)
        yield from _divergences(text)
    yield ""
    yield "| | A | B |"
    yield "|---|---:|---:|"
    yield from (f"| {name} | {a} | {b} |" for name, a, b in totals(text.a, text.b))
    yield ""
    for name, own in (("A", text.a), ("B", text.b)):
        yield f"- {name}: {code(sentence(own.found), 0)}"
    yield from (f"- {code(said, 0)}" for said in doubts(text.a, text.b, text.words.payloads.shallow))


def _verdict(text: Text) -> Iterator[str]:
    found = text.found
    if found.decisive is None:
        yield f"**Decisive**: none. {found.note}"
    else:
        yield f"**Decisive** ({place(found.decisive)}): {code(found.decisive.why, 0)}"
        yield ""
        yield from _moves(text, ("A", found.decisive.a), ("B", found.decisive.b))
        yield from _changes(found.decisive)
        if rule(found.decisive):
            yield f"- rule: {code(rule(found.decisive), 0)}"
        if found.note:
            yield f"- {found.note}"
    if found.root is not None:
        yield ""
        yield "**Root**"
        yield ""
        yield from _moves(text, ("B", found.root.b), ("A", found.root.a))
    if found.chain:
        yield ""
        own = links(found.decisive, found.chain, outcome(text.b))
        yield f"**Chain**: B {' → '.join(code(link, 80) for link in own)}"
    if found.first is not None:
        yield ""
        yield f"**First** ({place(found.first)}): {code(f'{found.first.label}: {found.first.why}', 0)}"


def _moves(text: Text, *moves: tuple[str, Move | None]) -> Iterator[str]:
    for name, move in moves:
        if move is not None:
            told = text.words.told(move)
            yield f"- {name} {told.place} **{plain(told.word)}** {code(told.text, LONGEST)}"
            if told.because:
                yield f"  - because {code(told.because, LONGEST)}"


def _changes(found: Divergence) -> Iterator[str]:
    for change in first_changes(found.changes, 12):
        yield f"- {code(change.path, 0)}: {code(value_text(change.a), LONGEST)} → {code(value_text(change.b), LONGEST)}"


def _divergences(text: Text) -> Iterator[str]:
    shown = text.compared.divergences
    if text.look.only_decisive:
        shown = [each for each in shown if each is text.found.decisive]
    yield ""
    yield f"## Divergences: {code(kinds(shown, text.compared.worded_otherwise), 0)}"
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
