"""What `kshark why` says, in words, whatever it is then written as. Pure; the text is as recorded."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from statistics import median

from agentlog.analysis.causality import Causes, Link, Tie
from agentlog.analysis.failures import Loop, error_of, is_act, is_failure
from agentlog.formatting import counted, dollars, duration
from agentlog.session.timeline import Step, Timeline
from agentlog.text.step_text import Run, error_name, headline, run_text, shown, word

from .consequences import Aftermath
from .diagnosis import Kind, Wrong

NAMED = 5
LONGEST_ERROR = 60
LONGEST_NAMED = 160
LONGEST_VERDICT = 400
_SAYS_NOTHING = re.compile(r"^(?:error|exception|failed|fatal)\b[\s:]*", re.I)


def verdict(found: Wrong, timeline: Timeline) -> str:
    """Where a session went wrong, in a sentence."""
    return _VERDICTS[found.kind](found, timeline)


def evidence(found: Wrong, after: Aftermath | None, causes: Causes) -> Iterator[tuple[str, str]]:
    """What shows it: a name and a text each."""
    if found.step is not None and found.kind not in (Kind.NOTHING, Kind.UNKNOWN):
        yield "at", named(found.step, causes)
    if found.decision is not None and found.decision is not found.step:
        yield "after", named(found.decision, causes)
    if len(found.evidence) > 1:
        yield "steps", ranges([causes.number[step] for step in found.evidence])
    if found.failures:
        more = f", {len(found.failures) - NAMED:,} more" if len(found.failures) > NAMED else ""
        yield "failed", ", ".join(failure(step, causes) for step in found.failures[:NAMED]) + more
    if after is not None and after.steps and found.is_sure:
        yield "then", rest(after)


def rest(after: Aftermath) -> str:
    """What came after a step, up to the end; empty where nothing did."""
    if not after.steps:
        return ""
    spent = f", {dollars(after.cost_usd)} of {dollars(after.total_usd)}" if after.cost_usd else ""
    end = f"; {headline(after.end)}" if after.end is not None else ""
    return f"{counted(after.steps, 'further step')}, {duration(after.lasted)}{spent}{end}"


def retried(after: Aftermath) -> str:
    """How often a failed call was tried again, and whether that helped; empty where it wasn't."""
    if not after.retries:
        return ""
    helped = not is_failure(after.retries[-1])
    said = f"tried again {counted(len(after.retries), 'time')}"
    return f"{said}, the last succeeded" if helped else f"{said}, none succeeded"


def came_back(after: Aftermath, causes: Causes) -> str:
    """What a sub-agent came back with; empty where the step called none."""
    if after.run is None:
        return ""
    result = after.run.result
    agent = after.run.agent_id
    return f"{agent} came back: {named(result, causes)}" if result is not None else f"{agent} never came back"


def named(step: Step, causes: Causes) -> str:
    """A step in a line: its number, its word, what it is."""
    said = short(headline(step), LONGEST_NAMED)
    return f"step {causes.number[step]}, {word(step)}: {said}  ({step.event.event_id})"


def failure(step: Step, causes: Causes) -> str:
    """A failed step in a few words."""
    return f"{causes.number[step]} {step.label or word(step)}: {short(without_prefix(error_of(step)))}"


def followed(link: Link) -> str:
    """Why a step stands where it does in a chain, where no parent says so; empty where one does."""
    if link.tie is not Tie.SEQUENCE:
        return ""
    if link.lost is not None:
        return f"the step before it in its lane; the parent that it names, {link.lost}, isn't there"
    return "the step before it in its lane; it names no parent"


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in order, those in a row as a range: ``10, 13 to 175``."""
    spans: list[list[int]] = []
    for each in numbers:
        if spans and each == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], each]
        else:
            spans.append([each])
    return ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]} to {span[1]}" for span in spans)


def _loop(found: Wrong, _timeline: Timeline) -> str:
    loop = found.loop
    if loop is None:
        raise TypeError("a loop without its calls")
    return _failing(loop) if loop.failing else _circle(loop)


def _failing(loop: Loop) -> str:
    first = loop.calls[0]
    names = Counter(_name(error_of(step)) for step in loop.calls)
    errors = ", ".join(name if len(names) == 1 else f"{name} {count}" for name, count in names.most_common(3))
    tries = f" of {len(loop.calls) + loop.between:,}" if loop.between else ""
    gaps = [later.began - earlier.began for earlier, later in pairwise(loop.calls)]
    pace = f"every {duration(round(median(gaps)))} for {duration(loop.calls[-1].recorded - first.began)}"
    never = "" if loop.overcome else ", and never succeeded after"
    return f"a loop: {first.label or word(first)} failed {len(loop.calls):,}{tries} times: {errors}; {pace}{never}"


def _circle(loop: Loop) -> str:
    rounds = len(loop.calls) // loop.group
    names = ", ".join(call.label or word(call) for call in loop.calls[: loop.group])
    lasted = duration(loop.calls[-1].recorded - loop.calls[0].began)
    return f"a loop: {names}, {rounds:,} rounds with the same input and the same answer, for {lasted}"


def _error(found: Wrong, _timeline: Timeline) -> str:
    step = found.step
    if step is None:
        raise TypeError("an error without its step")
    others = len(found.evidence) - 1
    more = f", and {counted(others, 'failure')} more" if others else ""
    said = short(without_prefix(error_of(step)), LONGEST_VERDICT)
    return f"{step.label or word(step)} failed: {said}{more}; nothing succeeded after it"


def _never_made_good(found: Wrong, _timeline: Timeline) -> str:
    step = found.step
    if step is None:
        raise TypeError("an error without its step")
    said = short(without_prefix(error_of(step)), LONGEST_VERDICT)
    return (
        f"perhaps that {step.label or word(step)} failed and was never made good, though other calls succeeded: {said}"
    )


def _open(found: Wrong, timeline: Timeline) -> str:
    names = ", ".join(step.label or word(step) for step in found.evidence)
    died = "it is still running, or the process died in it" if timeline.outcome is None else "the session ended in it"
    return f"{names} never came back: {died}"


def _handed_over(found: Wrong, _timeline: Timeline) -> str:
    name = found.step.label if found.step is not None else ""
    return f"no call failed: it ended early, by handing over ({name})"


def _no_action(found: Wrong, _timeline: Timeline) -> str:
    said = counted(len(found.evidence), "message")
    return f"it only talked: {said} of the agent, and no tool, search or sub-agent was ever called"


def _long_run(found: Wrong, timeline: Timeline) -> str:
    first, *others = found.evidence
    acts = sum(map(is_act, timeline.steps))
    return f"no call failed, but most went into one: {run_text(Run(first, others))}, of {counted(acts, 'call')}"


def _end(found: Wrong, _timeline: Timeline) -> str:
    error = found.step.error if found.step is not None else ""
    return f"no step tells: nothing failed for good before the end, which says {short(error, LONGEST_VERDICT)}"


def _no_end(_found: Wrong, _timeline: Timeline) -> str:
    return "it has no end: it is still running, or it died between two steps; nothing failed for good, nothing is open"


def _unknown(_found: Wrong, timeline: Timeline) -> str:
    how = f"it ended as {timeline.outcome}, and " if timeline.outcome != "failed" else "it failed, and "
    return f"can't be named: {how}no step says why: nothing failed for good, goes in circles or is still open"


def _nothing(found: Wrong, _timeline: Timeline) -> str:
    on_the_way = f"; {counted(len(found.failures), 'call')} failed on the way" if found.failures else ""
    return f"nothing: it succeeded{on_the_way}"


_VERDICTS: dict[Kind, Callable[[Wrong, Timeline], str]] = {
    Kind.NOTHING: _nothing,
    Kind.LOOP: _loop,
    Kind.ERROR: _error,
    Kind.OPEN_CALL: _open,
    Kind.NEVER_MADE_GOOD: _never_made_good,
    Kind.HANDED_OVER: _handed_over,
    Kind.NO_ACTION: _no_action,
    Kind.LONG_RUN: _long_run,
    Kind.END: _end,
    Kind.NO_END: _no_end,
    Kind.UNKNOWN: _unknown,
}


def _name(error: object) -> str:
    """An error in a few words; where it begins with "Error:", what stands behind that."""
    name = error_name(error)
    return short(without_prefix(error) if _SAYS_NOTHING.fullmatch(name) else name)


def without_prefix(error: object) -> str:
    """An error as text, without the "Error:" that it may begin with."""
    return _SAYS_NOTHING.sub("", shown(error).lstrip(), count=1)


def short(said: object, most: int = LONGEST_ERROR) -> str:
    """A value on one line, in at most so many characters."""
    text = " ".join(shown(said)[: most * 4].split())
    return text if len(text) <= most else text[: most - 3].rstrip() + "..."
