"""The answer of `kshark why` as text for a terminal. Pure."""

from collections.abc import Iterator

from agentlog.analysis.causality import Tie
from agentlog.analysis.failures import error_of, is_failure
from agentlog.formatting import counted
from agentlog.session.coverage import Coverage
from agentlog.terminal.output import Style
from agentlog.text.coverage_text import sentence
from agentlog.text.step_text import Detail, Run, folded, shown

from ..render import Look, header
from ..view.numbered_steps import Numbered, steps_of, told
from .explanation import Answer, Skipped, condensed
from .phrases import came_back, evidence, followed, rest, retried, verdict

CHILDREN = 8
"""So many of the steps that follow from one are shown."""


def text(answer: Answer, covered: Coverage, look: Look) -> Iterator[str]:
    """The finding, the chain down to the step, and what came of it."""
    pen = Numbered(answer.causes.number, look)
    yield from header(answer.timeline, covered, look)
    yield ""
    if answer.found is not None:
        style = Style.BAD if answer.step is not None else Style.GOOD
        yield from pen.named("wrong", verdict(answer.found, answer.timeline), style)
        for name, said in evidence(answer.found, answer.after, answer.causes):
            yield from pen.named(name, said)
        yield ""
    if answer.step is not None:
        yield from [*_chain(answer, pen), ""]
        came_of_it = list(_aftermath(answer, pen))
        yield from [*came_of_it, ""] if came_of_it else []
    yield from pen.named("read", sentence(covered))


def _chain(answer: Answer, pen: Numbered) -> Iterator[str]:
    """A link a line, each with its number; ``>`` stands before the step in question, ``~`` where no parent is named."""
    by_order = {link.step: followed(link) for link in answer.chain if link.tie is Tie.SEQUENCE}
    known: object = None
    for item in [link.step for link in answer.chain] if pen.look.full else condensed(answer.chain):
        if isinstance(item, Skipped):
            yield pen.skipped(item.steps)
            continue
        first = item.first if isinstance(item, Run) else item
        mark = ">" if first is answer.step else "~" if first in by_order else " "
        yield from pen.lines(item, told(first, pen.look.full, known), mark)
        known = first.event.context.get("reasoning")
    if by_order:
        share = f"{len(by_order):,} of {counted(len(answer.chain), 'step')}"
        yield from pen.named("~", f"{share}: {next(iter(by_order.values()))}")


def _aftermath(answer: Answer, pen: Numbered) -> Iterator[str]:
    after = answer.after
    if after is None:
        return
    children = list(folded(after.children))
    if children:
        yield from pen.named("led to", counted(len(after.children), "step"))
    for item in children[:CHILDREN]:
        first = item.first if isinstance(item, Run) else item
        yield from pen.lines(item, [Detail("error", shown(error_of(first)))] if is_failure(first) else [])
    left = [step for item in children[CHILDREN:] for step in steps_of(item)]
    if left:
        yield pen.skipped(left)
    told = answer.found is not None and answer.found.is_sure
    lines = (
        ("again", retried(after)),
        ("back", came_back(after, answer.causes)),
        ("then", "" if told else rest(after)),
    )
    for name, said in lines:
        if said:
            yield from pen.named(name, said)
