"""How answers and calls ended by their ``finish_reason``: an answer that isn't whole, a call that waits. Pure."""

import re
from collections.abc import Sequence

from agentlog.analysis.failures import get_error, is_action, is_cancelled, is_failure
from agentlog.event.event import parse_amount
from agentlog.session.timeline import Step
from agentlog.text.step_text import format_payload_value

from .ending import get_said

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
_CUT_WORDS = r"truncat|cut (?:off|short)|finish.?reason|incomplete (?:answer|output|response)"
_FINISH_WORDS = {
    finish: re.compile(rf"{words}|{_CUT_WORDS}", re.I)
    for finish, words in {
        "length": r"max\w*[ _](?:\w+[ _])?tokens|\btokens? (?:limit|budget)|(?:limit|out) of (?:\w+ )?tokens",
        "refusal": r"\brefusals?\b|\b(?:model|assistant|llm|answer)\b.{0,40}\b(?:refus|declin)",
        "content_filter": r"content[ _-]?(?:filter|policy)|moderation|\bsafety\b",
        "incomplete": r"\bincomplete\b",
    }.items()
}
"""Words of an end that speaks of such an answer."""
_BROKEN = re.compile(
    r"json|unterminated|unexpected (?:end|eof)|\beof\b|pars(?:e|ing)|decod|malformed|invalid arguments?", re.I
)
"""Words of an error that comes of an answer which was cut off in the middle of a call's arguments."""
MAX_VERDICT_TOKENS = 16
"""An answer that was meant to be this short, as a check's "yes" is, is whole though it ends at its limit."""
CHARACTERS_PER_TOKEN = 4
"""About how many characters of English a token has, where the tokens of an answer aren't recorded."""
_MESSAGES = frozenset({"agent_message", "user_message"})


def get_finish(step: Step) -> str:
    """Return the ``finish_reason`` of a step, or an empty text."""
    reason = step.event.payload.get("finish_reason")
    return reason if isinstance(reason, str) else ""


def is_cut(step: Step) -> bool:
    """Whether an answer isn't whole, by its ``finish_reason``. One of a few tokens that ends at its limit is."""
    finish, tokens = get_finish(step), parse_amount(step.event.payload.get("output_tokens"))
    if tokens is None:
        tokens = len(get_said(step)) / CHARACTERS_PER_TOKEN
    is_verdict = finish == "length" and 0 < tokens <= MAX_VERDICT_TOKENS
    return finish in CUT_FINISHES and not is_verdict and not is_failure(step)


def find_cut_answer(lane_steps: Sequence[Step]) -> Step | None:
    """Return the last answer of a model, if it isn't whole and nothing was done or asked after it.

    A call that failed because its arguments were cut off, too, is nothing that was done.
    """
    for step in reversed(lane_steps):
        if step.kind == "llm_call":
            return step if is_cut(step) else None
        if is_action(step) and is_failure(step) and _BROKEN.search(format_payload_value(get_error(step))):
            continue
        if is_action(step) or step.kind in ("delegation", "delegation_result", "user_message"):
            return None
    return None


def has_answered_before(lane_steps: Sequence[Step], answer: Step) -> bool:
    """Whether the agent had its say before ``answer`` began, and nobody has asked since."""
    spoken = [step for step in lane_steps if step.number < answer.number and step.kind in _MESSAGES]
    return bool(spoken) and spoken[-1].kind == "agent_message"


def find_waiting_call(steps: Sequence[Step]) -> Step | None:
    """Return the last call that waits: for a person, for the graph or for the service.

    A later call of the same name has taken its place, and a user who spoke since has answered.
    """
    later_names = set[str]()
    for step in reversed(steps):
        if step.kind == "user_message":
            return None
        if get_finish(step) in WAITING_FINISHES and step.label not in later_names:
            return None if is_failure(step) or is_cancelled(step) else step
        later_names.add(step.label)
    return None


def speaks_of_finish(text: str, answer: Step) -> bool:
    """Whether a text says that an answer wasn't whole, or what came of it."""
    return _FINISH_WORDS[get_finish(answer)].search(text) is not None or _BROKEN.search(text) is not None
