"""What the page says without its script: how the session ended, what it cost, how far that can be trusted. Pure."""

from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import quote

from agentlog.analysis.causality import Causes
from agentlog.event.escape import escaped
from agentlog.event.event import Unreadable, number
from agentlog.formatting import counted, dollars, duration
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step, Timeline
from agentlog.text.coverage_text import asked
from agentlog.text.step_text import Run, error_name, folded, said, word

from ..render import OUTCOME_STYLES, amounts, footer_lines, moment, others, outcome_text
from ..why.diagnosis import wrong
from ..why.phrases import verdict

NAMED = 1_000
"""How many unreadable records the page names."""
LONGEST = 1_000
NOTES = ("open", "end", "read")


def safe(text: str, longest: int = LONGEST) -> str:
    """Somebody else's text in a page: cut, what reorders text shown, what is markup escaped."""
    return escape(escaped(text[:longest]) + ("..." if len(text) > longest else ""))


def head(timeline: Timeline, found: Coverage, unreadable: Sequence[Unreadable]) -> str:
    """The head of the page."""
    return "\n".join(_head(timeline, found, unreadable))


def _head(timeline: Timeline, found: Coverage, unreadable: Sequence[Unreadable]) -> Iterator[str]:
    outcome = timeline.outcome if timeline.outcome in OUTCOME_STYLES else "unknown"
    yield f'<p class="id">{safe(timeline.session_id)}</p>'
    yield f"<h1>{safe(timeline.goal or '(no goal recorded)')}</h1>"
    yield f'<p class="outcome {outcome}">{safe(outcome_text(timeline))}</p>'
    yield f'<p class="soft">{safe(timeline.lanes[0].agent_id)}{others(timeline)}, began {_began(timeline, found)}</p>'
    yield f"<ul class=amounts>{''.join(f'<li>{_strong(each)}</li>' for each in amounts(timeline))}</ul>"
    first = "".join(_link(name, step, text, timeline) for name, step, text in _places(timeline))
    yield f'<nav aria-label="Look here first"><ul class=first>{first}</ul></nav>' if first else ""
    for name, items in footer_lines(timeline, timeline.steps, found):
        if name in NOTES:
            yield f"<p class=note><b>{name}</b> {safe(', '.join(items))}</p>"
    if unreadable:
        yield from _unreadable(unreadable)


def _began(timeline: Timeline, found: Coverage) -> str:
    bounds = f", shown {safe(asked(found.span))}" if any(found.span) else ""
    return f"{moment(timeline.began):%Y-%m-%d %H:%M:%S} UTC{bounds}"


def _strong(amount: str) -> str:
    """``847 tool calls, 164 errors``, its numbers large."""
    parts = []
    for part in amount.split(", "):
        count, _, name = part.partition(" ")
        parts.append(f"<b>{escape(count)}</b> {escape(name)}".strip() if count[-1:].isdigit() else escape(part))
    return ", ".join(parts)


def _places(timeline: Timeline) -> Iterator[tuple[str, Step, str]]:
    """Where to look first: a name, the step, and what makes it worth it."""
    steps = timeline.steps
    found = wrong(timeline, Causes(timeline))
    if found.is_sure and found.step is not None:
        yield "where it went wrong", found.step, verdict(found, timeline)
    failed = next((step for step in steps if step.error is not None), None)
    if failed is not None:
        yield "first error", failed, error_name(failed.error)
    loop = max((item for item in folded(steps) if isinstance(item, Run)), key=_weight, default=None)
    if loop is not None:
        yield "longest row of like calls", loop.first, f"{_name(loop.first)} x{len(loop.others) + 1:,}{_failed(loop)}"
    slowest = max(steps, key=lambda step: step.duration_us)
    if slowest.duration_us:
        yield "slowest", slowest, f"{_name(slowest)} {duration(slowest.duration_us)}"
    dearest = max(steps, key=_cost)
    if _cost(dearest):
        yield "dearest", dearest, f"{_name(dearest)} {dollars(_cost(dearest))}"
    if steps[-1].kind == "session_end":
        yield "end", steps[-1], said(steps[-1])


def _weight(run: Run) -> tuple[bool, int]:
    """A row of calls that all failed goes before a longer one that didn't."""
    return run.first.error is not None, len(run.others)


def _failed(run: Run) -> str:
    return f", all {error_name(run.first.error)}" if run.first.error is not None else ""


def _cost(step: Step) -> float:
    return number(step.event.payload.get("cost_usd")) or 0


def _name(step: Step) -> str:
    return step.label or word(step)


def _link(name: str, step: Step, text: str, timeline: Timeline) -> str:
    since = f"{(step.began - timeline.began) / 1_000_000:,.1f} s"
    address = escape(quote(step.event.event_id, safe=""))
    return f'<li><a href="#{address}"><b>{name}</b> <span>{safe(text, 120)}</span> <i>{since}</i></a></li>'


def _unreadable(unreadable: Sequence[Unreadable]) -> Iterator[str]:
    yield f"<details class=unreadable><summary>{len(unreadable):,} unreadable</summary><ul>"
    for each in unreadable[:NAMED]:
        yield f"<li>{safe(each.where)}: {safe(each.reason)}</li>"
    if len(unreadable) > NAMED:
        yield f"<li>{len(unreadable) - NAMED:,} more; kshark replay --format json names all</li>"
    yield "</ul></details>"


def foot(timeline: Timeline, found: Coverage) -> str:
    """Where the page comes from."""
    return f"{counted(timeline.totals.events, 'event')} of {safe(found.what)}, written by kshark report"
