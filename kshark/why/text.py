"""The answer of `kshark why` as text for a terminal. Pure."""

from collections.abc import Iterator

from agentlog.analysis.causality import Tie
from agentlog.analysis.failures import get_error, is_failure
from agentlog.formatting import format_count
from agentlog.session.coverage import Coverage
from agentlog.terminal.style import Style
from agentlog.text.coverage_text import describe_coverage
from agentlog.text.step_text import CallRun, Detail, fold_runs, format_payload_value

from ..view.layout import Layout
from ..view.numbered_steps import NumberedStepWriter, describe_step, list_steps
from ..view.timeline_text import format_header
from .explanation import Explanation, SkippedSteps, condense_chain
from .phrases import (
    describe_diagnosis,
    describe_evidence,
    describe_rest,
    describe_retries,
    describe_sub_agent_result,
    explain_order,
)

MAX_CHILDREN_SHOWN = 8
"""The most steps that are shown as following from one."""


def render_text(explanation: Explanation, coverage: Coverage, layout: Layout) -> Iterator[str]:
    """Yield the header, the diagnosis, the chain down to the step, its consequences and the coverage."""
    writer = NumberedStepWriter(explanation.causes.step_numbers, layout)
    yield from format_header(explanation.timeline, coverage, layout)
    yield ""
    if explanation.diagnosis is not None:
        is_good = explanation.step is None and explanation.diagnosis.is_sure
        style = Style.GOOD if is_good else Style.BAD
        yield from writer.render_named("wrong", describe_diagnosis(explanation.diagnosis, explanation.timeline), style)
        for name, said in describe_evidence(explanation.diagnosis, explanation.consequences, explanation.causes):
            yield from writer.render_named(name, said)
        yield ""
    if explanation.step is not None:
        yield from [*_render_chain(explanation, writer), ""]
        consequence_lines = list(_render_consequences(explanation, writer))
        yield from [*consequence_lines, ""] if consequence_lines else []
    yield from writer.render_named("read", describe_coverage(coverage))


def _render_chain(explanation: Explanation, writer: NumberedStepWriter) -> Iterator[str]:
    """Yield the chain's steps; ``>`` marks the explained step, ``~`` a step that names no parent."""
    by_order = {link.step: explain_order(link) for link in explanation.chain if link.tie is Tie.SEQUENCE}
    known_reasoning: object = None
    for item in (
        [link.step for link in explanation.chain] if writer.layout.is_full else condense_chain(explanation.chain)
    ):
        if isinstance(item, SkippedSteps):
            yield writer.render_skipped(item.steps)
            continue
        first = item.first if isinstance(item, CallRun) else item
        mark = ">" if first is explanation.step else "~" if first in by_order else " "
        yield from writer.render_step(item, describe_step(first, writer.layout.is_full, known_reasoning), mark)
        known_reasoning = first.event.context.get("reasoning")
    if by_order:
        share = f"{len(by_order):,} of {format_count(len(explanation.chain), 'step')}"
        yield from writer.render_named("~", f"{share}: {next(iter(by_order.values()))}")


def _render_consequences(explanation: Explanation, writer: NumberedStepWriter) -> Iterator[str]:
    consequences = explanation.consequences
    if consequences is None:
        return
    children = list(fold_runs(consequences.children))
    if children:
        yield from writer.render_named("led to", format_count(len(consequences.children), "step"))
    for item in children[:MAX_CHILDREN_SHOWN]:
        first = item.first if isinstance(item, CallRun) else item
        yield from writer.render_step(
            item, [Detail("error", format_payload_value(get_error(first)))] if is_failure(first) else []
        )
    hidden_steps = [step for item in children[MAX_CHILDREN_SHOWN:] for step in list_steps(item)]
    if hidden_steps:
        yield writer.render_skipped(hidden_steps)
    is_rest_shown = explanation.diagnosis is not None and explanation.diagnosis.is_sure
    lines = (
        ("again", describe_retries(consequences, explanation.diagnosis)),
        ("back", describe_sub_agent_result(consequences, explanation.causes)),
        ("then", "" if is_rest_shown else describe_rest(consequences)),
    )
    for name, said in lines:
        if said:
            yield from writer.render_named(name, said)
