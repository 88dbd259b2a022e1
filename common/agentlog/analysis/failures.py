"""Trouble in a session's calls: failing again and again, going in circles, failing to the end. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..session.timeline import CALL_TYPES, Lane, Step
from .call_outcome import failed, hands_over, period
from .causality import is_thought

ACTS = frozenset({"tool_call", "retrieval"})
OFTEN = 4
"""So many like calls are a loop; a circle of several calls is one from its third round on."""


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """Calls that went on without getting anywhere.

    Attributes:
        calls: those that failed, or all calls of a circle.
        group: how many different calls make a round; 1 where it is one call.
        between: how many like calls succeeded in between.
        overcome: a like call succeeded later.
        failing: whether the calls failed; if not, they brought the same answers again.
    """

    calls: list[Step]
    group: int = 1
    between: int = 0
    overcome: bool = False
    failing: bool = True


class Tail(NamedTuple):
    """What a lane ends with: nothing has succeeded since.

    Attributes:
        failures: failed calls, failed delegations and ``error`` events, in order.
        progress: the last step that got anywhere, or None.
    """

    failures: list[Step]
    progress: Step | None


def is_failure(step: Step) -> bool:
    """Whether a step ended in an error, by its ``error`` or by what it answered."""
    return not step.is_open and step.kind != "session_end" and failed(step.kind, step.event.payload)


def error_of(step: Step) -> object:
    """What a failed step says of its error."""
    return step.error if step.error is not None else step.event.payload.get("output")


def is_act(step: Step) -> bool:
    """Whether a step does or looks up something, in place of thinking or saying it."""
    return step.kind in ACTS and not is_thought(step)


def lanes_of(steps: Iterable[Step]) -> dict[Lane, list[Step]]:
    """The steps of each lane, in order."""
    lanes: dict[Lane, list[Step]] = defaultdict(list)
    for step in steps:
        lanes[step.lane].append(step)
    return lanes


def loops(lanes: dict[Lane, list[Step]]) -> list[Loop]:
    """All loops of a session; the largest first, of equal ones the first."""
    found = [loop for own in lanes.values() for loop in (*_failing(own), *_circles(own))]
    return sorted(found, key=lambda loop: (-len(loop.calls), loop.calls[0].began))


def tail(own: Sequence[Step]) -> Tail:
    """How a lane ends."""
    failures: list[Step] = []
    model_answered = False
    for step in reversed(own):
        if is_failure(step):
            if step.kind != "llm_call" or not model_answered:
                failures.append(step)
        elif _got_somewhere(step):
            return Tail(failures[::-1], step)
        model_answered = model_answered or (step.kind == "llm_call" and not step.is_open)
    return Tail(failures[::-1], None)


def _got_somewhere(step: Step) -> bool:
    acted = is_act(step) and not step.is_open and not hands_over(step.label)
    return acted or step.kind == "delegation_result"


def _failing(own: Sequence[Step]) -> Iterator[Loop]:
    """Of each tool, and of each tool with one input, where it failed most in excess of what succeeded."""
    calls: dict[tuple[int, tuple[str, str]], list[Step]] = defaultdict(list)
    last_success: dict[tuple[str, str], int] = {}
    part = 0
    for place, step in enumerate(own):
        part += step.kind == "user_message"  # with a person in between it is a new attempt
        if step.kind in CALL_TYPES and not step.is_open and not is_thought(step):
            for like in ((step.label, ""), (step.label, _given(step))):
                calls[part, like].append(step)
                if not is_failure(step):
                    last_success[like] = place
    place_of = {step: place for place, step in enumerate(own)}
    seen: set[tuple[Step, ...]] = set()
    for (_, like), tries in calls.items():
        window = _worst(tries)
        failures = tuple(step for step in window if is_failure(step))
        if len(failures) >= OFTEN and failures not in seen:
            seen.add(failures)
            overcome = last_success.get(like, -1) > place_of[failures[-1]]
            yield Loop(list(failures), between=len(window) - len(failures), overcome=overcome)


def _worst(tries: Sequence[Step]) -> Sequence[Step]:
    """The stretch of tries in which failures exceed successes most."""
    best, excess, start, found = 0, 0, 0, (0, 0)
    for place, step in enumerate(tries):
        excess += 1 if is_failure(step) else -1
        if excess < 0:
            excess, start = 0, place + 1
        elif excess > best:
            best, found = excess, (start, place + 1)
    return tries[slice(*found)]


def _circles(own: Sequence[Step]) -> Iterator[Loop]:
    """The same calls with the same answers, over and over."""
    for run in _runs(own):
        acts = [hash((step.kind, step.label, _given(step), _answer(step))) for step in run]
        at = 0
        while at < len(run):
            group, rounds = period(acts, at)
            calls = run[at : at + group * rounds]
            if rounds >= (OFTEN if group == 1 else OFTEN - 1) and not any(map(is_failure, calls)):
                yield Loop(calls, group, failing=False)
            at += group * rounds


def _runs(own: Iterable[Step]) -> Iterator[list[Step]]:
    """Calls in a row; what is thought, decided or remembered between them doesn't part them, a message does."""
    run: list[Step] = []
    for step in own:
        if is_act(step) and not step.is_open:
            run.append(step)
        elif step.kind in ("user_message", "agent_message", "delegation"):
            yield run
            run = []
    yield run


def _given(step: Step) -> str:
    return repr(step.event.payload.get("input", step.event.payload.get("query")))


def _answer(step: Step) -> str:
    return repr(step.event.payload.get("output", step.event.payload.get("documents")))
