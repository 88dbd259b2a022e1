"""The sentences of `kshark why`, for text, Markdown and JSON; recorded text isn't escaped yet. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from agentlog.analysis.causality import CauseGraph, Link, Tie
from agentlog.analysis.failures import get_error, is_action, is_failure
from agentlog.analysis.loops import Loop
from agentlog.formatting import format_count, format_dollars, format_duration
from agentlog.session.timeline import Step, Timeline
from agentlog.text.pace import describe_pace
from agentlog.text.step_text import (
    CallRun,
    describe_run,
    format_headline,
    format_payload_value,
    get_step_name,
    get_step_word,
    shorten_error,
    strip_error_prefix,
)

from .consequences import Consequences
from .diagnosis.candidates import Candidate, CandidateKind
from .diagnosis.diagnosis import Diagnosis, DiagnosisKind, Doubt
from .diagnosis.ending import find_end_error
from .diagnosis.finish import CUT_FINISHES, WAITING_FINISHES, get_finish, is_cut

MAX_FAILURES_NAMED = 5
MAX_ERROR_LENGTH = 60
MAX_STEP_LENGTH = 160
MAX_COMMAND_LENGTH = 40
MAX_DIAGNOSIS_LENGTH = 400
_CANDIDATE_REASONS = {
    CandidateKind.LOOP: "the same again and again",
    CandidateKind.OPEN_CALL: "not ended",
    CandidateKind.ERROR: "failed, and nothing succeeded after it",
    CandidateKind.CUT_OFF: "the answer isn't whole",
    CandidateKind.WAITING: "it waits",
    CandidateKind.NEVER_MADE_GOOD: "failed, and no later call like it succeeded",
    CandidateKind.DECISION: "it led to a call that failed",
    CandidateKind.NAMED_BY_END: "the end names it",
    CandidateKind.CANCELLED: "it was cancelled, which is no failure of its own",
    CandidateKind.HANDED_OVER: "it handed over to a person",
    CandidateKind.LONG_RUN: "most calls went into it",
    CandidateKind.OBJECTION: "the user isn't content, and spoke last",
    CandidateKind.FOUND_NOTHING: "it found nothing",
    CandidateKind.LOW_CONFIDENCE: "the decision of least confidence",
    CandidateKind.FIRST_CALL: "the first call, on which later ones rest",
    CandidateKind.LAST_CALL: "the last call before the end",
    CandidateKind.FIRST_ANSWER: "an agent's first answer, on which others rest",
    CandidateKind.LAST_ANSWER: "the last answer",
    CandidateKind.CONTRADICTION: "it says succeeded, and also what went wrong",
}
_KINDS_OF_ABSENCE = frozenset(
    {
        DiagnosisKind.HANDED_OVER,
        DiagnosisKind.LONG_RUN,
        DiagnosisKind.NO_END,
        DiagnosisKind.END,
        DiagnosisKind.UNKNOWN,
    }
)
"""The kinds that say that nothing failed."""
_DOUBTS = {
    Doubt.WENT_ON: "the session went on after it",
    Doubt.VARIED: "its calls differ, and so do their errors",
    Doubt.ANSWERED: "the session ended with an answer of its own",
    Doubt.OTHER_END: "the end speaks of something else",
    Doubt.LIMIT: "the session ended at a limit",
    Doubt.CHECK: "it may only be the answer to a check",
    Doubt.CANCELLED: "the session was cancelled",
    Doubt.NO_END: "the session has no end",
    Doubt.BOUNDED: "the session isn't ended by --to",
}
_CHANGE_OF_FOLDER = re.compile(r"^\s*cd\s+\S+\s*(?:&&|;)\s*")


def describe_diagnosis(diagnosis: Diagnosis, timeline: Timeline) -> str:
    """Return a sentence that says where a session went wrong."""
    sentence = _DESCRIPTIONS[diagnosis.kind](diagnosis, timeline)
    is_cut = diagnosis.is_beginning_cut and diagnosis.kind in _KINDS_OF_ABSENCE
    return f"{sentence}; its beginning wasn't read" if is_cut else sentence


def describe_evidence(
    diagnosis: Diagnosis, consequences: Consequences | None, causes: CauseGraph
) -> Iterator[tuple[str, str]]:
    """Yield what supports a diagnosis: pairs of a name and a text."""
    if diagnosis.step is not None and diagnosis.kind not in (DiagnosisKind.NOTHING, DiagnosisKind.UNKNOWN):
        yield "at", name_step(diagnosis.step, causes)
    if diagnosis.decision is not None and diagnosis.decision is not diagnosis.step:
        yield "after", name_step(diagnosis.decision, causes)
    if len(diagnosis.evidence) > 1:
        yield "steps", format_ranges([causes.step_numbers[step] for step in diagnosis.evidence])
    if diagnosis.failures:
        hidden_count = len(diagnosis.failures) - MAX_FAILURES_NAMED
        more = f", {hidden_count:,} more" if hidden_count > 0 else ""
        yield "failed", ", ".join(name_failure(step, causes) for step in diagnosis.failures[:MAX_FAILURES_NAMED]) + more
    if consequences is not None and consequences.step_count and diagnosis.is_sure:
        yield "then", describe_rest(consequences)
    named = {diagnosis.step, diagnosis.decision, *diagnosis.failures}
    others = [each for each in diagnosis.candidates if each.step not in named]
    name = "or" if len(others) < len(diagnosis.candidates) else "perhaps"
    for candidate in others:
        yield name, f"{name_step(candidate.step, causes)}: {describe_candidate(candidate)}"


def describe_candidate(candidate: Candidate) -> str:
    """Return the reason for a candidate."""
    step, reason = candidate.step, _CANDIDATE_REASONS[candidate.kind]
    match candidate.kind:
        case CandidateKind.ERROR | CandidateKind.NEVER_MADE_GOOD:
            return f"{reason}: {shorten(strip_error_prefix(get_error(step)), MAX_STEP_LENGTH)}"
        case CandidateKind.LOW_CONFIDENCE:
            return f"{reason}: {step.event.context.get('confidence')}"
        case CandidateKind.CUT_OFF | CandidateKind.WAITING:
            return f"it {describe_finish(step)}"
    return reason


def describe_finish(step: Step) -> str:
    """Return how an answer or a call ended that isn't whole or waits, as the end of a sentence."""
    return (CUT_FINISHES | WAITING_FINISHES)[get_finish(step)]


def describe_rest(consequences: Consequences) -> str:
    """Return what came after a step, up to the session's end; empty if nothing came."""
    if not consequences.step_count:
        return ""
    rest = f"{format_count(consequences.step_count, 'further step')}, {format_duration(consequences.duration_us)}"
    if consequences.cost_usd and consequences.total_usd is not None:
        rest += f", {format_dollars(consequences.cost_usd)} of {format_dollars(consequences.total_usd)}"
    if consequences.end is not None:
        rest += f"; {shorten(format_headline(consequences.end), MAX_DIAGNOSIS_LENGTH)}"
    return rest


def describe_retries(consequences: Consequences, diagnosis: Diagnosis | None) -> str:
    """Return how often a failed call was retried and whether that helped; empty if nothing or a loop tells of it."""
    if not consequences.retries or (diagnosis is not None and diagnosis.loop is not None):
        return ""
    has_succeeded = not is_failure(consequences.retries[-1])
    retries = f"tried again {format_count(len(consequences.retries), 'time')}"
    return f"{retries}, the last succeeded" if has_succeeded else f"{retries}, none succeeded"


def describe_sub_agent_result(consequences: Consequences, causes: CauseGraph) -> str:
    """Return what a sub-agent came back with; empty if the step called no sub-agent."""
    if consequences.sub_agent_lane is None:
        return ""
    result = consequences.sub_agent_lane.result
    agent = consequences.sub_agent_lane.agent_id
    if result is not None:
        return f"{agent} came back: {name_step(result, causes)}"
    return f"{agent} hasn't come back" if consequences.end is None else f"{agent} never came back"


def name_step(step: Step, causes: CauseGraph) -> str:
    """Return a step in a line: its number, its word, its headline and its ``event_id``."""
    headline = shorten(format_headline(step), MAX_STEP_LENGTH)
    return f"step {causes.step_numbers[step]}, {get_step_word(step)}: {headline}  ({step.event.event_id})"


def name_failure(step: Step, causes: CauseGraph) -> str:
    """Return a failed step in a few words: its number, its name and its error."""
    return f"{causes.step_numbers[step]} {name_call(step)}: {shorten(strip_error_prefix(get_error(step)))}"


def name_call(step: Step) -> str:
    """Return a call's name, and of a shell the command too, because its name alone says nothing."""
    name = get_step_name(step)
    given = step.event.payload.get("input")
    command = given.get("command", given.get("cmd")) if isinstance(given, dict) else None
    if not isinstance(command, str) or not command:
        return name
    return f"{name} ({shorten(_CHANGE_OF_FOLDER.sub('', command), MAX_COMMAND_LENGTH)})"


def explain_order(link: Link) -> str:
    """Return why a step without a parent stands where it does in a chain; empty if it has a parent."""
    if link.tie is not Tie.SEQUENCE:
        return ""
    if link.lost is not None:
        return f"the step before it in its lane; the parent that it names, {link.lost}, isn't there"
    return "the step before it in its lane; it names no parent"


def format_ranges(numbers: Sequence[int]) -> str:
    """Return numbers in order as text, consecutive ones as a range: ``10, 13 to 175``."""
    spans: list[list[int]] = []
    for each in numbers:
        if spans and each == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], each]
        else:
            spans.append([each])
    return ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]} to {span[1]}" for span in spans)


def _hedge(diagnosis: Diagnosis, sentence: str) -> str:
    """Return a sentence as what is known, or as what may be, with the doubt."""
    if diagnosis.doubt in _DOUBTS:
        return f"perhaps {sentence}, but {_DOUBTS[diagnosis.doubt]}"
    return sentence


def _describe_loop(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    loop = diagnosis.loop
    if loop is None:
        raise TypeError("a loop without its calls")
    return _hedge(diagnosis, _describe_failing_loop(loop) if loop.is_failing else _describe_circular_loop(loop))


def _describe_failing_loop(loop: Loop) -> str:
    first = loop.calls[0]
    names = Counter(_name_error(get_error(step)) for step in loop.calls)
    errors = ", ".join(name if len(names) == 1 else f"{name} {count}" for name, count in names.most_common(3))
    tries = f" of {len(loop.calls) + loop.successes_between:,}" if loop.successes_between else ""
    never = "" if loop.is_overcome else ", and never succeeded after"
    pace, lasted = describe_pace(loop.calls), format_duration(loop.calls[-1].recorded - first.began)
    pace = f"{pace} for {lasted}" if pace else f"in {lasted}"
    name = get_step_name(first)
    return f"a loop: {name} failed {len(loop.calls):,}{tries} times: {errors}; {pace}{never}"


def _describe_circular_loop(loop: Loop) -> str:
    rounds = len(loop.calls) // loop.group_size
    names = ", ".join(get_step_name(call) for call in loop.calls[: loop.group_size])
    lasted = format_duration(loop.calls[-1].recorded - loop.calls[0].began)
    return f"a loop: {names}, {rounds:,} rounds with the same input and the same answer, for {lasted}"


def _describe_error(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    step = diagnosis.step
    if step is None:
        raise TypeError("an error without its step")
    others = len(diagnosis.evidence) - 1
    more = f", and {format_count(others, 'failure')} more" if others else ""
    error = shorten(strip_error_prefix(get_error(step)), MAX_DIAGNOSIS_LENGTH)
    ground = "the end speaks of it" if diagnosis.is_told else "nothing succeeded after it"
    if diagnosis.doubt is Doubt.WENT_ON:
        return _hedge(diagnosis, f"{name_call(step)} failed: {error}{more}")
    return _hedge(diagnosis, f"{name_call(step)} failed: {error}{more}; {ground}")


def _describe_unrecovered_failure(diagnosis: Diagnosis, timeline: Timeline) -> str:
    step = diagnosis.step
    if step is None:
        raise TypeError("an error without its step")
    name, error = name_call(step), shorten(strip_error_prefix(get_error(step)), MAX_DIAGNOSIS_LENGTH)
    by_then = " by --to" if diagnosis.doubt is Doubt.BOUNDED else " so far" if timeline.outcome is None else ""
    return f"perhaps that {name} failed and was never made good{by_then}, though other calls succeeded: {error}"


def _describe_open_calls(diagnosis: Diagnosis, timeline: Timeline) -> str:
    names = ", ".join(map(get_step_name, diagnosis.evidence))
    is_one = len(diagnosis.evidence) == 1
    if diagnosis.doubt is Doubt.BOUNDED:
        return f"nothing is sure yet: {names} {'is' if is_one else 'are'}n't ended by --to"
    if timeline.outcome is None:
        return f"{names} {'has' if is_one else 'have'}n't come back: still running, or the process died meanwhile"
    if diagnosis.doubt is Doubt.CANCELLED:
        return f"it was cancelled while {names} ran"
    if diagnosis.doubt is not None:
        return _hedge(diagnosis, f"{names} never came back")
    return f"{names} never came back: the session ended in it"


def _describe_cut_answer(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    step = diagnosis.step
    if step is None:
        raise TypeError("an answer without its step")
    ground = "the end speaks of it" if diagnosis.is_told else "nothing was done after it"
    sentence = f"the last answer of {get_step_name(step)} {describe_finish(step)}; {ground}"
    return _hedge(diagnosis, sentence) if diagnosis.doubt is not Doubt.HINT else f"perhaps {sentence}"


def _describe_waiting_call(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    step = diagnosis.step
    if step is None:
        raise TypeError("a call that waits without its step")
    return f"it has no end: {name_call(step)} {describe_finish(step)}"


def _describe_handover(diagnosis: Diagnosis, timeline: Timeline) -> str:
    name = diagnosis.step.label if diagnosis.step is not None else ""
    return f"{'' if _has_failed_call(timeline) else 'no call failed: '}it ended early, by handing over ({name})"


def _describe_no_action(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    messages = format_count(len(diagnosis.evidence), "message")
    return f"it only talked: {messages} of the agent, and no tool, search or sub-agent was ever called"


def _describe_long_run(diagnosis: Diagnosis, timeline: Timeline) -> str:
    first, *others = diagnosis.evidence
    calls = format_count(sum(map(is_action, timeline.steps)), "call")
    nothing_failed = "" if _has_failed_call(timeline) else "no call failed, but "
    return f"{nothing_failed}most went into one: {describe_run(CallRun(first, others))}, of {calls}"


def _has_failed_call(timeline: Timeline) -> bool:
    return any(is_failure(step) and step.kind != "error" for step in timeline.steps)


def _describe_end(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    error = shorten(diagnosis.step.error if diagnosis.step is not None else "", MAX_DIAGNOSIS_LENGTH)
    return f"no step shows the cause: nothing failed for good before the end, which says {error}"


def _describe_missing_end(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    if diagnosis.doubt is Doubt.BOUNDED:
        return "it isn't ended by --to; nothing failed for good until then, nothing is open"
    return "it has no end: it is still running, or it died between two steps; nothing failed for good, nothing is open"


def _describe_unknown(_diagnosis: Diagnosis, timeline: Timeline) -> str:
    outcome = f"ended as {timeline.outcome}" if timeline.outcome != "failed" else "failed"
    return f"unknown: it {outcome}, and no step shows why: no call failed for good, no loop, no open call"


def _describe_success(diagnosis: Diagnosis, _timeline: Timeline) -> str:
    on_the_way = f"; {format_count(len(diagnosis.failures), 'call')} failed on the way" if diagnosis.failures else ""
    if not diagnosis.evidence:
        return f"nothing: it succeeded{on_the_way}"
    rest = on_the_way if len(diagnosis.failures) > 1 else ""
    return f"it succeeded by its own word, but {'; '.join(_list_contradictions(diagnosis.evidence))}{rest}"


def _list_contradictions(evidence: Sequence[Step]) -> Iterator[str]:
    """Yield what speaks against a success: calls that failed or never ended, errors, and the end's own words."""
    calls = [step for step in evidence if is_failure(step) and step.kind != "error"]
    if calls:
        error = shorten(strip_error_prefix(get_error(calls[-1])), MAX_STEP_LENGTH)
        yield f"{_name_calls(calls)} never went through: {error}"
    if open_calls := [step for step in evidence if step.is_open]:
        yield f"{_name_calls(open_calls)} never came back"
    if cut := [step for step in evidence if is_cut(step)]:
        yield f"the last answer of {get_step_name(cut[-1])} {describe_finish(cut[-1])}"
    if errors := [step for step in evidence if step.kind == "error"]:
        yield f"no call succeeded after the error {shorten(strip_error_prefix(errors[-1].error), MAX_STEP_LENGTH)}"
    for step in evidence:
        if step.kind == "session_end":
            yield f"its end says: {shorten(find_end_error(step), MAX_STEP_LENGTH)}"


def _name_calls(calls: Sequence[Step]) -> str:
    names = list(dict.fromkeys(map(name_call, reversed(calls))))
    more = f" and {format_count(len(names) - 3, 'call')} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


_DESCRIPTIONS: dict[DiagnosisKind, Callable[[Diagnosis, Timeline], str]] = {
    DiagnosisKind.NOTHING: _describe_success,
    DiagnosisKind.LOOP: _describe_loop,
    DiagnosisKind.ERROR: _describe_error,
    DiagnosisKind.OPEN_CALL: _describe_open_calls,
    DiagnosisKind.NEVER_MADE_GOOD: _describe_unrecovered_failure,
    DiagnosisKind.CUT_OFF: _describe_cut_answer,
    DiagnosisKind.WAITING: _describe_waiting_call,
    DiagnosisKind.HANDED_OVER: _describe_handover,
    DiagnosisKind.NO_ACTION: _describe_no_action,
    DiagnosisKind.LONG_RUN: _describe_long_run,
    DiagnosisKind.END: _describe_end,
    DiagnosisKind.NO_END: _describe_missing_end,
    DiagnosisKind.UNKNOWN: _describe_unknown,
}


def _name_error(error: object) -> str:
    """Return an error in a few words; if it is only "Error:", the text behind that."""
    name = shorten_error(error)
    return shorten(strip_error_prefix(name) or name)


def shorten(value: object, max_length: int = MAX_ERROR_LENGTH) -> str:
    """Return a value on one line of at most ``max_length`` characters."""
    text = " ".join(format_payload_value(value)[: max_length * 4].split())
    return text if len(text) <= max_length else text[: max_length - 3].rstrip() + "..."
