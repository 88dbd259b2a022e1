"""The candidates: the steps to look at where no rule is sure, each with its reason. Pure."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from agentlog.analysis.causality import CauseGraph
from agentlog.analysis.failures import is_action, is_cancelled, is_failure
from agentlog.event.event import parse_amount
from agentlog.session.timeline import Step, Timeline

from .ending import Ending, get_said, names_call

MAX_CANDIDATES = 5
MAX_CONFIDENCE = 0.6
"""A decision that was taken with less confidence is a candidate."""
_EMPTY_ANSWERS: tuple[object, ...] = ("", [], {}, "[]", "{}", "null", "None")


class CandidateKind(StrEnum):
    """The reason for a candidate; docs/kshark.md explains each."""

    LOOP = "loop"
    OPEN_CALL = "open_call"
    ERROR = "error"
    NEVER_MADE_GOOD = "never_made_good"
    NAMED_BY_END = "named_by_end"
    CANCELLED = "cancelled"
    HANDED_OVER = "handed_over"
    LONG_RUN = "long_run"
    OBJECTION = "objection"
    FOUND_NOTHING = "found_nothing"
    LOW_CONFIDENCE = "low_confidence"
    LAST_ANSWER = "last_answer"


class Candidate(NamedTuple):
    """A step that may be where a session went wrong.

    Attributes:
        decision: the decision, or another step with a reason, that led there; None if there is none.
    """

    kind: CandidateKind
    step: Step
    decision: Step | None = None


def list_candidates(
    found: Sequence[Candidate], timeline: Timeline, ending: Ending, causes: CauseGraph
) -> list[Candidate]:
    """Return the candidates of the rules that apply, and then the hints of the events themselves; each step once."""
    candidates: dict[Step, Candidate] = {}
    for candidate in (*found, *_list_hints(timeline, ending)):
        candidates.setdefault(candidate.step, candidate)
    return [
        candidate._replace(decision=causes.get_reason(candidate.step))
        for candidate in list(candidates.values())[:MAX_CANDIDATES]
    ]


def _list_hints(timeline: Timeline, ending: Ending) -> Iterator[Candidate]:
    """Yield what the events say besides errors: a name at the end, a cancelled call, an objection, an empty answer."""
    steps = timeline.steps
    actions = [step for step in steps if is_action(step)]
    yield from _pick_last(CandidateKind.NAMED_BY_END, (step for step in actions if names_call(ending.text, step)))
    yield from _pick_last(CandidateKind.CANCELLED, (step for step in steps if is_cancelled(step)))
    said = [step for step in steps if get_said(step)]
    if said and said[-1].kind == "user_message" and len(said) > 1:
        yield Candidate(CandidateKind.OBJECTION, said[-1])
    yield from _pick_last(CandidateKind.FOUND_NOTHING, filter(_found_nothing, actions))
    decisions = [(confidence, step) for step in steps if (confidence := _read_confidence(step)) is not None]
    if decisions:
        yield Candidate(CandidateKind.LOW_CONFIDENCE, min(decisions, key=lambda each: each[0])[1])
    yield from _pick_last(CandidateKind.LAST_ANSWER, (step for step in said if step.kind != "user_message"))


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
