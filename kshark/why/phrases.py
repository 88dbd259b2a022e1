"""What `kshark why` says, in words, whatever it is then written as. Pure; the text is as recorded."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from statistics import median

from agentlog.analysis.causality import CauseGraph, Link, Tie
from agentlog.analysis.failures import Loop, get_error, is_action, is_failure
from agentlog.formatting import format_count, format_dollars, format_duration
from agentlog.session.timeline import Step, Timeline
from agentlog.text.step_text import (
    CallRun,
    describe_run,
    format_headline,
    format_payload_value,
    get_step_word,
    shorten_error,
)

from .consequences import Consequences
from .diagnosis import Diagnosis, DiagnosisKind

MAX_FAILURES_NAMED = 5
MAX_ERROR_LENGTH = 60
MAX_STEP_LENGTH = 160
MAX_DIAGNOSIS_LENGTH = 400
_GENERIC_PREFIX = re.compile(r"^(?:error|exception|failed|fatal)\b[\s:]*", re.I)


def describe_diagnosis(diagnosis: Diagnosis, timeline: Timeline) -> str:
    """Where a session went wrong, in a sentence."""
    return _DESCRIPTIONS[diagnosis.kind](diagnosis, timeline)


def describe_evidence(
    diagnosis: Diagnosis, consequences: Consequences | None, causes: CauseGraph
) -> Iterator[tuple[str, str]]:
    """What shows it: a name and a text each."""
    if diagnosis.step is not None and diagnosis.kind not in (DiagnosisKind.NOTHING, DiagnosisKind.UNKNOWN):
        yield "at", name_step(diagnosis.step, causes)
    if diagnosis.decision is not None and diagnosis.decision is not diagnosis.step:
        yield "after", name_step(diagnosis.decision, causes)
    if len(diagnosis.evidence) > 1:
        yield "steps", format_ranges([causes.step_numbers[step] for step in diagnosis.evidence])
    if diagnosis.failures:
        more = (
            f", {len(diagnosis.failures) - MAX_FAILURES_NAMED:,} more"
            if len(diagnosis.failures) > MAX_FAILURES_NAMED
            else ""
        )
        yield "failed", ", ".join(name_failure(step, causes) for step in diagnosis.failures[:MAX_FAILURES_NAMED]) + more
    if consequences is not None and consequences.step_count and diagnosis.is_sure:
        yield "then", describe_rest(consequences)


def describe_rest(consequences: Consequences) -> str:
    """What came after a step, up to the end; empty where nothing did."""
    if not consequences.step_count:
        return ""
    spent = (
        f", {format_dollars(consequences.cost_usd)} of {format_dollars(consequences.total_usd)}"
        if consequences.cost_usd
        else ""
    )
    end = (
        f"; {shorten(format_headline(consequences.end), MAX_DIAGNOSIS_LENGTH)}" if consequences.end is not None else ""
    )
    return f"{format_count(consequences.step_count, 'further step')}, {format_duration(consequences.duration_us)}{spent}{end}"


def describe_retries(consequences: Consequences) -> str:
    """How often a failed call was tried again, and whether that helped; empty where it wasn't."""
    if not consequences.retries:
        return ""
    has_succeeded = not is_failure(consequences.retries[-1])
    said = f"tried again {format_count(len(consequences.retries), 'time')}"
    return f"{said}, the last succeeded" if has_succeeded else f"{said}, none succeeded"


def describe_sub_agent_result(consequences: Consequences, causes: CauseGraph) -> str:
    """What a sub-agent came back with; empty where the step called none."""
    if consequences.sub_agent_lane is None:
        return ""
    result = consequences.sub_agent_lane.result
    agent = consequences.sub_agent_lane.agent_id
    return f"{agent} came back: {name_step(result, causes)}" if result is not None else f"{agent} never came back"


def name_step(step: Step, causes: CauseGraph) -> str:
    """A step in a line: its number, its word, what it is."""
    said = shorten(format_headline(step), MAX_STEP_LENGTH)
    return f"step {causes.step_numbers[step]}, {get_step_word(step)}: {said}  ({step.event.event_id})"


def name_failure(step: Step, causes: CauseGraph) -> str:
    """A failed step in a few words."""
    return f"{causes.step_numbers[step]} {step.label or get_step_word(step)}: {shorten(strip_error_prefix(get_error(step)))}"


def explain_order(link: Link) -> str:
    """Why a step stands where it does in a chain, where no parent says so; empty where one does."""
    if link.tie is not Tie.SEQUENCE:
        return ""
    if link.lost is not None:
        return f"the step before it in its lane; the parent that it names, {link.lost}, isn't there"
    return "the step before it in its lane; it names no parent"


def format_ranges(numbers: Sequence[int]) -> str:
    """Numbers in order, those in a row as a range: ``10, 13 to 175``."""
    spans: list[list[int]] = []
    for each in numbers:
        if spans and each == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], each]
        else:
            spans.append([each])
    return ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]} to {span[1]}" for span in spans)


def _describe_loop(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    loop = diagnosis.loop
    if loop is None:
        raise TypeError("a loop without its calls")
    return _describe_failing_loop(loop) if loop.is_failing else _describe_circular_loop(loop)


def _describe_failing_loop(loop: Loop) -> str:
    first = loop.calls[0]
    names = Counter(_name_error(get_error(step)) for step in loop.calls)
    errors = ", ".join(name if len(names) == 1 else f"{name} {count}" for name, count in names.most_common(3))
    tries = f" of {len(loop.calls) + loop.successes_between:,}" if loop.successes_between else ""
    gaps = [later.began - earlier.began for earlier, later in pairwise(loop.calls)]
    pace = f"every {format_duration(round(median(gaps)))} for {format_duration(loop.calls[-1].recorded - first.began)}"
    never = "" if loop.is_overcome else ", and never succeeded after"
    return f"a loop: {first.label or get_step_word(first)} failed {len(loop.calls):,}{tries} times: {errors}; {pace}{never}"


def _describe_circular_loop(loop: Loop) -> str:
    rounds = len(loop.calls) // loop.group_size
    names = ", ".join(call.label or get_step_word(call) for call in loop.calls[: loop.group_size])
    lasted = format_duration(loop.calls[-1].recorded - loop.calls[0].began)
    return f"a loop: {names}, {rounds:,} rounds with the same input and the same answer, for {lasted}"


def _describe_error(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    step = diagnosis.step
    if step is None:
        raise TypeError("an error without its step")
    others = len(diagnosis.evidence) - 1
    more = f", and {format_count(others, 'failure')} more" if others else ""
    said = shorten(strip_error_prefix(get_error(step)), MAX_DIAGNOSIS_LENGTH)
    return f"{step.label or get_step_word(step)} failed: {said}{more}; nothing succeeded after it"


def _describe_unrecovered_failure(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    step = diagnosis.step
    if step is None:
        raise TypeError("an error without its step")
    said = shorten(strip_error_prefix(get_error(step)), MAX_DIAGNOSIS_LENGTH)
    return f"perhaps that {step.label or get_step_word(step)} failed and was never made good, though other calls succeeded: {said}"


def _describe_open_calls(diagnosis: Diagnosis, timeline: Timeline) -> str:
    names = ", ".join(step.label or get_step_word(step) for step in diagnosis.evidence)
    died = "it is still running, or the process died in it" if timeline.outcome is None else "the session ended in it"
    return f"{names} never came back: {died}"


def _describe_handover(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    name = diagnosis.step.label if diagnosis.step is not None else ""
    return f"no call failed: it ended early, by handing over ({name})"


def _describe_no_action(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    said = format_count(len(diagnosis.evidence), "message")
    return f"it only talked: {said} of the agent, and no tool, search or sub-agent was ever called"


def _describe_long_run(diagnosis: Diagnosis, timeline: Timeline) -> str:
    first, *others = diagnosis.evidence
    acts = sum(map(is_action, timeline.steps))
    return f"no call failed, but most went into one: {describe_run(CallRun(first, others))}, of {format_count(acts, 'call')}"


def _describe_end(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    error = diagnosis.step.error if diagnosis.step is not None else ""
    return f"no step tells: nothing failed for good before the end, which says {shorten(error, MAX_DIAGNOSIS_LENGTH)}"


def _describe_missing_end(_diagnosis: Diagnosis, _timeline: Timeline) -> str:
    return "it has no end: it is still running, or it died between two steps; nothing failed for good, nothing is open"


def _describe_unknown(_diagnosis: Diagnosis, timeline: Timeline) -> str:
    outcome_text = f"it ended as {timeline.outcome}, and " if timeline.outcome != "failed" else "it failed, and "
    return f"can't be named: {outcome_text}no step says why: nothing failed for good, goes in circles or is still open"


def _describe_success(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    on_the_way = f"; {format_count(len(diagnosis.failures), 'call')} failed on the way" if diagnosis.failures else ""
    return f"nothing: it succeeded{on_the_way}"


_DESCRIPTIONS: dict[DiagnosisKind, Callable[[Diagnosis, Timeline], str]] = {
    DiagnosisKind.NOTHING: _describe_success,
    DiagnosisKind.LOOP: _describe_loop,
    DiagnosisKind.ERROR: _describe_error,
    DiagnosisKind.OPEN_CALL: _describe_open_calls,
    DiagnosisKind.NEVER_MADE_GOOD: _describe_unrecovered_failure,
    DiagnosisKind.HANDED_OVER: _describe_handover,
    DiagnosisKind.NO_ACTION: _describe_no_action,
    DiagnosisKind.LONG_RUN: _describe_long_run,
    DiagnosisKind.END: _describe_end,
    DiagnosisKind.NO_END: _describe_missing_end,
    DiagnosisKind.UNKNOWN: _describe_unknown,
}


def _name_error(error: object) -> str:
    """An error in a few words; where it begins with "Error:", what stands behind that."""
    name = shorten_error(error)
    return shorten(strip_error_prefix(error) if _GENERIC_PREFIX.fullmatch(name) else name)


def strip_error_prefix(error: object) -> str:
    """An error as text, without the "Error:" that it may begin with."""
    return _GENERIC_PREFIX.sub("", format_payload_value(error).lstrip(), count=1)


def shorten(value: object, max_length: int = MAX_ERROR_LENGTH) -> str:
    """A value on one line, in at most so many characters."""
    text = " ".join(format_payload_value(value)[: max_length * 4].split())
    return text if len(text) <= max_length else text[: max_length - 3].rstrip() + "..."
