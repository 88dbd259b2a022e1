"""Which of many events may hold a secret: one search for all that can be one, over their JSON as it lies there.

It finds whatever ``without_secrets`` would change, and little else: looking at each text of each event would cost more
than all the rest of recording. What JSON escapes is written here as it stands in JSON.
"""

import re
from bisect import bisect
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from itertools import accumulate

import hyperscan

from .secrets import (
    BEARER,
    CARD,
    CREDENTIAL,
    FLAG,
    NAMES,
    OTHER_SHAPES,
    PEM,
    PREFIXES,
    SHORTEST_TOKEN,
    UNBROKEN_PREFIXES,
    WHOSE_PASS,
    W,
    has_card,
)

_NAMES = rf"(?:{NAMES}|(?:{'|'.join(WHOSE_PASS)})[-_]pass|token)"
_PREFIXES = "|".join(map(re.escape, PREFIXES + UNBROKEN_PREFIXES))
_REST = rf"{W}{{{SHORTEST_TOKEN - max(map(len, PREFIXES))}}}"  # of each its own took ten times as long to compile
_SPACE = r"(?:\s|\\[nrtf]|\\u00[0-9a-f]{2})"
_AFTER_NAME = r"""(?:\\\\|\\"|['*`\]])*"""
_QUOTES = r"""(?:\\\\|\\?"|')+"""
_BEFORE_WORD = r"(?:[^A-Za-z0-9_-]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})"
_BEFORE_DIGIT = r"(?:[^\d.]|\\u[0-9a-f]{4})"
_CONTENTS = b'"payload":'
_ESCAPE = re.compile(rb"\\(?:u[0-9a-f]{4}|.)")


class Hint(IntEnum):
    """What was found; the first two only together with something else."""

    LABEL = 0
    CARD = 1
    CERTAIN = 2


_ANY_CASE = hyperscan.HS_FLAG_CASELESS
_SOUGHT = (
    (Hint.LABEL, _ANY_CASE, rf'(?:{_NAMES}|"auth)"[,}}]'),
    (Hint.CARD, 0, _BEFORE_DIGIT + CARD),
    (Hint.CERTAIN, _ANY_CASE, rf'(?:{_NAMES}|"auth)":'),
    (Hint.CERTAIN, _ANY_CASE, rf"{_NAMES}{_AFTER_NAME}{_SPACE}*[:=]"),
    (Hint.CERTAIN, _ANY_CASE, rf"{FLAG}{_NAMES}(?:{_SPACE}|{_QUOTES}{_SPACE}*,)"),
    (Hint.CERTAIN, _ANY_CASE, rf"{BEARER}{_SPACE}+{CREDENTIAL}{{16}}"),
    (Hint.CERTAIN, 0, rf"{_BEFORE_WORD}(?:{_PREFIXES}){_REST}"),
    (Hint.CERTAIN, 0, rf"{_BEFORE_WORD}(?:{OTHER_SHAPES})"),
    (Hint.CERTAIN, 0, PEM),
    (Hint.CERTAIN, 0, r'://(?:[^\s:/"\\]|\\.)*:(?:[^\s/?#"\\]|\\.)+@'),
)


@cache
def _compiled() -> hyperscan.Database:
    database = hyperscan.Database()
    hints, flags, expressions = zip(*_SOUGHT, strict=True)
    database.compile([text.encode() for text in expressions], hints, len(hints), flags)
    return database


class Search:
    """One thread's search. The first one of a process takes 80 ms to make."""

    def __init__(self) -> None:
        self._database = _compiled()
        self._scratch = hyperscan.Scratch(self._database)

    def suspects(self, values: Sequence[bytes]) -> list[int]:
        """Which of ``values``, by their place, may hold a secret; each is an event as orjson writes it."""
        ends = list(accumulate(map(len, values), lambda end, length: end + 1 + length))
        found: dict[int, set[int]] = {}

        def on_match(hint: int, _start: int, end: int, _flags: int, _context: object) -> None:
            at = bisect(ends, end - 1)
            if end - ends[at] + len(values[at]) > values[at].find(_CONTENTS):  # who recorded is kept, secret or not
                found.setdefault(at, set()).add(hint)

        self._database.scan(b"\n".join(values), on_match, scratch=self._scratch)
        return [at for at, hints in found.items() if any(_confirmed(hint, values[at]) for hint in hints)]


def _confirmed(hint: int, value: bytes) -> bool:
    match hint:
        case Hint.LABEL:
            return b'"value":' in value or b'"Value":' in value or b"[[" in value
        case Hint.CARD:
            return has_card(_ESCAPE.sub(b"\n", value).decode(errors="replace"))
    return True
