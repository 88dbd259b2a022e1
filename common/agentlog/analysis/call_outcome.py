"""What can be told of calls by their names and answers: which failed, which hand over, which repeat. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_PERIOD = 8
"""A loop may be made of so many different calls."""

THOUGHTS = frozenset({"think", "plan", "reason", "reflect", "sequential_thinking", "sequentialthinking"})
"""Tools that merely take down what the model thinks."""

_ERROR_TEXT = re.compile(r"\s*(?:error|exception|traceback \(most recent call last\)|fatal|failed)\b\s*[:(\n]", re.I)
_FAILING = frozenset({"ok", "success", "exit_code", "returncode", "isError", "is_error", "error"})
_HAND_OVER = re.compile(r"(?:transfer|hand|escalate|forward|route)\w*?_?(?:to_|over_?|off_?)\w*", re.I)
_TO_PERSON = re.compile(r"human|agent|person|operator|support|representative|supervisor", re.I)


def failed(kind: str, payload: Mapping[str, Any]) -> bool:
    """Whether a call ended in an error, by its ``error``, or by what it answered."""
    if payload.get("error") or kind == "error":
        return True
    return kind == "tool_call" and _answer_failed(payload.get("output"))


def _answer_failed(output: Any) -> bool:
    if isinstance(output, str):
        return _ERROR_TEXT.match(output[:80]) is not None
    if not isinstance(output, Mapping) or _FAILING.isdisjoint(output):
        return False
    says_no = any(output.get(name) is False for name in ("ok", "success"))
    code = output.get("exit_code", output.get("returncode", 0))
    return (
        bool(output.get("isError") or output.get("is_error") or output.get("error")) or says_no or code not in (0, None)
    )


def hands_over(label: str) -> bool:
    """Whether a tool's name says that it hands over to a person."""
    return _HAND_OVER.search(label) is not None and _TO_PERSON.search(label) is not None


def period(acts: Sequence[int], at: int) -> tuple[int, int]:
    """The shortest group of calls from ``at`` on that comes again at once, and how often it comes; (1, 1) if none.

    A single call counts from its second time on, a group of several from its third.
    """
    for length in range(1, LONGEST_PERIOD + 1):
        if at + length >= len(acts) or acts[at] != acts[at + length]:
            continue
        times, group = 1, acts[at : at + length]
        while acts[at + length * times : at + length * (times + 1)] == group:
            times += 1
        if times >= (2 if length == 1 else 3):
            return length, times
    return 1, 1
