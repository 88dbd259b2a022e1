"""The rules that find something in texts and replace it, without keeping other threads from running. Pure.

`re` keeps the interpreter for a whole search. So Hyperscan first tells which rules can apply to a text at all. It keeps
no interpreter, and takes 10 ms for 5 MB. A rule that can apply then searches a long text piece by piece.
"""

import re
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

import hyperscan

PIECE_CHARACTERS = 8_192
"""The longest piece. The slowest rule takes about a millisecond for it."""


class TextRule(NamedTuple):
    """A rule for texts.

    Attributes:
        hint: an expression for Hyperscan. It is found in every text in which ``pattern`` is found, and in few others.
        pattern: what the rule finds. It must not match an empty text.
        replace: makes the text that stands in its place.
    """

    hint: str
    pattern: re.Pattern[str]
    replace: Callable[[re.Match[str]], str]


class TextRules:
    """Rules that apply to a text one after the other. Any thread may use them.

    Args:
        rules: the rules.
    """

    def __init__(self, rules: Sequence[TextRule]) -> None:
        self._rules = rules
        self._threads = threading.local()

    def apply(self, text: str) -> str:
        """Return ``text`` as the rules make it."""
        possible = self._find_possible_rules(text)
        for number, rule in enumerate(self._rules):
            if number not in possible:
                continue
            changed = replace_matches(rule.pattern, rule.replace, text)
            if changed != text:
                text, possible = changed, self._find_possible_rules(changed)
        return text

    def _find_possible_rules(self, text: str) -> Collection[int]:
        """Return the numbers of the rules whose hints are in ``text``; all numbers if the search fails."""
        found = set[int]()

        def on_match(number: int, _start: int, _end: int, _flags: int, _context: Any) -> None:
            found.add(number)

        try:
            if not hasattr(self._threads, "scratch"):
                self._threads.scratch = hyperscan.Scratch(self._database)
            self._database.scan(text.encode("utf-8", "surrogatepass"), on_match, scratch=self._threads.scratch)
        except Exception:  # noqa: BLE001  slower, but no secret is sent
            return range(len(self._rules))
        return found

    @cached_property
    def _database(self) -> hyperscan.Database:
        hints = [rule.hint.encode() for rule in self._rules]
        database = hyperscan.Database()
        database.compile(hints, range(len(hints)), len(hints), [hyperscan.HS_FLAG_SINGLEMATCH] * len(hints))
        return database


def find_matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield the same matches as ``pattern.finditer``, for a pattern that doesn't match an empty text.

    In a long text, a search looks for a match that begins within the next piece. It may end anywhere.
    """
    if len(text) <= PIECE_CHARACTERS:
        yield from pattern.finditer(text)
        return
    before_match = _compile_before_match(pattern)
    position = 0
    while position < len(text):
        before = before_match.match(text, position)
        match = before and pattern.match(text, before.end())
        if match:
            yield match
        position = match.end() if match else position + PIECE_CHARACTERS


def replace_matches(pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], text: str) -> str:
    """Return the same as ``pattern.sub(replace, text)``, for a pattern that doesn't match an empty text."""
    if len(text) <= PIECE_CHARACTERS:
        return pattern.sub(replace, text)
    parts, end = list[str](), 0
    for match in find_matches(pattern, text):
        parts += text[end : match.start()], replace(match)
        end = match.end()
    return "".join((*parts, text[end:]))


@cache
def _compile_before_match(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """Return a pattern of what stands before the first match that begins within a piece."""
    return re.compile(rf"(?s:.){{0,{PIECE_CHARACTERS - 1}}}?(?=(?:{pattern.pattern}))", pattern.flags)
