"""The ending of a session: what its end says, which failure it speaks of, and what came last. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agentlog.analysis.failures import get_error, is_action, is_after, is_failure, is_success
from agentlog.analysis.likeness import read_input
from agentlog.session.failure import find_error_in_answer
from agentlog.session.timeline import CALL_TYPES, Step, Timeline
from agentlog.text.step_text import format_payload_value, shorten_error, strip_error_prefix

MAX_TEXT_LENGTH = 4_000
MIN_WORD_LENGTH = 4
MAX_ERROR_WORDS = 12
_CALLS = CALL_TYPES | {"delegation_result"}

_WORD = re.compile(r"[a-z]{3,}|\d{3,}")
_CODE = re.compile(r"[A-Za-z]\w*(?:_\w+|[a-z][A-Z]\w*)|[A-Z]+\d+|\d{3,}")
"""A word that names an error: ``rate_limit``, ``TimeoutError``, ``E7``, ``550``."""
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_INPUT_WORD = re.compile(r"\w+(?:[-.@]\w+)*")
_NAMESPACE = re.compile(r"[.:/]|__")
_PLAIN_WORDS = frozenset(
    _WORD.findall(
        """about abort aborted after again agent answer been before being call calls cancel cancelled cannot code
        complete could couldn does done end ended error errors exit exited fail failed failing failure fatal
        file finish finished for from gave give given goal has have into its last limit line may more most must
        name new none not now once one only out output over reason result run session should some something
        status step stop stopped succeed such task tasks than that the them then there this too tool tools
        traceback tried try trying unable unknown user was were what when which while will with without work
        would wrong you your"""
    )
)
"""Words that say nothing about which call is meant."""
_PLAIN_TOOLS = frozenset(
    _WORD.findall("bash shell terminal python execute search read write open view edit browser editor find fetch query")
)
"""Names of tools that a text may have without speaking of a call."""
_DENIAL = re.compile(
    r"\b(?:can(?:'|no)t|can not|couldn'?t|could not|unable|fail\w*|errors?|sorry|unfortunately|down|unavailable|problem"
    r"|not (?:able|possible|find|found|available)|(?:did|was|were|does|is|has|have|wo|would)(?:n'?t| not)"
    r"|refus\w+|den(?:y|ied)|reject\w*|timed? ?out|issue)\b",
    re.I,
)
_GOING_ON = re.compile(
    r"```|\b(?:let'?s|let (?:us|me)|i'?ll|i will|we'?ll|we (?:will|can|should|need)|here(?:'s| is))\b", re.I
)
"""Words of an answer that is not the last word: it goes on with the work."""
_SESSION_LIMIT = re.compile(
    r"deadline|time.?out|timed.out|limit|exceed|budget|maximum|max[_ ]|iteration|exhaust|out.of.turns", re.I
)
_PROVIDER_LIMIT = re.compile(r"rate.?limit|too.many.requests|429", re.I)


class Ending(NamedTuple):
    """How a session ended.

    Attributes:
        end: the ``session_end`` of the session's own lane, or None.
        text: what the end says went wrong, together with the last ``error`` event if nothing was done after it.
        has_hit_limit: whether that text, or the last error before it, names a limit of the session itself.
    """

    end: Step | None
    text: str
    has_hit_limit: bool

    @property
    def is_specific(self) -> bool:
        """Whether the end says more than that it failed."""
        return any(word not in _PLAIN_WORDS for word in _list_words(self.text))


def read_ending(lane_steps: Sequence[Step]) -> Ending:
    """Read the end of the session's own lane."""
    end = next((step for step in reversed(lane_steps) if step.kind == "session_end"), None)
    last_errors = [step for step in lane_steps if step.kind in ("session_end", "error")][-2:]
    limit_text = " ".join(format_payload_value(step.error) for step in last_errors if step.error is not None)
    has_hit_limit = _SESSION_LIMIT.search(_PROVIDER_LIMIT.sub("", limit_text)) is not None
    return Ending(end, " ".join(_list_texts(lane_steps)), has_hit_limit)


def _list_texts(lane_steps: Sequence[Step]) -> Iterator[str]:
    for step in reversed(lane_steps):
        if step.kind == "session_end":
            for name in ("error", "reason", "message") + (
                ("result",) if step.event.payload.get("status") == "failed" else ()
            ):
                if step.event.payload.get(name):
                    yield format_payload_value(step.event.payload[name])[:MAX_TEXT_LENGTH]
        elif step.kind == "error":
            yield format_payload_value(step.error)[:MAX_TEXT_LENGTH]
        elif is_action(step) or step.kind in ("delegation", "delegation_result"):
            return


def find_end_error(end: Step) -> str:
    """Return the error of a session's end: as recorded, or what its result states; an empty text if there is none."""
    if end.error is not None:
        return format_payload_value(end.error)
    return find_error_in_answer("tool_call", None, end.event.payload.get("result"), lambda: None) or ""


def find_last_errors(lane_steps: Sequence[Step]) -> list[Step]:
    """Return the ``error`` events of a lane after which no call succeeded."""
    errors: list[Step] = []
    for step in reversed(lane_steps):
        if step.kind == "error":
            errors.append(step)
        elif step.kind in _CALLS and is_success(step):
            break
    return errors[::-1]


def find_answer(timeline: Timeline, failure: Step) -> Step | None:
    """Return the last answer of an agent or a model after a failure; if there is none, what the user said last."""
    said = [
        step
        for step in timeline.steps[failure.number :]
        if get_said(step) and is_after(step, failure) and not is_failure(step)
    ]
    return next((step for step in reversed(said) if step.kind != "user_message"), said[-1] if said else None)


def get_said(step: Step) -> str:
    """Return what a step says to a person; an empty text if it says nothing."""
    payload = step.event.payload
    said = {
        "agent_message": payload.get("text"),
        "user_message": payload.get("text"),
        "llm_call": payload.get("output"),
        "decision": payload.get("action"),
    }.get(step.kind)
    return format_payload_value(said)[:MAX_TEXT_LENGTH] if said else ""


def admits(text: str, failure: Step, *, is_last: bool = False) -> bool:
    """Whether an answer says that something didn't work, speaks of this failure, and leaves it at that."""
    is_denial = _DENIAL.search(text) is not None and _GOING_ON.search(text) is None
    return is_denial and speaks_of(text, failure, is_last=is_last)


def count_names(text: str, failure: Step) -> tuple[bool, int]:
    """Return whether a text names a failed call, and how many words of its input stand in the text."""
    words = set(_INPUT_WORD.findall(text.lower()))
    given = {word.lower() for field in read_input(failure).values() for word in field}
    return names_call(text, failure.label), len(given & words - _PLAIN_WORDS)


def speaks_of(text: str, failure: Step, *, is_last: bool = False) -> bool:
    """Whether a text names a failed call or repeats its error.

    One everyday word ("timeout") may speak of anything else. It counts only if nothing succeeded after the failure
    (``is_last``).
    """
    return names_call(text, failure.label) or repeats_error(text, failure, min_words=1 if is_last else 2)


def names_call(text: str, label: str) -> bool:
    """Return whether a text has the name of a call, or the words of its name in any form: "created an invoice"."""
    if len(label) < MIN_WORD_LENGTH:
        return False
    name_words = _list_words(_NAMESPACE.split(label)[-1])
    if len(name_words) < 2:
        name_words = _list_words(label)
    name_words = [word for word in name_words if word not in _PLAIN_WORDS]
    if label.lower() not in _PLAIN_TOOLS | _PLAIN_WORDS and re.search(rf"(?<!\w){re.escape(label)}(?!\w)", text, re.I):
        return True
    words = _list_words(text)
    return len(name_words) >= 2 and all(_has_stem(words, word) for word in name_words)


def repeats_error(text: str, step: Step, min_words: int) -> bool:
    """Return whether a text repeats a step's error with at least so many words that aren't plain, or with its code."""
    error = get_error(step)
    error_text = strip_error_prefix(format_payload_value(error)[:400].strip())
    error_words = [word for word in _list_words(error_text) if word not in _PLAIN_WORDS][:MAX_ERROR_WORDS]
    if len(error_words) >= min_words and _has_phrase(text.lower(), error_text.lower()):
        return True
    code = _CODE.fullmatch(shorten_error(error).strip())
    if code is not None and (min_words < 2 or not code[0].isdecimal()) and _has_phrase(text, code[0]):
        return True
    words = _list_words(text)
    shared = sum(_has_stem(words, word) for word in error_words)
    return shared >= 2 and shared * 2 >= len(error_words)


def _has_phrase(text: str, phrase: str) -> bool:
    """Return whether a phrase that isn't empty stands in a text, as whole words."""
    phrase = phrase.strip(" .!\n")
    return bool(phrase) and re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text) is not None


def _has_stem(words: Sequence[str], word: str) -> bool:
    """Return whether a word occurs in some form: with another ending."""
    if word.isdecimal():
        return word in words
    stem = word if len(word) <= MIN_WORD_LENGTH else word[: max(MIN_WORD_LENGTH, len(word) - 2)]
    return any(each.startswith(stem) for each in words)


def _list_words(text: str) -> list[str]:
    return list(dict.fromkeys(_WORD.findall(_CAMEL.sub(" ", text).lower().replace("_", " "))))
