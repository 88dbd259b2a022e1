"""The fast search for events that may hold a secret. One search covers the JSON of many events.

It finds every event that ``redact_secrets`` would change, and few others. Searching each text of each event would take
longer than the rest of recording. The patterns here match escaped characters in their JSON form.
"""

import re
from bisect import bisect
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from itertools import accumulate

import hyperscan

from .pasted_secrets import CODE_WORDS, COMMAND_WORDS, SIGNATURE_WORDS
from .secrets import (
    BEARER,
    CARD_PATTERN,
    CREDENTIAL,
    CREDENTIAL_NAMES,
    FLAG,
    MIN_TOKEN_LENGTH,
    OTHER_TOKEN_SHAPES,
    PASSWORD_OWNERS,
    PEM,
    PREFIXES,
    UNBROKEN_PREFIXES,
    WORD,
    has_card,
)

_NAMES = rf"(?:{CREDENTIAL_NAMES}|(?:{'|'.join(PASSWORD_OWNERS)})[-_]pass|token)"
# The exact names in these places would take twice as long to compile.
_ROUGH_NAMES = "(?:pass|pwd|secret|key|token|authorization|credential|cookie|cvv|cvc|ssn)"
_PREFIXES = "|".join(map(re.escape, PREFIXES + UNBROKEN_PREFIXES))
# One length for all prefixes: a length for each took ten times as long to compile.
_TOKEN_REST = rf"{WORD}{{{MIN_TOKEN_LENGTH - max(map(len, PREFIXES))}}}"
_SPACE = r"(?:\s|\\+[nrtf]|\\u00[0-9a-f]{2})"
_AFTER_NAME = r"""(?:\\\\|\\"|['*`\]])*"""
_QUOTES = r"""(?:\\\\|\\?"|')+"""
_MARKS = rf"(?:{_SPACE}|\\\\|\\?\"|')*"
_IN_TEXT = r'(?:[^"\\]|\\.)*'
_BEFORE_WORD = r"(?:[^A-Za-z0-9_-]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})"
_PAYLOAD_MEMBER = b'"payload":'
_CONTROL_CHARACTER = re.compile(rb"\\u00[01][0-9a-f](?=[0-9])")
"""How orjson writes a control character. Its digits aren't those of the card number that follows."""


class Hint(IntEnum):
    """The kind of a match. ``LABEL`` and ``CARD`` count only if the event holds something else too."""

    LABEL = 0
    CARD = 1
    CERTAIN = 2


_ANY_CASE = hyperscan.HS_FLAG_CASELESS
_PATTERNS = (
    (Hint.LABEL, _ANY_CASE, rf'(?:{_NAMES}|{CODE_WORDS}|"auth)"[,}}]'),
    (Hint.CARD, 0, r"[^\d.]" + CARD_PATTERN),
    (Hint.CARD, 0, r"\\u[0-9a-f]{4}" + CARD_PATTERN),  # by itself, because both in one expression take longer to search
    (Hint.CERTAIN, _ANY_CASE, rf'(?:{_NAMES}|"auth)":'),
    (Hint.CERTAIN, _ANY_CASE, rf"{_NAMES}{_AFTER_NAME}{_SPACE}*[:=]"),
    (Hint.CERTAIN, _ANY_CASE, rf"{FLAG}{_NAMES}(?:{_SPACE}|{_QUOTES}{_SPACE}*,)"),
    (Hint.CERTAIN, _ANY_CASE, rf"{BEARER}{_SPACE}+{CREDENTIAL}{{16}}"),
    (Hint.CERTAIN, 0, rf"{_BEFORE_WORD}(?:{_PREFIXES}){_TOKEN_REST}"),
    (Hint.CERTAIN, 0, rf"{_BEFORE_WORD}(?:{OTHER_TOKEN_SHAPES})"),
    (Hint.CERTAIN, 0, PEM),
    (Hint.CERTAIN, _ANY_CASE, rf"(?:name|key){_MARKS}(?:[:=>]|u003e|&gt;){_MARKS}[A-Za-z0-9_./:-]*{_ROUGH_NAMES}"),
    (Hint.CERTAIN, _ANY_CASE, rf"(?:<|u003c|&lt;)[A-Za-z0-9_.:-]*{_ROUGH_NAMES}"),
    (Hint.CERTAIN, _ANY_CASE, rf"(?:machine|default){_SPACE}+{_IN_TEXT}password{_SPACE}"),
    (Hint.CERTAIN, _ANY_CASE, rf"""password{_SPACE}+(?:\\\\)*(?:\\"|')"""),
    (Hint.CERTAIN, _ANY_CASE, rf"identified{_SPACE}+(?:with|by|as){_SPACE}"),
    (Hint.CERTAIN, _ANY_CASE, "convertto-securestring"),
    (Hint.CERTAIN, 0, rf"(?:{COMMAND_WORDS}){_IN_TEXT}-[A-Za-z]"),
    (Hint.CERTAIN, 0, rf'(?:{COMMAND_WORDS})[A-Za-z0-9_.-]*",'),
    (Hint.CERTAIN, _ANY_CASE, rf"(?:[?&;]|u0026|%26|%3f){SIGNATURE_WORDS}(?:=|%3d)"),
    (Hint.CERTAIN, _ANY_CASE, rf"""{CODE_WORDS}(?:"|{_AFTER_NAME}){_SPACE}*[:=]{_SPACE}*(?:\\\\|\\?"|['*`])*\d{{4}}"""),
    (Hint.CERTAIN, 0, r'://(?:[^\s:/"\\]|\\.)*:(?:[^\s/?#"\\]|\\.)+@'),
)


@cache
def _compile_database() -> hyperscan.Database:
    database = hyperscan.Database()
    hints, flags, expressions = zip(*_PATTERNS, strict=True)
    database.compile([text.encode() for text in expressions], hints, len(hints), flags)
    return database


class SecretScanner:
    """A scanner for one thread. The first scanner of a process takes 80 ms to make."""

    def __init__(self) -> None:
        self._database = _compile_database()
        self._scratch = hyperscan.Scratch(self._database)

    def find_suspects(self, values: Sequence[bytes]) -> list[int]:
        """Return the indices of the events that may hold a secret. Each is JSON as orjson writes it."""
        ends = list(accumulate(map((1).__add__, map(len, values))))  # behind each event and the newline that follows it
        hints_by_index: dict[int, set[int]] = {}

        def on_match(hint: int, _start: int, end: int, _flags: int, _context: object) -> None:
            index = bisect(ends, end)
            match_end = end - ends[index] + 1 + len(values[index])
            if match_end > values[index].find(_PAYLOAD_MEMBER):  # the ids before the payload are never redacted
                hints_by_index.setdefault(index, set()).add(hint)

        self._database.scan(b"\n".join(values), on_match, scratch=self._scratch)
        return [
            index
            for index, hints in hints_by_index.items()
            if any(_is_confirmed(hint, values[index]) for hint in hints)
        ]


def _is_confirmed(hint: int, value: bytes) -> bool:
    match hint:
        case Hint.LABEL:
            return b'"value":' in value or b'"Value":' in value or b"[[" in value or b',["' in value
        case Hint.CARD:
            return has_card(_CONTROL_CHARACTER.sub(b"\n", value).decode(errors="replace"))
    return True
