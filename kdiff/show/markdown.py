"""A verdict as Markdown, for a ticket or a report. Pure."""

from collections.abc import Iterator

from agentlog.event.escape import format_code_span, format_name
from agentlog.formatting import shorten_name
from agentlog.text.coverage_text import describe_coverage

from ..judge.divergence import Divergence
from ..judge.verdict import VerdictKind
from ..reading.session import compare_totals
from .phrases import (
    StepText,
    describe_chain,
    describe_position,
    describe_rule,
    format_change,
    select_changes,
    summarize_kinds,
)
from .result import Excerpt, Result

MAX_TEXT_CHARS = 400
"""Longer texts are cut."""
MAX_CHANGES = 12
"""The greatest number of changes that are shown for the decisive divergence."""
MAX_DIVERGENCES = 300
"""The greatest number of divergences in the table. JSON has all."""


def render_markdown(result: Result, excerpt: Excerpt) -> Iterator[str]:
    """Yield the lines: a heading, the verdict, and tables of the divergences and the totals."""
    verdict = result.verdict
    a, b = (format_code_span(session.timeline.session_id, 0) for session in (result.a, result.b))
    yield f"# {a} against {b}"
    yield ""
    outcomes = [
        f"{format_code_span(session.outcome, 0)}, {len(session.timeline.steps):,} steps"
        for session in (result.a, result.b)
    ]
    yield f"A {outcomes[0]}; B {outcomes[1]}."
    yield ""
    if verdict.kind is VerdictKind.SAME:
        yield " ".join(filter(None, ["**The same**: no divergence.", result.note]))
    else:
        yield from _verdict(result)
        yield from _divergences(result, excerpt)
    yield ""
    yield "| | A | B |"
    yield "|---|---:|---:|"
    yield from (f"| {name} | {a} | {b} |" for name, a, b in compare_totals(result.a, result.b))
    yield ""
    for name, session in (("A", result.a), ("B", result.b)):
        yield f"- {name}: {format_code_span(describe_coverage(session.coverage), 0)}"
    yield from (f"- {format_code_span(limitation, 0)}" for limitation in result.limitations)


def _verdict(result: Result) -> Iterator[str]:
    verdict = result.verdict
    if verdict.decisive is None:
        yield f"**Decisive**: none. {verdict.note}"
    else:
        yield f"**Decisive** ({describe_position(verdict.decisive)}): {format_code_span(verdict.decisive.why, 0)}"
        yield ""
        yield from _step_lines(*result.describer.describe_sides(verdict.decisive))
        yield from _changes(verdict.decisive)
        if describe_rule(verdict.decisive):
            yield f"- rule: {format_code_span(describe_rule(verdict.decisive), 0)}"
        if verdict.note:
            yield f"- {verdict.note}"
    if verdict.root_cause is not None:
        yield ""
        yield "**Root**"
        yield ""
        yield from _step_lines(*result.describer.describe_root(verdict.root_cause))
    if verdict.chain:
        yield ""
        chain = describe_chain(verdict.decisive, verdict.chain, result.b.outcome)
        yield f"**Chain**: B {' → '.join(format_code_span(link, 80) for link in chain)}"
    if verdict.first is not None:
        yield ""
        description = format_code_span(f"{shorten_name(verdict.first.label)}: {verdict.first.why}", 0)
        yield f"**First** ({describe_position(verdict.first)}): {description}"


def _step_lines(*named_steps: tuple[str, StepText | None]) -> Iterator[str]:
    for name, step_text in named_steps:
        if step_text is not None:
            text = format_code_span(step_text.text, MAX_TEXT_CHARS)
            yield f"- {name} {step_text.position} **{format_name(step_text.word)}** {text}"
            if step_text.reasoning:
                yield f"  - because {format_code_span(step_text.reasoning, MAX_TEXT_CHARS)}"


def _changes(divergence: Divergence) -> Iterator[str]:
    for change in select_changes(divergence.changes, MAX_CHANGES):
        a, b = (format_code_span(text, MAX_TEXT_CHARS) for text in format_change(change, MAX_TEXT_CHARS))
        yield f"- {format_code_span(change.path, 0)}: {a} → {b}"


def _divergences(result: Result, excerpt: Excerpt) -> Iterator[str]:
    shown = excerpt.divergences
    yield ""
    yield f"## Divergences: {format_code_span(summarize_kinds(shown, result.comparison.reworded_count), 0)}"
    yield ""
    yield "| where | kind | what | why |"
    yield "|---|---|---|---|"
    for divergence in shown[:MAX_DIVERGENCES]:
        what, why = _cell(shorten_name(divergence.label)), _cell(divergence.why)
        yield f"| {describe_position(divergence)} | {divergence.kind} | {what} | {why} |"
    if len(shown) > MAX_DIVERGENCES:
        yield ""
        yield f"{len(shown) - MAX_DIVERGENCES:,} more; `--format json` has all."


def _cell(text: str) -> str:
    return format_code_span(text, MAX_TEXT_CHARS).replace("|", "\\|")
