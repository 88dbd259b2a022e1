"""The diagnosis of where a session went wrong, by rules and without a language model. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agentlog.analysis.call_outcome import is_handover
from agentlog.analysis.causality import CauseGraph, is_reason
from agentlog.analysis.failures import Loop, find_loops, find_trailing_failures, group_by_lane, is_action, is_failure
from agentlog.session.timeline import Lane, Step, Timeline
from agentlog.text.step_text import CallRun, fold_runs, format_payload_value

_SESSION_LIMIT = re.compile(
    r"deadline|time.?out|timed.out|limit|exceed|budget|maximum|max[_ ]|iteration|exhaust|out.of.turns", re.I
)
_PROVIDER_LIMIT = re.compile(r"rate.?limit|too.many.requests|429", re.I)


class DiagnosisKind(StrEnum):
    """The kind of a diagnosis; docs/kshark.md explains each."""

    NOTHING = "nothing"
    LOOP = "loop"
    ERROR = "error"
    OPEN_CALL = "open_call"
    NEVER_MADE_GOOD = "never_made_good"
    HANDED_OVER = "handed_over"
    NO_ACTION = "no_action"
    LONG_RUN = "long_run"
    END = "end"
    NO_END = "no_end"
    UNKNOWN = "unknown"


SURE_KINDS = frozenset({DiagnosisKind.NOTHING, DiagnosisKind.LOOP, DiagnosisKind.ERROR, DiagnosisKind.OPEN_CALL})
"""The kinds that explain why a session went wrong. The others only say where to look."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Where a session went wrong.

    Attributes:
        step: the step to look at first, or None.
        decision: the decision, or another step with a reason, that led there; None if there is none.
        evidence: the steps that show it, in order: the calls of a loop, the failures at the end, the open calls.
        loop: the loop, if the kind is ``LOOP``.
        failures: the session's failed steps, if no step is to blame.
    """

    kind: DiagnosisKind
    step: Step | None = None
    decision: Step | None = None
    evidence: Sequence[Step] = ()
    loop: Loop | None = None
    failures: Sequence[Step] = field(default=())

    @property
    def is_sure(self) -> bool:
        """Whether it explains why the session went wrong, and not only where to look."""
        return self.kind in SURE_KINDS


def diagnose(timeline: Timeline, causes: CauseGraph) -> Diagnosis:
    """Return the first diagnosis whose rule applies. The rules that explain most come first."""
    if timeline.outcome == "succeeded":
        failures = [step for step in timeline.steps if is_failure(step)]
        return Diagnosis(DiagnosisKind.NOTHING, failures=failures)
    lanes = group_by_lane(timeline.steps)
    return next(each for each in _find_candidates(timeline, lanes, causes) if each is not None)


def _find_candidates(
    timeline: Timeline, lanes: dict[Lane, list[Step]], causes: CauseGraph
) -> Iterator[Diagnosis | None]:
    lane_steps = lanes.get(timeline.lanes[0], [])
    all_loops = find_loops(lanes)
    if _has_hit_limit(lane_steps) or timeline.outcome == "cancelled":
        yield _diagnose_loop([loop for loop in all_loops if _is_substantial(loop, timeline)], causes)
    elif timeline.outcome is None:
        yield _diagnose_loop([loop for loop in all_loops if _is_last_in_lane(loop, lanes)], causes)
    yield _diagnose_open_calls(lanes, causes)
    yield _diagnose_final_failures(lane_steps, all_loops, timeline, causes)
    yield _diagnose_loop([loop for loop in all_loops if not loop.is_overcome], causes)
    yield _diagnose_handover(lane_steps, causes)
    if _has_hit_limit(lane_steps):
        yield _diagnose_long_run(lane_steps, timeline, causes)
    yield _diagnose_unrecovered_failure(timeline, causes)
    yield _diagnose_by_end(timeline, lane_steps)


def _has_hit_limit(lane_steps: Sequence[Step]) -> bool:
    """Return whether the end, or the last error before it, names a limit of the session itself."""
    last_ends = [step for step in lane_steps if step.kind in ("session_end", "error")][-2:]
    error_text = " ".join(format_payload_value(step.error) for step in last_ends if step.error is not None)
    return _SESSION_LIMIT.search(_PROVIDER_LIMIT.sub("", error_text)) is not None


def _is_substantial(loop: Loop, timeline: Timeline) -> bool:
    """Return whether a loop took a good part of the session: a twentieth of its actions, or a tenth of its time."""
    act_count = sum(map(is_action, timeline.steps))
    duration_us = loop.calls[-1].recorded - loop.calls[0].began
    return len(loop.calls) * 20 >= act_count or duration_us * 10 >= timeline.ended - timeline.began


def _is_last_in_lane(loop: Loop, lanes: dict[Lane, list[Step]]) -> bool:
    """Return whether a loop has the last actions of its lane."""
    acts = [step for step in lanes[loop.calls[-1].lane] if is_action(step) and not step.is_open]
    return acts[-1:] == loop.calls[-1:]


def _diagnose_loop(candidates: Sequence[Loop], causes: CauseGraph) -> Diagnosis | None:
    if not candidates:
        return None
    loop = candidates[0]
    first, decision = loop.calls[0], _find_loop_reason(loop, causes)
    is_decided_in_loop = decision is not None and causes.step_numbers[decision] > causes.step_numbers[first]
    return Diagnosis(DiagnosisKind.LOOP, decision if is_decided_in_loop else first, decision, loop.calls, loop)


def _find_loop_reason(loop: Loop, causes: CauseGraph) -> Step | None:
    """Return the reason of the second round if most rounds share it, else the reason of the first call."""
    second, *later = [causes.get_reason(call) for call in loop.calls[loop.group_size :: loop.group_size]]
    shared_count = 1 + sum(reason is second for reason in later)
    return second if shared_count * 2 > len(later) + 1 else causes.get_reason(loop.calls[0])


def _diagnose_open_calls(lanes: dict[Lane, list[Step]], causes: CauseGraph) -> Diagnosis | None:
    """Diagnose calls that were open when their lane stopped; the step is the one that began last."""
    open_calls = [step for steps in lanes.values() for step in _find_open_calls(steps)]
    last = max(open_calls, key=causes.step_numbers.__getitem__, default=None)
    return None if last is None else Diagnosis(DiagnosisKind.OPEN_CALL, last, causes.get_reason(last), open_calls)


def _find_open_calls(lane_steps: Sequence[Step]) -> Iterator[Step]:
    for step in reversed(lane_steps):
        if step.is_open:
            yield step
        elif step.kind != "session_end":
            return


def _diagnose_final_failures(
    lane_steps: Sequence[Step], all_loops: Sequence[Loop], timeline: Timeline, causes: CauseGraph
) -> Diagnosis | None:
    failures, last = _find_origin(lane_steps, timeline)
    if last is None:
        return None
    containing_loops = [loop for loop in all_loops if last in loop.calls]
    if containing_loops:
        return _diagnose_loop(containing_loops, causes)
    call_identity = (last.kind, last.label, last.lane)
    first = next(step for step in failures if (step.kind, step.label, step.lane) == call_identity)
    return Diagnosis(DiagnosisKind.ERROR, first, causes.get_reason(first), failures)


def _find_origin(lane_steps: Sequence[Step], timeline: Timeline) -> tuple[list[Step], Step | None]:
    """Return the failures at a lane's end and the call that caused them, in the sub-agent if a delegation failed."""
    failures = find_trailing_failures(lane_steps).failures
    calls = [step for step in failures if step.kind != "error"]
    if not failures:
        return failures, None
    last = (calls or failures)[-1]
    sub_agent_lane = next((lane for lane in timeline.lanes if lane.result is last), None)
    if sub_agent_lane is None or sub_agent_lane.depth <= last.lane.depth:
        return failures, last
    inner, origin = _find_origin([step for step in timeline.steps if step.lane is sub_agent_lane], timeline)
    return [*inner, *failures], origin or last


def _diagnose_handover(lane_steps: Sequence[Step], causes: CauseGraph) -> Diagnosis | None:
    acts = [step for step in lane_steps if is_action(step)]
    if not acts or not is_handover(acts[-1].label):
        return None
    return Diagnosis(DiagnosisKind.HANDED_OVER, acts[-1], causes.get_reason(acts[-1]), acts[-1:])


def _diagnose_long_run(lane_steps: Sequence[Step], timeline: Timeline, causes: CauseGraph) -> Diagnosis | None:
    """Diagnose the longest run of similar calls, if it is half or more of what the session did."""
    runs = [item for item in fold_runs(step for step in lane_steps if is_action(step)) if isinstance(item, CallRun)]
    longest = max(runs, key=lambda run: len(run.others), default=None)
    if longest is None or (len(longest.others) + 1) * 2 < sum(map(is_action, timeline.steps)):
        return None
    return Diagnosis(
        DiagnosisKind.LONG_RUN, longest.first, causes.get_reason(longest.first), [longest.first, *longest.others]
    )


def _diagnose_unrecovered_failure(timeline: Timeline, causes: CauseGraph) -> Diagnosis | None:
    """Diagnose the last failed call or delegation after which no similar one succeeded."""
    succeeded: set[tuple[str, str]] = set()
    for step in reversed(timeline.steps):
        call_identity = step.kind, step.label
        if is_failure(step) and step.kind != "error" and call_identity not in succeeded:
            similar_failures = [
                each for each in timeline.steps if (each.kind, each.label) == call_identity and is_failure(each)
            ]
            return Diagnosis(DiagnosisKind.NEVER_MADE_GOOD, step, causes.get_reason(step), similar_failures)
        if not step.is_open:
            succeeded.add(call_identity)
    return None


def _diagnose_by_end(timeline: Timeline, lane_steps: Sequence[Step]) -> Diagnosis:
    """Diagnose by the session's end, when no other rule applies."""
    failures = [step for step in timeline.steps if is_failure(step)]
    end = next((step for step in reversed(lane_steps) if step.kind == "session_end"), None)
    if timeline.outcome is None:
        return Diagnosis(DiagnosisKind.NO_END, timeline.steps[-1], failures=failures)
    if end is not None and end.error is not None:
        return Diagnosis(DiagnosisKind.END, end, evidence=[end], failures=failures)
    has_acted = any(is_action(step) or step.kind == "delegation" for step in timeline.steps)
    if not has_acted and timeline.outcome == "failed":
        reasons = [step for step in lane_steps if is_reason(step)]
        return Diagnosis(DiagnosisKind.NO_ACTION, reasons[0] if reasons else end, evidence=reasons)
    return Diagnosis(DiagnosisKind.UNKNOWN, end, failures=failures)
