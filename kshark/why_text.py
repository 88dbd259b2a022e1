"""The answer of `kshark why` as text for a terminal. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from agentlog.coverage import Coverage, sentence
from agentlog.describe import Detail, Run, details, folded, shown, word
from agentlog.output import Style, flowing, wrapped
from agentlog.session import Step
from agentlog.untrusted import escaped
from agentlog.wording import counted

from .answer import Answer, Skipped, condensed, steps_of
from .causes import Tie
from .render import Look, detail_lines, header, own_lines, run_lines
from .trouble import error_of, is_failure
from .why_words import came_back, evidence, followed, rest, retried, verdict

NAME = 9
CHILDREN = 8
"""So many of the steps that follow from one are shown."""
WORDY = frozenset({"llm_call", "decision"})
VALUE_LINES = 3
"""What a model was given and said, and what else it might have done, may take so many lines."""


def text(answer: Answer, covered: Coverage, look: Look) -> Iterator[str]:
    """The finding, the chain down to the step, and what came of it."""
    yield from header(answer.timeline, covered, look)
    yield ""
    if answer.found is not None:
        yield from _line("wrong", verdict(answer.found, answer.timeline, answer.causes), look, Style.BAD)
        for name, said in evidence(answer.found, answer.after, answer.causes):
            yield from _line(name, said, look)
        yield ""
    if answer.step is not None:
        yield from _chain(answer, look)
        yield ""
        told = list(_aftermath(answer, look))
        yield from [*told, ""] if told else []
    yield from _line("read", sentence(covered), look)


def _line(name: str, said: str, look: Look, style: Style = Style.FAINT) -> Iterator[str]:
    first, *others = wrapped(escaped(said), look.columns - NAME)
    yield look.paint(f"{name:<{NAME}}", style) + first
    yield from (" " * NAME + line for line in others)


def _chain(answer: Answer, look: Look) -> Iterator[str]:
    """A link a line, each with its number; ``>`` stands before the step in question, ``~`` where no parent is named."""
    by_order = {link.step: followed(link) for link in answer.chain if link.tie is Tie.SEQUENCE}
    known: object = None
    for item in [link.step for link in answer.chain] if look.full else condensed(answer.chain):
        if isinstance(item, Skipped):
            yield look.paint(" " * _margin(answer) + _skipped(item.steps, look), Style.FAINT)
            continue
        first = item.first if isinstance(item, Run) else item
        mark = ">" if first is answer.step else "~" if first in by_order else " "
        yield from _numbered(answer, item, mark, look, list(details(first, look.full, known)))
        known = first.event.context.get("reasoning")
    if by_order:
        share = f"{len(by_order):,} of {counted(len(answer.chain), 'step')}"
        yield from _line("~", f"{share}: {next(iter(by_order.values()))}", look)


def _skipped(steps: Sequence[Step], look: Look) -> str:
    kinds = Counter(word(step) for step in steps)
    told = ", ".join(f"{name} {count}" for name, count in kinds.most_common(5))
    return next(flowing([f"... {counted(len(steps), 'step')}: {escaped(told)}"], " ", look.columns - 8))


def _numbered(answer: Answer, item: Step | Run, mark: str, look: Look, told: Sequence[Detail]) -> Iterator[str]:
    """A step's lines, its number in the margin."""
    margin = _margin(answer)
    beside = replace(look, columns=look.columns - margin)
    first = item.first if isinstance(item, Run) else item
    number = f"{mark}{answer.causes.number[first]:>{margin - 3}}  "
    most = VALUE_LINES if first.kind in WORDY else 1
    lines = [*own_lines(first, beside), *detail_lines(first, told, beside, most)]
    yield look.paint(number, Style.STRONG if mark == ">" else Style.FAINT) + lines[0]
    yield from (" " * margin + line for line in lines[1:])
    if isinstance(item, Run):
        yield from (" " * margin + line for line in run_lines(item, beside))


def _margin(answer: Answer) -> int:
    return len(str(len(answer.causes.steps))) + 3


def _aftermath(answer: Answer, look: Look) -> Iterator[str]:
    after = answer.after
    if after is None:
        return
    children = list(folded(after.children))
    if children:
        yield from _line("led to", counted(len(after.children), "step"), look)
    for item in children[:CHILDREN]:
        first = item.first if isinstance(item, Run) else item
        told = [Detail("error", shown(error_of(first)))] if is_failure(first) else []
        yield from _numbered(answer, item, " ", look, told)
    left = [step for item in children[CHILDREN:] for step in steps_of(item)]
    if left:
        yield look.paint(" " * _margin(answer) + _skipped(left, look), Style.FAINT)
    for name, said in (("again", retried(after)), ("back", came_back(after, answer.causes)), ("then", rest(after))):
        if said and not (name == "then" and answer.found is not None and answer.found.is_sure):
            yield from _line(name, said, look)
