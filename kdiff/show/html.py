"""A verdict as one HTML page without scripts, links or fonts. Pure."""

from collections.abc import Iterator
from html import escape

from agentlog.event.escape import escape_controls
from agentlog.formatting import shorten_name
from agentlog.text.coverage_text import describe_coverage

from ..judge.divergence import Divergence
from ..judge.verdict import VerdictKind
from ..reading.session import compare_totals
from .hunks import build_hunks
from .phrases import (
    MARKS,
    Row,
    StepText,
    describe_chain,
    describe_position,
    describe_rule,
    format_change,
    select_changes,
    summarize_kinds,
)
from .result import Excerpt, Result

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
MAX_TEXT_CHARS = 1_200
"""Longer texts are cut."""
MAX_CHANGES = 30
"""The greatest number of changes that are shown for one divergence."""
STYLE = """
:root{--bg:#fff;--fg:#1b1f24;--soft:#5b6470;--line:#dfe3e8;--pane:#f6f7f9;--bad:#b42318;--badbg:#fdecea;
--good:#1a7f37;--goodbg:#e7f6ec;--note:#8a5a00;--notebg:#fff5dd;--name:#0b5cad}
@media(prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e4e8ec;--soft:#9aa4af;--line:#2e343b;--pane:#1d2126;
--bad:#ff8a80;--badbg:#3a1f1d;--good:#6fd58a;--goodbg:#17301f;--note:#f0c36a;--notebg:#33290f;--name:#7db8ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1280px;padding:24px;background:var(--bg);color:var(--fg);
font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:20px;margin:0 0 4px}h2{font-size:13px;text-transform:uppercase;letter-spacing:.06em;color:var(--soft);
margin:28px 0 8px}
code,.m,td.p{font-family:ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;font-size:12.5px}
.m,td.p{overflow-wrap:anywhere}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:12px}
.card{border:1px solid var(--line);border-radius:8px;padding:12px 14px;background:var(--pane);min-width:0}
.card.bad{border-color:var(--bad);background:var(--badbg)}.card.good{border-color:var(--good);background:var(--goodbg)}
.tag{display:inline-block;border-radius:4px;padding:0 7px;font-size:12px;border:1px solid var(--line)}
.tag.good{background:var(--goodbg);color:var(--good);border-color:var(--good)}
.tag.bad{background:var(--badbg);color:var(--bad);border-color:var(--bad)}
.soft{color:var(--soft)}.why{font-size:16px;font-weight:600;margin:0 0 8px}
blockquote{margin:6px 0 0;padding:4px 10px;border-left:3px solid var(--note);background:var(--notebg)}
.chain{display:flex;flex-wrap:wrap;gap:6px;align-items:center}
table{border-collapse:collapse;width:100%;table-layout:fixed}
th,td{padding:4px 8px;vertical-align:top;text-align:left;border-top:1px solid var(--line)}
th{font-weight:600;color:var(--soft);border-top:0}
.two col.k{width:34px}.two td.k{text-align:center;color:var(--soft)}
tr.same td{color:var(--soft)}tr.extra td.b,tr.error td.b,tr.repeated td.b{background:var(--notebg)}
tr.missing td.a,tr.ended td.a{background:var(--notebg)}tr.changed td,tr.moved td{background:var(--pane)}
tr.decisive td.a,tr.decisive td.b{background:var(--badbg)}
tr.decisive td{border-top:2px solid var(--bad)}
.n{color:var(--soft);display:inline-block;min-width:34px}.w{color:var(--name);display:inline-block;min-width:64px}
.diff td.p{width:34%}.diff{margin-top:8px}.diff td{background:none!important}
.gap td{text-align:center;color:var(--soft);background:var(--pane)}
.totals{max-width:520px}.totals td+td,.totals th+th{text-align:right;font-variant-numeric:tabular-nums}
@media(max-width:720px){.sides{grid-template-columns:1fr}body{padding:12px}.two col.k{width:22px}
th,td{padding:4px}.n{min-width:0;margin-right:6px}.w{min-width:0;margin-right:6px}}
@media print{body{max-width:none}}
"""


def render_html(result: Result, excerpt: Excerpt) -> Iterator[str]:
    """Yield the lines of the page. Every text of an event is escaped."""
    a, b = result.a.timeline.session_id, result.b.timeline.session_id
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<title>{_escape_text(a)} against {_escape_text(b)}</title><style>{STYLE}</style></head><body>"
    yield f"<h1>{_code_html(a)} <span class=soft>against</span> {_code_html(b)}</h1>"
    yield from _session_cards(result)
    if result.verdict.kind is VerdictKind.SAME:
        yield '<h2>Verdict</h2><div class="card good"><p class=why>The same: no divergence</p>'
        yield f"<p class=soft>{_escape_text(result.note)}</p></div>" if result.note else "</div>"
    else:
        yield from _verdict(result)
        yield from _steps(result, excerpt)
    yield from _footer(result)
    yield "</body></html>"


def _escape_text(value: str) -> str:
    return escape(
        escape_controls(value if len(value) <= MAX_TEXT_CHARS else value[:MAX_TEXT_CHARS] + "..."), quote=True
    )


def _code_html(value: str) -> str:
    return f"<code>{_escape_text(value)}</code>"


def _session_cards(result: Result) -> Iterator[str]:
    if len(result.goals) == 1:
        yield f"<p class=soft>{_escape_text(result.goals[0])}</p>"
    yield '<div class="sides">'
    for name, session in (("A", result.a), ("B", result.b)):
        outcome = session.outcome
        css_class = "good" if outcome == "succeeded" else "bad"
        tag = f'<span class="tag {css_class}">{_escape_text(outcome)}</span>'
        steps = f"{len(session.timeline.steps):,} steps"
        yield f'<div class="card"><b>{name}</b> {_code_html(session.timeline.session_id)} {tag} {steps}</div>'
    yield "</div>"
    for limitation in result.limitations:
        yield f"<blockquote>{_escape_text(limitation)}</blockquote>"


def _verdict(result: Result) -> Iterator[str]:
    verdict = result.verdict
    yield "<h2>Decisive</h2>"
    if verdict.decisive is None:
        text = verdict.note or "No difference can explain the outcome."
        yield f'<div class="card"><p class=why>{_escape_text(text)}</p></div>'
    else:
        yield f'<div class="card bad"><p class=why>{_escape_text(verdict.decisive.why)}</p>'
        yield from _step_lines(*result.describer.describe_sides(verdict.decisive))
        yield from _changes_table(verdict.decisive)
        yield f"<p class=soft>{_escape_text(describe_rule(verdict.decisive))} {_escape_text(verdict.note)}</p></div>"
    if verdict.root_cause is not None:
        yield "<h2>Root</h2><div class=card>"
        yield from _step_lines(*result.describer.describe_root(verdict.root_cause))
        yield "</div>"
    if verdict.chain:
        tags = (
            f"<span class=tag>{_escape_text(link)}</span>"
            for link in describe_chain(verdict.decisive, verdict.chain, result.b.outcome)
        )
        yield f'<h2>Chain in B</h2><div class="chain m">{" &rarr; ".join(tags)}</div>'
    if verdict.first is not None and verdict.first is not verdict.decisive:
        first = verdict.first
        text = f"{describe_position(first)}: {shorten_name(first.label)}: {first.why}"
        yield f"<h2>First difference</h2><p>{_escape_text(text)}</p>"
    counts = summarize_kinds(result.comparison.divergences, result.comparison.reworded_count)
    yield f"<h2>All divergences</h2><p>{_escape_text(counts)}</p>"


def _step_lines(*named_steps: tuple[str, StepText | None]) -> Iterator[str]:
    for name, step_text in named_steps:
        if step_text is None:
            yield f"<div class=m><b>{name}</b> <span class=soft>nothing like it</span></div>"
            continue
        yield f"<div class=m><b>{name}</b> {_step_html(step_text)}</div>"
        if step_text.reasoning and step_text.reasoning != step_text.text:
            yield f"<blockquote>{_escape_text(step_text.reasoning)}</blockquote>"


def _step_html(step_text: StepText) -> str:
    word, text = _escape_text(step_text.word), _escape_text(step_text.text)
    return f"<span class=n>{step_text.position}</span><span class=w>{word}</span>{text}"


def _changes_table(divergence: Divergence) -> Iterator[str]:
    changes = list(select_changes(divergence.changes, MAX_CHANGES))
    if changes:
        yield "<table class=diff><tr><th>what</th><th>A</th><th>B</th></tr>"
        for change in changes:
            sides = "".join(f"<td class=m>{_escape_text(text)}</td>" for text in format_change(change, MAX_TEXT_CHARS))
            yield f"<tr><td class=p>{_escape_text(change.path)}</td>{sides}</tr>"
        yield "</table>"


def _steps(result: Result, excerpt: Excerpt) -> Iterator[str]:
    yield '<table class="two"><colgroup><col><col class=k><col></colgroup><tr><th>A</th><th></th><th>B</th></tr>'
    for hunk in build_hunks(result.describer.build_rows(result.comparison), excerpt):
        if hunk.skipped > 0:
            yield f"<tr class=gap><td colspan=3>{hunk.skipped:,} steps without a difference</td></tr>"
        for row in hunk.rows:
            yield from _row(row, result.verdict.decisive)
    yield "</table>"


def _row(row: Row, decisive: Divergence | None) -> Iterator[str]:
    divergence = row.divergence
    css_classes = "same" if divergence is None else divergence.kind + (" decisive" if divergence is decisive else "")
    mark = MARKS[divergence.kind] if divergence is not None else ""
    a, b = (f'<span class="m">{_step_html(side)}</span>' if side is not None else "" for side in (row.a, row.b))
    yield f'<tr class="{css_classes}"><td class=a>{a}</td><td class=k>{escape(mark)}</td><td class=b>{b}</td></tr>'
    if divergence is not None and divergence.changes and row.a is not None and row.b is not None:
        yield f'<tr class="{css_classes}"><td colspan=3>'
        yield from _changes_table(divergence)
        yield "</td></tr>"


def _footer(result: Result) -> Iterator[str]:
    yield "<h2>Side by side</h2><table class=totals><tr><th></th><th>A</th><th>B</th></tr>"
    yield from (
        f"<tr><td>{name}</td><td>{a}</td><td>{b}</td></tr>" for name, a, b in compare_totals(result.a, result.b)
    )
    yield "</table><h2>Read</h2>"
    for name, session in (("A", result.a), ("B", result.b)):
        yield f"<p class=soft>{name}: {_escape_text(describe_coverage(session.coverage))}</p>"
