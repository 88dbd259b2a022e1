"""The loops of a session: calls that were repeated and got nowhere. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from ..session.timeline import CALL_TYPES, Lane, Step
from .call_outcome import find_period
from .causality import is_thought
from .failures import MAX_COMPARED, get_input_text, has_gone_wrong, is_action, is_after, is_success
from .likeness import is_alike, read_input

MIN_REPEATS = 4
"""Four similar calls make a loop. A circle of several calls makes one from its third round on."""

_WAIT = re.compile(r"(?:^|[^a-z])(?:sleep|wait|pause|delay|idle)(?:$|[^a-z]|ing)", re.I)
"""Tools that only let time pass."""
_MOVE = re.compile(r"(?:^|[^a-z])(?:next|scroll|press|advance|forward|page.?(?:down|up|next))(?:$|[^a-z])", re.I)
"""Tools that move on by one each time, whatever they answer."""
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SLEEP_COMMAND = re.compile(r"\s*(?:(?:sleep|wait)\b[\s\w.]*$|sleep\s+[\d.]+[smh]?\s*(?:;|&&))")


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """Calls that were repeated without progress.

    Attributes:
        calls: the failed calls, or all calls of a circle.
        group_size: the number of different calls in a round.
        successes_between: the number of similar calls that succeeded in between.
        is_overcome: whether a call of their like succeeded later, or got another answer.
        is_failing: whether the calls failed; if not, they got the same answers again.
    """

    calls: list[Step]
    group_size: int = 1
    successes_between: int = 0
    is_overcome: bool = False
    is_failing: bool = True


def find_loops(lanes: dict[Lane, list[Step]]) -> list[Loop]:
    """Find all loops of a session. The largest come first; loops of equal size stand in order of time."""
    loops: list[Loop] = []
    for lane_steps in lanes.values():
        failures = {step for step in lane_steps if has_gone_wrong(step)}
        loops += _find_failing_loops(lane_steps, failures)
        loops += _find_circles(lane_steps, failures)
    return sorted(loops, key=lambda loop: (-len(loop.calls), loop.calls[0].began))


def _find_failing_loops(lane_steps: Sequence[Step], lane_failures: Set[Step]) -> Iterator[Loop]:
    """Yield the loops of failing calls, for each tool, and for each tool with the same input."""
    calls: dict[tuple[int, str, str], list[Step]] = defaultdict(list)
    successes: dict[tuple[str, str], list[Step]] = defaultdict(list)
    attempt = 0
    for step in lane_steps:
        attempt += step.kind == "user_message"  # a message of the user begins a new attempt
        if step.kind in CALL_TYPES and not step.is_open and not is_thought(step):
            label = step.label
            calls[attempt, label, ""].append(step)
            calls[attempt, label, get_input_text(step)].append(step)
            if is_success(step):
                successes[step.kind, label].append(step)
    seen: set[tuple[Step, ...]] = set()
    for attempts in calls.values():
        if len(attempts) < MIN_REPEATS:
            continue
        worst_attempts = _select_worst_attempts(attempts, lane_failures)
        failures = tuple(step for step in worst_attempts if step in lane_failures)
        if len(failures) >= MIN_REPEATS and failures not in seen:
            seen.add(failures)
            is_overcome = _is_overcome(failures, successes[failures[-1].kind, failures[-1].label])
            yield Loop(list(failures), successes_between=len(worst_attempts) - len(failures), is_overcome=is_overcome)


def _is_overcome(failures: Sequence[Step], successes: Sequence[Step]) -> bool:
    """Return whether a call like the last failure succeeded after it; any call of the tool, if the failures differ."""
    last = failures[-1]
    later = [step for step in successes if is_after(step, last)]
    last_input, first_input = read_input(last), read_input(failures[0])
    if later and not is_alike(first_input, last_input) and not is_alike(last_input, first_input):
        return True
    inputs = {get_input_text(step): step for step in reversed(later)}
    return get_input_text(last) in inputs or any(
        is_alike(last_input, read_input(step)) for step in list(inputs.values())[-MAX_COMPARED:]
    )


def _select_worst_attempts(attempts: Sequence[Step], failures: Set[Step]) -> Sequence[Step]:
    """Return the attempts in a row with the largest excess of failures over successes."""
    best, excess, start, best_slice = 0, 0, 0, (0, 0)
    for index, step in enumerate(attempts):
        excess += 1 if step in failures else -1
        if excess < 0:
            excess, start = 0, index + 1
        elif excess > best:
            best, best_slice = excess, (start, index + 1)
    return attempts[slice(*best_slice)]


def _find_circles(lane_steps: Sequence[Step], failures: Set[Step]) -> Iterator[Loop]:
    """Yield the loops of calls that repeat with the same answers."""
    last_answers = {_get_call_text(step): step for step in lane_steps if is_action(step) and not step.is_open}
    for run in _split_runs(lane_steps, failures):
        call_hashes = [hash((_get_call_text(step), _get_answer_text(step))) for step in run]
        index = 0
        while index < len(run):
            group, rounds = find_period(call_hashes, index)
            calls = run[index : index + group * rounds]
            if rounds >= (MIN_REPEATS if group == 1 else MIN_REPEATS - 1) and _stands_still(calls[:group], failures):
                yield Loop(calls, group, is_overcome=_got_further(calls[-group:], last_answers), is_failing=False)
            index += group * rounds


def _stands_still(calls: Sequence[Step], failures: Set[Step]) -> bool:
    """Return whether calls that repeat with the same answers get nowhere: none fails, and not all move on by one."""
    return failures.isdisjoint(calls) and not all(_has_word(_MOVE, _get_name(step)) for step in calls)


def _got_further(calls: Iterable[Step], last_answers: Mapping[tuple[str, str, str], Step]) -> bool:
    """Return whether one of the calls got another answer later."""
    return any(
        last.number > step.number and _get_answer_text(last) != _get_answer_text(step)
        for step in calls
        if (last := last_answers.get(_get_call_text(step))) is not None
    )


def _split_runs(lane_steps: Iterable[Step], failures: Set[Step]) -> Iterator[list[Step]]:
    """Yield the runs of calls. A message or a delegation ends a run.

    Thoughts, decisions and memory writes don't, and neither do waits, which are no part of it.
    """
    run: list[Step] = []
    for step in lane_steps:
        if is_action(step) and not step.is_open:
            if step in failures or not is_wait(step):
                run.append(step)
        elif step.kind in ("user_message", "agent_message", "delegation"):
            yield run
            run = []
    yield run


def is_wait(step: Step) -> bool:
    """Whether a step is a call that only lets time pass."""
    given = step.event.payload.get("input")
    if _has_word(_WAIT, _get_name(step)):
        return True
    commands = given.values() if isinstance(given, dict) else [given]
    return any(isinstance(each, str) and _SLEEP_COMMAND.match(each) for each in commands)


def _get_name(step: Step) -> str:
    """Return a tool's name with the action that it was asked for."""
    given = step.event.payload.get("input")
    action = given.get("action") if isinstance(given, dict) else None
    return f"{step.label} {action[:100]}" if isinstance(action, str) else step.label


@lru_cache(maxsize=1_000)
def _has_word(words: re.Pattern[str], name: str) -> bool:
    return words.search(_CAMEL.sub("_", name)) is not None


def _get_call_text(step: Step) -> tuple[str, str, str]:
    return step.kind, step.label, get_input_text(step)


def _get_answer_text(step: Step) -> str:
    return repr(step.event.payload.get("output", step.event.payload.get("documents")))
