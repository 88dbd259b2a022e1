"""The outcome of calls, from their names: which hand over or repeat. Pure."""

import re
from collections.abc import Sequence

MAX_PERIOD = 8
"""The largest number of calls in a group that repeats."""

THOUGHT_TOOLS = frozenset({"think", "plan", "reason", "reflect", "sequential_thinking", "sequentialthinking"})
"""Tools that only note down the model's thoughts."""

_HAND_OVER = re.compile(r"(?:transfer|hand|escalate|forward|route)\w*?_?(?:to_|over_?|off_?)\w*", re.I)
_TO_PERSON = re.compile(r"human|agent|person|operator|support|representative|supervisor", re.I)


def is_handover(label: str) -> bool:
    """Whether a tool's name says that the tool hands over to a person."""
    return _HAND_OVER.search(label) is not None and _TO_PERSON.search(label) is not None


def find_period(call_hashes: Sequence[int], start: int) -> tuple[int, int]:
    """Return the length of the shortest group of calls from ``start`` on that repeats, and how often it occurs.

    A single call must occur twice or more in a row, a group of several calls three times or more. Without such a
    group, return (1, 1).
    """
    for length in range(1, MAX_PERIOD + 1):
        if start + length >= len(call_hashes) or call_hashes[start] != call_hashes[start + length]:
            continue
        times, group = 1, call_hashes[start : start + length]
        while call_hashes[start + length * times : start + length * (times + 1)] == group:
            times += 1
        if times >= (2 if length == 1 else 3):
            return length, times
    return 1, 1
