"""The rules that find where a session went wrong, without a language model. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from agentlog.analysis.call_outcome import is_handover
from agentlog.analysis.causality import CauseGraph, is_reason
from agentlog.analysis.failures import (
    find_trailing_failures,
    find_unrecovered,
    get_error,
    group_by_lane,
    has_gone_wrong,
    has_like_input,
    is_action,
    is_after,
    is_failure,
    is_retry,
    is_success,
)
from agentlog.analysis.loops import Loop, find_loops, is_wait
from agentlog.session.timeline import Lane, Step, Timeline
from agentlog.text.step_text import CallRun, fold_runs, format_payload_value

from .candidates import MAX_CANDIDATES, Candidate, CandidateKind, list_candidates
from .checks import is_check
from .diagnosis import Diagnosis, DiagnosisKind, Doubt
from .ending import (
    Ending,
    admits,
    count_names,
    find_answer,
    find_end_error,
    find_last_errors,
    get_said,
    read_ending,
    speaks_of,
)
from .finish import find_cut_answer, find_waiting_call, has_answered_before, speaks_of_finish
from .window import WHOLE, Window

MAX_COMPARED = 1_000
"""The most failures that are compared with what the end says."""


@dataclass(frozen=True, slots=True)
class _Session:
    """All that the rules look at.

    Attributes:
        lane_steps: the steps of the session's own lane.
        places: the place of each ended action among those of its lane.
        action_counts: the number of ended actions of each lane.
        unrecovered: the failed calls that no later call of their like made good.
        last_answer: the last thing that an agent or a model said, or None.
    """

    timeline: Timeline
    causes: CauseGraph
    window: Window
    lanes: dict[Lane, list[Step]]
    lane_steps: list[Step]
    ending: Ending
    loops: list[Loop]
    places: dict[Step, int]
    action_counts: Counter[Lane]
    unrecovered: list[Step]
    last_answer: Step | None

    @property
    def doubt(self) -> Doubt | None:
        """The doubt about all that is said of a session which may not have gone wrong, or not by itself."""
        if self.timeline.outcome is None:
            return Doubt.BOUNDED if self.window.is_end_cut else Doubt.NO_END
        return Doubt.CANCELLED if self.timeline.outcome == "cancelled" else None


def diagnose(timeline: Timeline, causes: CauseGraph, window: Window = WHOLE) -> Diagnosis:
    """Return the first diagnosis that is sure, else the first whose rule applies, with all candidates.

    The rules that explain most come first.
    """
    session = _prepare(timeline, causes, window)
    if timeline.outcome == "succeeded":
        return _diagnose_success(session)
    findings = [each for each in _find_all(session) if each is not None]
    best = next((each for each in findings if each.is_sure), findings[0])
    if best.is_sure:
        return best
    candidates = _list_candidates(best, findings, session)
    return replace(best, is_beginning_cut=window.is_beginning_cut, candidates=candidates)


def _prepare(timeline: Timeline, causes: CauseGraph, window: Window) -> _Session:
    lanes = group_by_lane(timeline.steps)
    lane_steps = lanes.get(timeline.lanes[0], [])
    places: dict[Step, int] = {}
    action_counts: Counter[Lane] = Counter()
    for step in timeline.steps:
        if is_action(step) and not step.is_open:
            places[step] = action_counts[step.lane]
            action_counts[step.lane] += 1
    return _Session(
        timeline,
        causes,
        window,
        lanes,
        lane_steps,
        read_ending(lane_steps),
        find_loops(lanes),
        places,
        action_counts,
        [step for step in find_unrecovered(timeline.steps) if not is_check(step)],
        next((step for step in reversed(lane_steps) if step.kind != "user_message" and get_said(step)), None),
    )


def _diagnose_success(session: _Session) -> Diagnosis:
    steps = session.timeline.steps
    contradictions = [
        *(Candidate(CandidateKind.NEVER_MADE_GOOD, step) for step in reversed(session.unrecovered)),
        *(Candidate(CandidateKind.OPEN_CALL, step) for step in steps if step.is_open),
        *(Candidate(CandidateKind.ERROR, step) for step in find_last_errors(session.lane_steps)),
        *(
            Candidate(CandidateKind.CUT_OFF, step)
            for step in (find_cut_answer(session.lane_steps),)
            if step is not None and not has_answered_before(session.lane_steps, step)
        ),
        *(
            Candidate(CandidateKind.CONTRADICTION, step)
            for step in (session.ending.end,)
            if step and find_end_error(step)
        ),
    ]
    return Diagnosis(
        DiagnosisKind.NOTHING,
        failures=[step for step in steps if has_gone_wrong(step)],
        evidence=sorted({each.step for each in contradictions}, key=lambda step: step.number),
        doubt=Doubt.SWALLOWED if contradictions else None,
        candidates=contradictions[:MAX_CANDIDATES],
    )


def _list_candidates(best: Diagnosis, findings: Sequence[Diagnosis], session: _Session) -> list[Candidate]:
    """Return what the rules found, then the failures that were never made good: the last, the first, all others."""
    kinds = {kind.value: kind for kind in CandidateKind}
    found = [
        Candidate(kinds[each.kind], each.step)
        for each in (best, *findings)
        if each.kind in kinds and each.step is not None
    ]
    unrecovered = session.unrecovered
    found += [Candidate(CandidateKind.NEVER_MADE_GOOD, step) for step in (*unrecovered[-1:], *unrecovered[:1])]
    found += [Candidate(CandidateKind.NEVER_MADE_GOOD, step) for step in unrecovered[:-MAX_CANDIDATES:-1]]
    loops = [each.loop for each in findings if each.loop is not None]
    repeated = {step for loop in loops for step in loop.calls if has_like_input(step, loop.calls[-1])}
    found = [each for each in found if each.kind != CandidateKind.NEVER_MADE_GOOD or each.step not in repeated]
    return list_candidates(found, session.timeline, session.ending, session.causes)


def _find_all(session: _Session) -> Iterator[Diagnosis | None]:
    timeline, open_loops = session.timeline, [loop for loop in session.loops if not loop.is_overcome]
    if session.ending.has_hit_limit or timeline.outcome == "cancelled":
        yield _diagnose_loop((loop for loop in open_loops if _is_substantial(loop, timeline)), session)
    elif timeline.outcome is None:
        yield _diagnose_loop((loop for loop in open_loops if _is_last_in_lane(loop, session)), session)
    yield _diagnose_cut_answer(session)
    yield _diagnose_told_failure(session)
    yield _diagnose_open_calls(session)
    if timeline.outcome is None:
        yield _diagnose_waiting_call(session)
    yield _diagnose_final_failures(session)
    yield _diagnose_loop((loop for loop in open_loops if loop.is_failing or _is_unfinished(loop, session)), session)
    yield _diagnose_handover(session)
    if session.ending.has_hit_limit:
        yield _diagnose_long_run(session)
    yield _diagnose_unrecovered_failure(session)
    yield _diagnose_lost_calls(session)
    yield _diagnose_by_end(session)


def _is_substantial(loop: Loop, timeline: Timeline) -> bool:
    """Return whether a loop took a good part of the session: a twentieth of its actions, or a tenth of its time."""
    act_count = sum(map(is_action, timeline.steps))
    duration_us = loop.calls[-1].recorded - loop.calls[0].began
    return len(loop.calls) * 20 >= act_count or duration_us * 10 >= timeline.ended - timeline.began


def _is_last_in_lane(loop: Loop, session: _Session) -> bool:
    """Return whether a loop has the last actions of its lane."""
    last = loop.calls[-1]
    return session.places.get(last) == session.action_counts[last.lane] - 1


def _is_unfinished(loop: Loop, session: _Session) -> bool:
    """Return whether a loop was still going on when its lane stopped: fewer actions follow than lay between rounds."""
    last = loop.calls[-1]
    rounds = [session.places[step] for step in loop.calls if step in session.places]
    if not rounds:  # calls of a model, which are no actions
        return not _has_progress_after(last, session)
    longest_gap = max((later - earlier for earlier, later in pairwise(rounds)), default=1)
    has_stopped = session.action_counts[last.lane] - 1 - rounds[-1] >= longest_gap
    return not has_stopped and not _has_progress_after(last, session, last.lane)


def _has_progress_after(failure: Step, session: _Session, lane: Lane | None = None) -> bool:
    """Return whether a call succeeded after a failure, in the session's own lane or one that isn't ``lane``."""
    return any(
        is_after(step, failure) and step.lane is not lane and is_success(step)
        for step in session.timeline.steps[failure.number :]
        if is_action(step) or step.kind == "delegation_result"
    )


def _diagnose_loop(loops: Iterable[Loop], session: _Session) -> Diagnosis | None:
    """Diagnose the first of some loops, which is the largest."""
    loop, causes = next(iter(loops), None), session.causes
    if loop is None:
        return None
    first, decision = loop.calls[0], _find_loop_reason(loop, causes)
    is_decided_in_loop = decision is not None and causes.step_numbers[decision] > causes.step_numbers[first]
    doubt, is_told = _doubt_loop(loop, session)
    return Diagnosis(
        DiagnosisKind.LOOP,
        decision if is_decided_in_loop else first,
        decision,
        loop.calls,
        loop,
        doubt=doubt,
        is_told=is_told,
    )


def _doubt_loop(loop: Loop, session: _Session) -> tuple[Doubt | None, bool]:
    """Return why a loop may not be the cause, and whether the end or the last answer speaks of it."""
    last, ending = loop.calls[-1], session.ending
    if session.timeline.outcome is None or (session.timeline.outcome == "cancelled" and not loop.is_failing):
        return session.doubt, False  # who cancelled it may have wanted fewer rounds, or have been content
    is_last = not _has_progress_after(last, session)
    if speaks_of(ending.text, last, is_last=is_last):
        return None, True
    if loop.is_failing and _has_varied(loop):
        return Doubt.VARIED, False
    if not _is_unfinished(loop, session):
        return Doubt.WENT_ON, False
    answer = find_answer(session.timeline, last)
    if ending.has_hit_limit or answer is None:
        return None, False
    return (None, True) if admits(get_said(answer), last, is_last=is_last) else (Doubt.ANSWERED, False)


def _has_varied(loop: Loop) -> bool:
    """Return whether most failures of a loop have neither the input nor the error of the last: it tried other ways."""
    last = loop.calls[-1]
    text = format_payload_value(get_error(last))
    like = sum(has_like_input(last, step) or format_payload_value(get_error(step)) == text for step in loop.calls)
    return like * 2 <= len(loop.calls)


def _find_loop_reason(loop: Loop, causes: CauseGraph) -> Step | None:
    """Return the reason of the second round if most rounds share it, else the reason of the first call."""
    second, *later = [causes.get_reason(call) for call in loop.calls[loop.group_size :: loop.group_size]]
    shared_count = 1 + sum(reason is second for reason in later)
    return second if shared_count * 2 > len(later) + 1 else causes.get_reason(loop.calls[0])


def _diagnose_told_failure(session: _Session) -> Diagnosis | None:
    """Diagnose the last failed call, never made good, of which the session's end or its last answer speaks.

    A call that is named goes before one whose error is repeated.
    """
    failures, ending = session.unrecovered[-MAX_COMPARED:], session.ending
    is_told, text = speaks_of, ending.text
    if not ending.is_specific:
        is_told, text = admits, get_said(session.last_answer) if session.last_answer is not None else ""
    told = [step for step in failures if is_told(text, step)]
    if not told:
        told = [step for step in failures if is_told(text, step, is_last=True)]
        told = [] if told and _has_progress_after(told[-1], session) else told
    if not told:
        return None
    counts = {step: count_names(text, step) for step in told}
    most = max(counts.values())
    told = [step for step in told if counts[step] == most]
    return _diagnose_failure(told[-1], told, session)


def _diagnose_final_failures(session: _Session) -> Diagnosis | None:
    failures, last = _find_origin(session.lane_steps, session.timeline)
    if last is None or (last.kind == "error" and session.ending.has_hit_limit):
        return None
    return _diagnose_failure(last, failures, session)


def _diagnose_failure(last: Step, failures: Sequence[Step], session: _Session) -> Diagnosis:
    """Diagnose the first of the like failures that end with ``last``, or the loop that it is part of."""
    containing_loops = [loop for loop in session.loops if last in loop.calls and not loop.is_overcome]
    if containing_loops and (loop := _diagnose_loop(containing_loops, session)) is not None:
        return loop
    first = next(step for step in failures if step is last or (step.lane is last.lane and is_retry(last, step)))
    doubt, is_told = _doubt_failure(last, failures[-1], session)
    return Diagnosis(
        DiagnosisKind.ERROR, first, session.causes.get_reason(first), failures, doubt=doubt, is_told=is_told
    )


def _doubt_failure(failure: Step, outer: Step, session: _Session) -> tuple[Doubt | None, bool]:
    """Return why a failure may not be the cause, and whether the end or the last answer speaks of it.

    ``outer`` is the last failure of the session's own lane that follows from it: a delegation's, or the failure itself.
    """
    ending = session.ending
    if session.doubt is not None:
        return session.doubt, False
    is_last = not _has_progress_after(outer, session)
    if ending.is_specific:
        is_told = speaks_of(ending.text, failure, is_last=is_last) or (
            speaks_of(ending.text, outer, is_last=is_last) and not ending.has_hit_limit
        )
        return (None, True) if is_told else (Doubt.LIMIT if ending.has_hit_limit else Doubt.OTHER_END, False)
    if is_check(failure):
        return Doubt.CHECK, False
    answer = find_answer(session.timeline, outer)
    if answer is not None:
        is_told = any(admits(get_said(answer), step, is_last=is_last) for step in (failure, outer))
        return (None, True) if is_told else (Doubt.ANSWERED, False)
    return (None, False) if is_last else (Doubt.WENT_ON, False)


def _find_origin(lane_steps: Sequence[Step], timeline: Timeline) -> tuple[list[Step], Step | None]:
    """Return the failures at a lane's end and the call that caused them, in the sub-agent if a delegation failed."""
    failures = find_trailing_failures(lane_steps)
    calls = [step for step in failures if step.kind != "error"]
    if not failures:
        return failures, None
    inner, origin = _find_cause(max(calls or failures, key=lambda step: step.recorded), timeline)
    return [*inner, *failures], origin


def _find_cause(failure: Step, timeline: Timeline) -> tuple[list[Step], Step]:
    """Return what failed at the end of the sub-agent's run whose result a failure is, and the cause: else itself."""
    sub_agent_lane = next((lane for lane in timeline.lanes if lane.result is failure), None)
    if sub_agent_lane is None or sub_agent_lane.depth <= failure.lane.depth:
        return [], failure
    inner, origin = _find_origin([step for step in timeline.steps if step.lane is sub_agent_lane], timeline)
    return inner, origin or failure


def _diagnose_open_calls(session: _Session) -> Diagnosis | None:
    """Diagnose calls that were open when their lane stopped; the step is the one that began last."""
    open_calls = [
        step
        for lane, steps in session.lanes.items()
        if lane.result is None or is_failure(lane.result)
        for step in _find_open_calls(steps)
    ]
    if not open_calls:
        return None
    last = max(open_calls, key=lambda step: step.number)
    doubt = session.doubt
    if doubt is None and _has_progress_after(last, session):
        doubt = Doubt.WENT_ON
    if doubt is None and find_answer(session.timeline, last) is not None:
        doubt = Doubt.ANSWERED
    return Diagnosis(DiagnosisKind.OPEN_CALL, last, session.causes.get_reason(last), open_calls, doubt=doubt)


def _diagnose_lost_calls(session: _Session) -> Diagnosis | None:
    """Diagnose calls that never ended, though their lane went on."""
    open_calls = [step for step in session.timeline.steps if step.is_open]
    if not open_calls:
        return None
    last, doubt = open_calls[-1], session.doubt or Doubt.WENT_ON
    return Diagnosis(DiagnosisKind.OPEN_CALL, last, session.causes.get_reason(last), open_calls, doubt=doubt)


def _find_open_calls(lane_steps: Sequence[Step]) -> Iterator[Step]:
    for step in reversed(lane_steps):
        if step.is_open:
            yield step
        elif step.kind != "session_end":
            return


def _diagnose_waiting_call(session: _Session) -> Diagnosis | None:
    """Diagnose the last call that waits for a person, for the graph or for the service."""
    step = find_waiting_call(session.timeline.steps)
    return None if step is None else _hint(DiagnosisKind.WAITING, step, [step], session)


def _diagnose_cut_answer(session: _Session) -> Diagnosis | None:
    """Diagnose the last answer of the session's own lane, if it isn't whole and nothing was done after it."""
    step = find_cut_answer(session.lane_steps)
    if step is None:
        return None
    ending, doubt = session.ending, session.doubt
    is_told = speaks_of_finish(ending.text, step)
    if doubt is None and ending.is_specific and not is_told:
        doubt = Doubt.OTHER_END
    has_failed_before = any(failure.number < step.number for failure in session.unrecovered)
    if doubt is None and (has_failed_before or has_answered_before(session.lane_steps, step)):
        doubt = Doubt.HINT
    reason = session.causes.get_reason(step)
    return Diagnosis(DiagnosisKind.CUT_OFF, step, reason, [step], doubt=doubt, is_told=is_told)


def _diagnose_handover(session: _Session) -> Diagnosis | None:
    acts = [step for step in session.lane_steps if is_action(step)]
    if not acts or not is_handover(acts[-1].label):
        return None
    return _hint(DiagnosisKind.HANDED_OVER, acts[-1], acts[-1:], session)


def _diagnose_long_run(session: _Session) -> Diagnosis | None:
    """Diagnose the longest run of a tool's calls, if it is half or more of what the session did.

    Waits, and repetitions that got somewhere in the end, are none.
    """
    overcome = {step for loop in session.loops if loop.is_overcome for step in loop.calls}
    acts = [step for step in session.lane_steps if is_action(step)]
    runs = [item for item in fold_runs(acts) if isinstance(item, CallRun)]
    runs = [run for run in runs if run.others[0] not in overcome and not is_wait(run.first)]
    longest = max(runs, key=lambda run: len(run.others), default=None)
    if longest is None or (len(longest.others) + 1) * 2 < sum(map(is_action, session.timeline.steps)):
        return None
    return _hint(DiagnosisKind.LONG_RUN, longest.first, [longest.first, *longest.others], session)


def _diagnose_unrecovered_failure(session: _Session) -> Diagnosis | None:
    """Diagnose the last failed call that no later call of its like made good; of a delegation, what failed in it."""
    if not session.unrecovered:
        return None
    last = session.unrecovered[-1]
    similar = [step for step in session.unrecovered if (step.kind, step.label) == (last.kind, last.label)]
    _, origin = _find_cause(last, session.timeline)
    return _hint(DiagnosisKind.NEVER_MADE_GOOD, origin, similar if origin is last else [origin, last], session)


def _hint(kind: DiagnosisKind, step: Step, evidence: Sequence[Step], session: _Session) -> Diagnosis:
    return Diagnosis(kind, step, session.causes.get_reason(step), evidence, doubt=session.doubt or Doubt.HINT)


def _diagnose_by_end(session: _Session) -> Diagnosis:
    """Diagnose by the session's end, when no other rule applies."""
    timeline, end, doubt = session.timeline, session.ending.end, session.doubt or Doubt.HINT
    failures = [step for step in timeline.steps if has_gone_wrong(step)]
    if timeline.outcome is None:
        return Diagnosis(DiagnosisKind.NO_END, timeline.steps[-1], failures=failures, doubt=doubt)
    told = next(
        (step for step in reversed(session.lane_steps) if step.kind in ("session_end", "error") and step.error), None
    )
    if told is not None and session.ending.text:
        return Diagnosis(DiagnosisKind.END, told, evidence=[told], failures=failures, doubt=doubt)
    has_acted = any(is_action(step) or step.kind == "delegation" for step in timeline.steps)
    if not has_acted and timeline.outcome == "failed" and not session.window.is_beginning_cut:
        reasons = [step for step in session.lane_steps if is_reason(step)]
        return Diagnosis(DiagnosisKind.NO_ACTION, reasons[0] if reasons else end, evidence=reasons, doubt=doubt)
    return Diagnosis(DiagnosisKind.UNKNOWN, end, failures=failures, doubt=doubt)
