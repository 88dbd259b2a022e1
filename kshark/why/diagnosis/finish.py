"""How answers and calls ended by their ``finish_reason``: an answer that isn't whole, a call that waits. Pure."""

import re
from collections.abc import Sequence

from agentlog.analysis.failures import is_action, is_cancelled, is_failure
from agentlog.event.event import parse_amount
from agentlog.session.timeline import Step

CUT_FINISHES = {
    "length": "was cut off at the limit of its tokens",
    "refusal": "is a refusal of the model",
    "content_filter": "was stopped by a filter of the service",
    "incomplete": "ended before it was whole",
}
"""The values of ``finish_reason`` of an answer that isn't whole, as the end of a sentence."""
WAITING_FINISHES = {
    "waiting_for_approval": "waits for a person's approval",
    "interrupted": "was paused, and wasn't called again",
    "paused": "was paused by the service, and wasn't asked to go on",
    "queued": "is queued at the service, and wasn't fetched",
    "in_progress": "is being made at the service, and wasn't fetched",
}
"""The values of ``finish_reason`` of a call that isn't done yet, as the end of a sentence."""
_FINISH_WORDS = re.compile(
    r"tokens?\b|\blength|truncat|cut (?:off|short)|incomplete|refus|content.?filter|policy", re.I
)
MAX_VERDICT_TOKENS = 16
"""An answer that was meant to be this short, as a check's "yes" is, is whole though it ends at its limit."""
_ENDS = frozenset({"session_end", "error"})


def get_finish(step: Step) -> str:
    """Return the ``finish_reason`` of a step, or an empty text."""
    reason = step.event.payload.get("finish_reason")
    return reason if isinstance(reason, str) else ""


def is_cut(step: Step) -> bool:
    """Whether an answer isn't whole, by its ``finish_reason``. One of a few tokens that ends at its limit is."""
    finish, tokens = get_finish(step), parse_amount(step.event.payload.get("output_tokens"))
    is_verdict = finish == "length" and tokens is not None and 0 < tokens <= MAX_VERDICT_TOKENS
    return finish in CUT_FINISHES and not is_verdict and not is_failure(step)


def find_cut_answer(lane_steps: Sequence[Step]) -> Step | None:
    """Return the last answer of a model, if it isn't whole and nothing was done or asked after it."""
    for step in reversed(lane_steps):
        if step.kind == "llm_call":
            return step if is_cut(step) else None
        if is_action(step) or step.kind in ("delegation", "delegation_result", "user_message"):
            return None
    return None


def find_waiting_call(lane_steps: Sequence[Step]) -> Step | None:
    """Return the last call of a lane, if it waits: for a person, for the graph or for the service."""
    for step in reversed(lane_steps):
        if get_finish(step) in WAITING_FINISHES:
            return None if is_failure(step) or is_cancelled(step) else step
        if step.kind not in _ENDS:
            return None
    return None


def speaks_of_finish(text: str) -> bool:
    """Whether a text says that an answer wasn't whole, or why."""
    return _FINISH_WORDS.search(text) is not None
