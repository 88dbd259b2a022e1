"""The failures of a session: which were made good by a later call, and which stand at the end. Pure."""

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from ..session.timeline import CALL_TYPES, Lane, Step
from .call_outcome import is_handover
from .causality import is_thought
from .likeness import Fields, is_alike, read_input

ACTION_KINDS = frozenset({"tool_call", "retrieval"})
"""Kinds of steps that do something or look something up."""
CLOCK_STEP_US = 1_000
"""Latencies are whole milliseconds, so a call may seem to begin this much before the one before it ended."""
MAX_COMPARED = 10
"""The most later calls that are compared with a failed one. A call with an equal input is always found."""

_CANCELLATION = re.compile(
    r"\s*(?:[\w.]*(?:CancelledError|KeyboardInterrupt|GeneratorExit|AbortError)\b|context canceled"
    r"|(?:(?:the |this )?(?:tool |model )?(?:operation|call|request|task|run|execution|command) (?:was |is )?)?"
    r"(?:cancell?ed|aborted|interrupted)(?:\s+by\b.*|\W*)$)",
    re.I,
)


def is_failure(step: Step) -> bool:
    """Whether a step ended in an error, by its ``error`` or by its answer."""
    return not step.is_open and step.kind != "session_end" and step.error is not None


def get_error(step: Step) -> object:
    """Return the error of a failed step: as recorded, or the piece of its answer that states it."""
    return step.error


def is_action(step: Step) -> bool:
    """Whether a step does something or looks something up; thoughts and messages are no actions."""
    return step.kind in ACTION_KINDS and not is_thought(step)


def group_by_lane(steps: Iterable[Step]) -> dict[Lane, list[Step]]:
    """Group steps by their lane, in order."""
    lanes: dict[Lane, list[Step]] = defaultdict(list)
    for step in steps:
        lanes[step.lane].append(step)
    return lanes


def is_cancelled(step: Step) -> bool:
    """Whether a call was broken off from outside. That is no failure of the call, and no success."""
    if step.event.payload.get("finish_reason") == "cancelled":
        return True
    error = step.error
    if isinstance(error, dict):
        error = next((error[name] for name in ("type", "name", "code", "message") if error.get(name)), None)
    return isinstance(error, str) and _CANCELLATION.match(error[:200]) is not None


def has_gone_wrong(step: Step) -> bool:
    """Whether a step failed by itself: it wasn't cancelled."""
    return is_failure(step) and not is_cancelled(step)


def is_success(step: Step) -> bool:
    """Whether a call ended by itself and without an error."""
    return not step.is_open and not is_failure(step) and not is_cancelled(step)


def is_after(step: Step, failure: Step) -> bool:
    """Whether a step began when ``failure`` had ended; a call that ran beside it didn't."""
    return step.number > failure.number and (step.began + CLOCK_STEP_US >= failure.recorded or step.parent is failure)


def is_retry(step: Step, failure: Step) -> bool:
    """Whether a step tried again what failed: the same call with a like input, begun when the other had ended."""
    is_same_call = (step.kind, step.label) == (failure.kind, failure.label)
    return is_same_call and is_after(step, failure) and has_like_input(step, failure)


def has_like_input(step: Step, failure: Step) -> bool:
    """Whether a call asked for the same as a failed one; without an input, if it stands in the same lane."""
    failed_input = read_input(failure)
    return is_alike(failed_input, read_input(step)) and (bool(failed_input) or step.lane is failure.lane)


def find_unrecovered(steps: Sequence[Step]) -> list[Step]:
    """Return the failed calls and delegations that no later call of their like made good, in order."""
    successes = _Successes()
    unrecovered: list[Step] = []
    for step in reversed(steps):
        if step.is_open or (step.kind not in CALL_TYPES and step.kind != "delegation_result") or is_thought(step):
            continue
        if is_success(step):
            successes.add(step)
        elif has_gone_wrong(step) and not successes.has_retry(step):
            unrecovered.append(step)
    return unrecovered[::-1]


class _Successes:
    """The calls that succeeded, by their name, the last one first."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], deque[Step]] = defaultdict(lambda: deque(maxlen=MAX_COMPARED))
        self._last: dict[tuple[str, str, str], Step] = {}
        self._inputs: dict[Step, Fields] = {}

    def add(self, step: Step) -> None:
        self._calls[step.kind, step.label].append(step)
        self._last.setdefault((step.kind, step.label, get_input_text(step)), step)

    def has_retry(self, failure: Step) -> bool:
        """Whether a call like ``failure`` succeeded after it."""
        call, failed_input = (failure.kind, failure.label), read_input(failure)
        equal = self._last.get((*call, get_input_text(failure)))
        if failed_input and equal is not None and is_after(equal, failure):
            return True
        return any(
            is_after(step, failure)
            and (failed_input or step.lane is failure.lane)
            and is_alike(failed_input, self._read_input(step))
            for step in self._calls[call]
        )

    def _read_input(self, step: Step) -> Fields:
        if step not in self._inputs:
            self._inputs[step] = read_input(step)
        return self._inputs[step]


def find_trailing_failures(lane_steps: Sequence[Step]) -> list[Step]:
    """Return the failures of a lane after which nothing succeeded: failed calls, delegations and ``error`` events.

    A call that ran beside a failed one didn't succeed after it, even if it stands behind it.
    """
    failures: list[Step] = []
    last_began, children, has_model_answered = -CLOCK_STEP_US, set[Step | None](), False
    for step in reversed(lane_steps):
        if has_gone_wrong(step):
            is_last = step.recorded > last_began + CLOCK_STEP_US and step not in children
            if is_last and not (step.kind == "llm_call" and has_model_answered):
                failures.append(step)
        elif _is_progress(step):
            last_began = max(last_began, step.began)
            children.add(step.parent)
        has_model_answered = has_model_answered or (step.kind == "llm_call" and is_success(step))
    return failures[::-1]


def _is_progress(step: Step) -> bool:
    is_other = (is_action(step) and not is_handover(step.label)) or step.kind == "delegation_result"
    return is_other and is_success(step)


def get_input_text(step: Step) -> str:
    """Return what a call was given, as a text to compare."""
    return repr(step.event.payload.get("input", step.event.payload.get("query")))
