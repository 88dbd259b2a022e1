"""The candidates: the steps to look at where no rule is sure, each with its reason. Pure."""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from agentlog.analysis.causality import CauseGraph
from agentlog.analysis.failures import is_action, is_cancelled, is_failure
from agentlog.event.event import parse_amount
from agentlog.session.timeline import Step, Timeline

from .ending import Ending, get_said, names_call
from .finish import is_cut

MAX_CANDIDATES = 5
MAX_CONFIDENCE = 0.6
"""A decision that was taken with less confidence is a candidate."""
_OBJECTION = re.compile(
    r"\b(?:wrong|incorrect|mistake|never ?mind|forget it|give up|gave up|no,|nope|not what|useless|stop it|too late"
    r"|isn'?t (?:what|right)|(?:did|does|do|have|has|is|was)(?:n'?t| not)|still (?:not|no|broken|failing)"
    r"|cancel (?:that|this|it))",
    re.I,
)
"""Words of a user who isn't content or gives up."""
_EMPTY_ANSWERS: tuple[object, ...] = ("", [], {}, "[]", "{}", "null", "None")


class CandidateKind(StrEnum):
    """The reason for a candidate; docs/kshark.md explains each."""

    LOOP = "loop"
    OPEN_CALL = "open_call"
    ERROR = "error"
    NEVER_MADE_GOOD = "never_made_good"
    CUT_OFF = "cut_off"
    WAITING = "waiting"
    DECISION = "decision"
    NAMED_BY_END = "named_by_end"
    CANCELLED = "cancelled"
    HANDED_OVER = "handed_over"
    LONG_RUN = "long_run"
    OBJECTION = "objection"
    FOUND_NOTHING = "found_nothing"
    LOW_CONFIDENCE = "low_confidence"
    FIRST_CALL = "first_call"
    LAST_CALL = "last_call"
    FIRST_ANSWER = "first_answer"
    LAST_ANSWER = "last_answer"
    CONTRADICTION = "contradiction"


FAILURE_KINDS = frozenset({CandidateKind.LOOP, CandidateKind.ERROR, CandidateKind.NEVER_MADE_GOOD})
"""The kinds of candidates that bring along the decision that led to them."""


class Candidate(NamedTuple):
    """A step that may be where a session went wrong."""

    kind: CandidateKind
    step: Step


def list_candidates(
    found: Sequence[Candidate], timeline: Timeline, ending: Ending, causes: CauseGraph
) -> list[Candidate]:
    """Return the candidates of the rules that apply, and then the hints of the events themselves; each step once."""
    candidates: dict[Step, Candidate] = {}
    for candidate in (*found, *_list_hints(timeline, ending)):
        candidates.setdefault(candidate.step, candidate)
        decision = causes.get_reason(candidate.step) if candidate.kind in FAILURE_KINDS else None
        if decision is not None:
            candidates.setdefault(decision, Candidate(CandidateKind.DECISION, decision))
    for candidate in _list_beginnings(timeline) if not candidates else ():
        candidates.setdefault(candidate.step, candidate)
    return list(candidates.values())[:MAX_CANDIDATES]


def _list_hints(timeline: Timeline, ending: Ending) -> Iterator[Candidate]:
    """Yield what the events say besides errors; what names the mistake most often comes first."""
    steps = timeline.steps
    actions = [step for step in steps if is_action(step) and not step.is_open]
    said = [step for step in steps if get_said(step)]
    named = {label for label in {step.label for step in actions} if names_call(ending.text, label)}
    yield from _pick_last(CandidateKind.NAMED_BY_END, (step for step in actions if step.label in named))
    yield from _pick_last(CandidateKind.CANCELLED, (step for step in steps if is_cancelled(step)))
    if len(said) > 1 and said[-1].kind == "user_message" and _OBJECTION.search(get_said(said[-1])):
        yield Candidate(CandidateKind.OBJECTION, said[-1])
        yield from _pick_last(CandidateKind.LAST_ANSWER, (step for step in said if step.kind != "user_message"))
    yield from _pick_last(CandidateKind.CUT_OFF, filter(is_cut, steps))
    yield from _pick_last(CandidateKind.FOUND_NOTHING, filter(_found_nothing, actions))
    decisions = [(confidence, step) for step in steps if (confidence := _read_confidence(step)) is not None]
    if decisions:
        yield Candidate(CandidateKind.LOW_CONFIDENCE, min(decisions, key=lambda each: each[0])[1])


def _list_beginnings(timeline: Timeline) -> Iterator[Candidate]:
    """Yield what all else rests on, where nothing else is known: a mistake is mostly made early."""
    actions = [step for step in timeline.steps if is_action(step) and not step.is_open]
    answers = [step for step in timeline.steps if get_said(step) and step.kind != "user_message"]
    yield from (Candidate(CandidateKind.FIRST_CALL, step) for step in actions[:1])
    yield from (Candidate(CandidateKind.FIRST_ANSWER, step) for step in _list_first_answers(answers))
    yield from (Candidate(CandidateKind.LAST_CALL, step) for step in actions[-1:])
    yield from (Candidate(CandidateKind.LAST_ANSWER, step) for step in answers[-1:])


def _list_first_answers(answers: Sequence[Step]) -> list[Step]:
    """Return the first answers of the first two agents, if several agents spoke."""
    by_agent: dict[str, Step] = {}
    for step in answers:
        by_agent.setdefault(step.event.agent_id, step)
    return list(by_agent.values())[:2] if len(by_agent) > 1 else []


def _pick_last(kind: CandidateKind, steps: Iterator[Step]) -> Iterator[Candidate]:
    last = max(steps, key=lambda step: step.number, default=None)
    if last is not None:
        yield Candidate(kind, last)


def _found_nothing(step: Step) -> bool:
    if step.is_open or is_failure(step):
        return False
    payload = step.event.payload
    answers = [payload[name] for name in ("documents", "output") if name in payload]
    return bool(answers) and all(answer in _EMPTY_ANSWERS for answer in answers)


def _read_confidence(step: Step) -> float | None:
    confidence = parse_amount(step.event.context.get("confidence")) if step.kind == "decision" else None
    return confidence if confidence is not None and confidence < MAX_CONFIDENCE else None
