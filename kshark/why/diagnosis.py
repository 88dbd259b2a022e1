"""Where a session went wrong, by rules and without a language model. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agentlog.analysis.call_outcome import hands_over
from agentlog.analysis.causality import Causes, is_reason
from agentlog.analysis.failures import Loop, is_act, is_failure, lanes_of, loops, tail
from agentlog.session.timeline import Lane, Step, Timeline
from agentlog.text.step_text import Run, folded, shown

_LIMIT = re.compile(
    r"deadline|time.?out|timed.out|limit|exceed|budget|maximum|max[_ ]|iteration|exhaust|out.of.turns", re.I
)
_NOT_OURS = re.compile(r"rate.?limit|too.many.requests|429", re.I)


class Kind(StrEnum):
    """What went wrong."""

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


SURE = frozenset({Kind.NOTHING, Kind.LOOP, Kind.ERROR, Kind.OPEN_CALL})
"""Kinds that say why. The others say what was last seen, or that nothing was."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Where a session went wrong.

    Attributes:
        step: the step to look at first; None where there is none to name.
        decision: the decision, or what else says why, that led there; None where nothing does.
        evidence: the steps that show it, in order: the calls of a loop, the failures at the end, the open calls.
        loop: the loop, where it is one.
        failures: of the session, where nothing is named: what failed on the way.
    """

    kind: Kind
    step: Step | None = None
    decision: Step | None = None
    evidence: Sequence[Step] = ()
    loop: Loop | None = None
    failures: Sequence[Step] = field(default=())

    @property
    def is_sure(self) -> bool:
        """Whether it says why the session went wrong, and not merely where it was last seen."""
        return self.kind in SURE


def wrong(timeline: Timeline, causes: Causes) -> Wrong:
    """The first finding, of all that may explain an outcome, in the order of how much they explain."""
    if timeline.outcome == "succeeded":
        failures = [step for step in timeline.steps if is_failure(step)]
        return Wrong(Kind.NOTHING, failures=failures)
    lanes = lanes_of(timeline.steps)
    return next(found for found in _findings(timeline, lanes, causes) if found is not None)


def _findings(timeline: Timeline, lanes: dict[Lane, list[Step]], causes: Causes) -> Iterator[Wrong | None]:
    own = lanes.get(timeline.lanes[0], [])
    every = loops(lanes)
    if _ran_into_a_limit(own) or timeline.outcome == "cancelled":
        yield _looped([loop for loop in every if _weighs(loop, timeline)], causes)
    elif timeline.outcome is None:
        yield _looped([loop for loop in every if _goes_on(loop, lanes)], causes)
    yield _never_came_back(lanes, causes)
    yield _failed_to_the_end(own, every, timeline, causes)
    yield _looped([loop for loop in every if not loop.overcome], causes)
    yield _handed_over(own, causes)
    if _ran_into_a_limit(own):
        yield _long_run(own, timeline, causes)
    yield _never_made_good(timeline, causes)
    yield _last_seen(timeline, own)


def _ran_into_a_limit(own: Sequence[Step]) -> bool:
    """Whether the end, or the last error before it, tells of a limit of the session itself."""
    ends = [step for step in own if step.kind in ("session_end", "error")][-2:]
    said = " ".join(shown(step.error) for step in ends if step.error is not None)
    return _LIMIT.search(_NOT_OURS.sub("", said)) is not None


def _weighs(loop: Loop, timeline: Timeline) -> bool:
    """Whether a loop took a good part of the session: a twentieth of what it did, or a tenth of its time."""
    acts = sum(map(is_act, timeline.steps))
    lasted = loop.calls[-1].recorded - loop.calls[0].began
    return len(loop.calls) * 20 >= acts or lasted * 10 >= timeline.ended - timeline.began


def _goes_on(loop: Loop, lanes: dict[Lane, list[Step]]) -> bool:
    """Whether a loop is the last that its lane did."""
    acts = [step for step in lanes[loop.calls[-1].lane] if is_act(step) and not step.is_open]
    return acts[-1:] == loop.calls[-1:]


def _looped(found: Sequence[Loop], causes: Causes) -> Wrong | None:
    if not found:
        return None
    loop = found[0]
    first, decision = loop.calls[0], _started_by(loop, causes)
    in_view_of_it = decision is not None and causes.number[decision] > causes.number[first]
    return Wrong(Kind.LOOP, decision if in_view_of_it else first, decision, loop.calls, loop)


def _started_by(loop: Loop, causes: Causes) -> Step | None:
    """Why it was done again: the reason of the second round, where most rounds share it; else why it was begun."""
    second, *later = [causes.reason(call) for call in loop.calls[loop.group :: loop.group]]
    shared = 1 + sum(reason is second for reason in later)
    return second if shared * 2 > len(later) + 1 else causes.reason(loop.calls[0])


def _never_came_back(lanes: dict[Lane, list[Step]], causes: Causes) -> Wrong | None:
    """Calls that were open when their lane stopped; of several the one that began last."""
    left = [step for own in lanes.values() for step in _open_at_the_end(own)]
    last = max(left, key=causes.number.__getitem__, default=None)
    return None if last is None else Wrong(Kind.OPEN_CALL, last, causes.reason(last), left)


def _open_at_the_end(own: Sequence[Step]) -> Iterator[Step]:
    for step in reversed(own):
        if step.is_open:
            yield step
        elif step.kind != "session_end":
            return


def _failed_to_the_end(own: Sequence[Step], every: Sequence[Loop], timeline: Timeline, causes: Causes) -> Wrong | None:
    failures, last = _origin(own, timeline)
    if last is None:
        return None
    part_of = [loop for loop in every if last in loop.calls]
    if part_of:
        return _looped(part_of, causes)
    like = (last.kind, last.label, last.lane)
    first = next(step for step in failures if (step.kind, step.label, step.lane) == like)
    return Wrong(Kind.ERROR, first, causes.reason(first), failures)


def _origin(own: Sequence[Step], timeline: Timeline) -> tuple[list[Step], Step | None]:
    """What failed at a lane's end, and the call that counts: of a failed delegation the one that failed in its run."""
    failures = tail(own).failures
    calls = [step for step in failures if step.kind != "error"]
    if not failures:
        return failures, None
    last = (calls or failures)[-1]
    run = next((lane for lane in timeline.lanes if lane.result is last), None)
    if run is None or run.depth <= last.lane.depth:
        return failures, last
    inner, origin = _origin([step for step in timeline.steps if step.lane is run], timeline)
    return [*inner, *failures], origin or last


def _handed_over(own: Sequence[Step], causes: Causes) -> Wrong | None:
    acts = [step for step in own if is_act(step)]
    if not acts or not hands_over(acts[-1].label):
        return None
    return Wrong(Kind.HANDED_OVER, acts[-1], causes.reason(acts[-1]), acts[-1:])


def _long_run(own: Sequence[Step], timeline: Timeline, causes: Causes) -> Wrong | None:
    """The longest row of like calls, where it is most of what the session did."""
    rows = [item for item in folded(step for step in own if is_act(step)) if isinstance(item, Run)]
    longest = max(rows, key=lambda row: len(row.others), default=None)
    if longest is None or (len(longest.others) + 1) * 2 < sum(map(is_act, timeline.steps)):
        return None
    return Wrong(Kind.LONG_RUN, longest.first, causes.reason(longest.first), [longest.first, *longest.others])


def _never_made_good(timeline: Timeline, causes: Causes) -> Wrong | None:
    """The last failed call, or failed delegation, the like of which never succeeded after it."""
    succeeded: set[tuple[str, str]] = set()
    for step in reversed(timeline.steps):
        named = step.kind, step.label
        if is_failure(step) and step.kind != "error" and named not in succeeded:
            like = [each for each in timeline.steps if (each.kind, each.label) == named and is_failure(each)]
            return Wrong(Kind.NEVER_MADE_GOOD, step, causes.reason(step), like)
        if not step.is_open:
            succeeded.add(named)
    return None


def _last_seen(timeline: Timeline, own: Sequence[Step]) -> Wrong:
    """What can be said where nothing explains it."""
    failures = [step for step in timeline.steps if is_failure(step)]
    end = next((step for step in reversed(own) if step.kind == "session_end"), None)
    if timeline.outcome is None:
        return Wrong(Kind.NO_END, timeline.steps[-1], failures=failures)
    if end is not None and end.error is not None:
        return Wrong(Kind.END, end, evidence=[end], failures=failures)
    acted = any(is_act(step) or step.kind == "delegation" for step in timeline.steps)
    if not acted and timeline.outcome == "failed":
        said = [step for step in own if is_reason(step)]
        return Wrong(Kind.NO_ACTION, said[0] if said else end, evidence=said)
    return Wrong(Kind.UNKNOWN, end, failures=failures)
