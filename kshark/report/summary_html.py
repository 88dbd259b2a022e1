"""The summary at the top of the page, which needs no script: outcome, amounts, highlights, coverage. Pure."""

from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import quote

from agentlog.analysis.causality import CauseGraph
from agentlog.event.escape import escape_controls, join_lines
from agentlog.event.event import Unreadable, parse_amount, to_datetime
from agentlog.formatting import format_count, format_dollars, format_duration
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step, Timeline
from agentlog.text.coverage_text import describe_range
from agentlog.text.step_text import CallRun, describe_content, fold_runs, get_step_name, shorten_error

from ..view.layout import OUTCOME_STYLES
from ..view.timeline_text import describe_other_agents, describe_outcome, list_amounts, list_footer
from ..why.diagnosis.rules import diagnose
from ..why.diagnosis.window import find_window
from ..why.phrases import describe_candidate, describe_diagnosis
from .step_columns import find_anchors

MAX_UNREADABLE_LISTED = 1_000
"""The most unreadable records that the page names."""
MAX_TEXT_LENGTH = 1_000
MAX_CANDIDATES_SHOWN = 3
NOTE_NAMES = ("open", "end", "read")


def escape_text(text: str, max_length: int = MAX_TEXT_LENGTH) -> str:
    """Return untrusted text for a page: cut, with control characters and markup escaped."""
    return escape(escape_controls(text[:max_length]) + ("..." if len(text) > max_length else ""))


def render_head(timeline: Timeline, coverage: Coverage, unreadable: Sequence[Unreadable]) -> str:
    """Return the head of the page as HTML."""
    return "\n".join(_render_head_lines(timeline, coverage, unreadable))


def _render_head_lines(timeline: Timeline, coverage: Coverage, unreadable: Sequence[Unreadable]) -> Iterator[str]:
    outcome = timeline.outcome if timeline.outcome in OUTCOME_STYLES else "unknown"
    yield f'<p class="id">{escape_text(timeline.session_id)}</p>'
    yield f"<h1>{escape_text(join_lines(timeline.goal) or '(no goal recorded)')}</h1>"
    yield f'<p class="outcome {outcome}">{escape_text(describe_outcome(timeline))}</p>'
    agents = f"{escape_text(timeline.lanes[0].agent_id)}{describe_other_agents(timeline)}"
    yield f'<p class="soft">{agents}, began {_format_start(timeline, coverage)}</p>'
    yield f"<ul class=amounts>{''.join(f'<li>{_emphasize_numbers(each)}</li>' for each in list_amounts(timeline))}</ul>"
    links = "".join(
        _render_link(name, step, text, timeline) for name, step, text in _find_highlights(timeline, coverage)
    )
    yield f'<nav aria-label="Look here first"><ul class=first>{links}</ul></nav>' if links else ""
    for name, items in list_footer(timeline, timeline.steps, coverage):
        if name in NOTE_NAMES:
            yield f"<p class=note><b>{name}</b> {escape_text(', '.join(items))}</p>"
    if unreadable:
        yield from _render_unreadable(unreadable)


def _format_start(timeline: Timeline, coverage: Coverage) -> str:
    bounds = f", shown {escape_text(describe_range(coverage.position_range))}" if any(coverage.position_range) else ""
    return f"{to_datetime(timeline.began):%Y-%m-%d %H:%M:%S} UTC{bounds}"


def _emphasize_numbers(amount: str) -> str:
    """Return an amount such as ``847 tool calls, 164 errors`` as HTML with bold numbers."""
    parts = []
    for part in amount.split(", "):
        count, _, name = part.partition(" ")
        parts.append(f"<b>{escape(count)}</b> {escape(name)}".strip() if count[-1:].isdigit() else escape(part))
    return ", ".join(parts)


def _find_highlights(timeline: Timeline, coverage: Coverage) -> Iterator[tuple[str, Step, str]]:
    """Yield the steps to look at first: a name, the step, and the reason."""
    steps = timeline.steps
    diagnosis = diagnose(timeline, CauseGraph(timeline), find_window(timeline, coverage))
    if diagnosis.is_sure and diagnosis.step is not None:
        yield "where it went wrong", diagnosis.step, describe_diagnosis(diagnosis, timeline)
    for candidate in diagnosis.candidates[:MAX_CANDIDATES_SHOWN]:
        yield "perhaps here", candidate.step, f"{_name_step(candidate.step)}: {describe_candidate(candidate)}"
    first_failure = next((step for step in steps if step.error is not None), None)
    if first_failure is not None:
        yield "first error", first_failure, shorten_error(first_failure.error)
    loop = max((item for item in fold_runs(steps) if isinstance(item, CallRun)), key=_rank_run, default=None)
    if loop is not None:
        yield (
            "longest row of like calls",
            loop.first,
            f"{_name_step(loop.first)} x{len(loop.others) + 1:,}{_format_failure(loop)}",
        )
    slowest = max(steps, key=lambda step: step.duration_us or 0)
    if duration_us := slowest.duration_us:
        yield "slowest", slowest, f"{_name_step(slowest)} {format_duration(duration_us)}"
    most_expensive = max(steps, key=_find_cost)
    if _find_cost(most_expensive):
        yield "dearest", most_expensive, f"{_name_step(most_expensive)} {format_dollars(_find_cost(most_expensive))}"
    if steps[-1].kind == "session_end":
        yield "end", steps[-1], describe_content(steps[-1])


def _rank_run(run: CallRun) -> tuple[bool, int]:
    """Return a sort key: a run of failed calls ranks above a longer run of others."""
    return run.first.error is not None, len(run.others)


def _format_failure(run: CallRun) -> str:
    return f", all {shorten_error(run.first.error)}" if run.first.error is not None else ""


def _find_cost(step: Step) -> float:
    return parse_amount(step.event.payload.get("cost_usd")) or 0


def _name_step(step: Step) -> str:
    return get_step_name(step)


def _render_link(name: str, step: Step, text: str, timeline: Timeline) -> str:
    since = f"{(step.began - timeline.began) / 1_000_000:,.1f} s"
    address = escape(quote(find_anchors(timeline.steps)[step], safe=""))
    where = f"<i>step {step.number}, {since}</i>"
    return f'<li><a href="#{address}"><b>{name}</b> <span>{escape_text(join_lines(text), 120)}</span> {where}</a></li>'


def _render_unreadable(unreadable: Sequence[Unreadable]) -> Iterator[str]:
    yield f"<details class=unreadable><summary>{len(unreadable):,} unreadable</summary><ul>"
    for each in unreadable[:MAX_UNREADABLE_LISTED]:
        yield f"<li>{escape_text(each.where)}: {escape_text(each.reason)}</li>"
    if len(unreadable) > MAX_UNREADABLE_LISTED:
        yield f"<li>{len(unreadable) - MAX_UNREADABLE_LISTED:,} more; kshark replay --format json names all</li>"
    yield "</ul></details>"


def render_foot(timeline: Timeline, coverage: Coverage) -> str:
    """Return the line that says where the page comes from."""
    return f"{format_count(timeline.totals.events, 'event')} of {escape_text(coverage.what)}, written by kshark report"
