"""The answer of `kshark why` as Markdown, for a ticket or a report. Pure."""

from collections.abc import Iterator

from agentlog.event.escape import code, plain
from agentlog.formatting import counted
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step
from agentlog.text.coverage_text import sentence
from agentlog.text.step_text import Run, headline, word

from ..render import Look, outcome_text
from ..replay.markdown import details_of
from .explanation import Answer, Skipped, condensed
from .phrases import evidence, rest, retried, verdict

LONGEST = 400


def markdown(answer: Answer, covered: Coverage, look: Look) -> Iterator[str]:
    """A heading, the finding, the chain as a list, and what came of it."""
    timeline = answer.timeline
    yield f"# Why: session {code(timeline.session_id, 0)}"
    yield ""
    yield f"{code(timeline.goal, LONGEST)} {code(outcome_text(timeline), 0)}".strip()
    yield ""
    if answer.found is not None:
        yield f"**Where it went wrong**: {code(verdict(answer.found, timeline), 0)}"
        yield ""
        for name, said in evidence(answer.found, answer.after, answer.causes):
            yield f"- {name}: {code(said, LONGEST)}"
        yield ""
    for item in condensed(answer.chain):
        yield from _item(answer, item, look)
    if answer.after is not None:
        yield ""
        yield from (f"- {code(said, LONGEST)}" for said in (retried(answer.after), rest(answer.after)) if said)
    yield ""
    yield code(sentence(covered), 0)


def _item(answer: Answer, item: Step | Run | Skipped, look: Look) -> Iterator[str]:
    if isinstance(item, Skipped):
        yield f"- ... {counted(len(item.steps), 'step')}"
        return
    step = item.first if isinstance(item, Run) else item
    name = f"{answer.causes.number[step]} **{plain(word(step))}**"
    yield f"- {name} {code(headline(step), LONGEST)}"
    yield from details_of(item, look.full, LONGEST)
