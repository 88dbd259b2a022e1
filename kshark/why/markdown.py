"""The answer of `kshark why` as Markdown, for a ticket or a report. Pure."""

from collections.abc import Iterator

from agentlog.event.escape import format_code_span
from agentlog.formatting import format_count
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step
from agentlog.text.coverage_text import describe_coverage
from agentlog.text.step_text import CallRun

from ..replay.markdown import MAX_TEXT_LENGTH, render_details, render_step
from ..view.layout import Layout
from ..view.timeline_text import describe_outcome
from .explanation import Explanation, SkippedSteps, condense_chain
from .phrases import describe_diagnosis, describe_evidence, describe_rest, describe_retries


def render_markdown(explanation: Explanation, coverage: Coverage, layout: Layout) -> Iterator[str]:
    """Yield a heading, the diagnosis, the chain as a list, the consequences and the coverage."""
    timeline = explanation.timeline
    yield f"# Why: session {format_code_span(timeline.session_id, 0)}"
    yield ""
    goal, outcome = format_code_span(timeline.goal, MAX_TEXT_LENGTH), format_code_span(describe_outcome(timeline), 0)
    yield f"{goal} {outcome}".strip()
    yield ""
    if explanation.diagnosis is not None:
        yield f"**Where it went wrong**: {format_code_span(describe_diagnosis(explanation.diagnosis, timeline), 0)}"
        yield ""
        for name, said in describe_evidence(explanation.diagnosis, explanation.consequences, explanation.causes):
            yield f"- {name}: {format_code_span(said, MAX_TEXT_LENGTH)}"
        yield ""
    for item in condense_chain(explanation.chain):
        mark = " (this step)" if item is explanation.step else ""
        yield from _render_item(item, layout, mark)
    if explanation.consequences is not None:
        yield ""
        yield from (
            f"- {format_code_span(said, MAX_TEXT_LENGTH)}"
            for said in (
                describe_retries(explanation.consequences, explanation.diagnosis),
                describe_rest(explanation.consequences),
            )
            if said
        )
    yield ""
    yield format_code_span(describe_coverage(coverage), 0)


def _render_item(item: Step | CallRun | SkippedSteps, layout: Layout, mark: str) -> Iterator[str]:
    if isinstance(item, SkippedSteps):
        yield f"- ... {format_count(len(item.steps), 'step')}"
        return
    step = item.first if isinstance(item, CallRun) else item
    first, *others = render_step(step, str(step.number), "", layout)
    yield first + mark
    yield from others
    yield from render_details(item, "", layout)
