"""The failures of a session: failing loops, circles of calls, and failures at the end. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..session.timeline import CALL_TYPES, Lane, Step
from .call_outcome import find_period, is_handover
from .causality import is_thought

ACTION_KINDS = frozenset({"tool_call", "retrieval"})
"""Kinds of steps that do something or look something up."""
MIN_REPEATS = 4
"""Four similar calls make a loop. A circle of several calls makes one from its third round on."""


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """Calls that were repeated without progress.

    Attributes:
        calls: the failed calls, or all calls of a circle.
        group_size: the number of different calls in a round.
        successes_between: the number of similar calls that succeeded in between.
        is_overcome: whether a similar call succeeded later.
        is_failing: whether the calls failed; if not, they got the same answers again.
    """

    calls: list[Step]
    group_size: int = 1
    successes_between: int = 0
    is_overcome: bool = False
    is_failing: bool = True


class TrailingFailures(NamedTuple):
    """The failures at the end of a lane, after its last success.

    Attributes:
        failures: failed calls, failed delegations and ``error`` events, in order.
        last_progress: the last step that made progress, or None.
    """

    failures: list[Step]
    last_progress: Step | None


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


def find_loops(lanes: dict[Lane, list[Step]]) -> list[Loop]:
    """Find all loops of a session. The largest come first; loops of equal size stand in order of time."""
    loops = [
        loop for lane_steps in lanes.values() for loop in (*_find_failing_loops(lane_steps), *_find_circles(lane_steps))
    ]
    return sorted(loops, key=lambda loop: (-len(loop.calls), loop.calls[0].began))


def find_trailing_failures(lane_steps: Sequence[Step]) -> TrailingFailures:
    """Find the failures at the end of a lane."""
    failures: list[Step] = []
    model_answered = False
    for step in reversed(lane_steps):
        if is_failure(step):
            if step.kind != "llm_call" or not model_answered:
                failures.append(step)
        elif _is_progress(step):
            return TrailingFailures(failures[::-1], step)
        model_answered = model_answered or (step.kind == "llm_call" and not step.is_open)
    return TrailingFailures(failures[::-1], None)


def _is_progress(step: Step) -> bool:
    is_completed_action = is_action(step) and not step.is_open and not is_handover(step.label)
    return is_completed_action or step.kind == "delegation_result"


def _find_failing_loops(lane_steps: Sequence[Step]) -> Iterator[Loop]:
    """Yield the loops of failing calls, for each tool, and for each tool with the same input."""
    calls: dict[tuple[int, tuple[str, str]], list[Step]] = defaultdict(list)
    last_success: dict[tuple[str, str], int] = {}
    attempt = 0
    for index, step in enumerate(lane_steps):
        attempt += step.kind == "user_message"  # a message of the user begins a new attempt
        if step.kind in CALL_TYPES and not step.is_open and not is_thought(step):
            for call_key in ((step.label, ""), (step.label, _get_input_text(step))):
                calls[attempt, call_key].append(step)
                if not is_failure(step):
                    last_success[call_key] = index
    index_of = {step: index for index, step in enumerate(lane_steps)}
    seen: set[tuple[Step, ...]] = set()
    for (_, call_key), attempts in calls.items():
        worst_attempts = _select_worst_attempts(attempts)
        failures = tuple(step for step in worst_attempts if is_failure(step))
        if len(failures) >= MIN_REPEATS and failures not in seen:
            seen.add(failures)
            overcome = last_success.get(call_key, -1) > index_of[failures[-1]]
            yield Loop(list(failures), successes_between=len(worst_attempts) - len(failures), is_overcome=overcome)


def _select_worst_attempts(attempts: Sequence[Step]) -> Sequence[Step]:
    """Return the attempts in a row with the largest excess of failures over successes."""
    best, excess, start, best_slice = 0, 0, 0, (0, 0)
    for index, step in enumerate(attempts):
        excess += 1 if is_failure(step) else -1
        if excess < 0:
            excess, start = 0, index + 1
        elif excess > best:
            best, best_slice = excess, (start, index + 1)
    return attempts[slice(*best_slice)]


def _find_circles(lane_steps: Sequence[Step]) -> Iterator[Loop]:
    """Yield the loops of calls that repeat with the same answers."""
    for run in _split_runs(lane_steps):
        call_hashes = [hash((step.kind, step.label, _get_input_text(step), _get_answer_text(step))) for step in run]
        index = 0
        while index < len(run):
            group, rounds = find_period(call_hashes, index)
            calls = run[index : index + group * rounds]
            if rounds >= (MIN_REPEATS if group == 1 else MIN_REPEATS - 1) and not any(map(is_failure, calls)):
                yield Loop(calls, group, is_failing=False)
            index += group * rounds


def _split_runs(lane_steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Yield the runs of calls. A message or a delegation ends a run; thoughts, decisions and memory writes don't."""
    run: list[Step] = []
    for step in lane_steps:
        if is_action(step) and not step.is_open:
            run.append(step)
        elif step.kind in ("user_message", "agent_message", "delegation"):
            yield run
            run = []
    yield run


def _get_input_text(step: Step) -> str:
    return repr(step.event.payload.get("input", step.event.payload.get("query")))


def _get_answer_text(step: Step) -> str:
    return repr(step.event.payload.get("output", step.event.payload.get("documents")))
