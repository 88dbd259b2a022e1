"""Normalization: what differs between two runs without meaning anything, such as times, ids and metrics. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import orjson
from rapidfuzz import fuzz

from .id_words import classify_word, find_digit_words

METRICS = frozenset({
    "cached_tokens", "completion_tokens", "cost", "cost_usd", "duration_ms", "elapsed_ms", "input_tokens",
    "latency_ms", "output_tokens", "prompt_tokens", "total_tokens", "usage",
})  # fmt: skip
"""Members of a payload that hold the cost of a step. They are compared as totals, never step by step."""

_TIME_KEYS = (
    r"(?:.*_)?(?:timestamp|ts|created|updated|modified|created_at|updated_at|modified_at|started_at|ended_at|"
    r"finished_at|completed_at|fetched_at|received_at|expires_at|expires|now|latency_ms|duration|duration_ms|"
    r"duration_s|elapsed|elapsed_ms|elapsed_s|took|took_ms)"
)
_REQUEST_ID_KEYS = (
    r"(?:request|trace|span|correlation|run|attempt|operation|invocation)_?id|nonce|etag|x-request-id|traceparent"
)
_CREDENTIAL_KEYS = r"(?:access_|refresh_|auth_|id_|session_|api_)?token|authorization|signature|cookie|api_key"
_VOLATILE_KEY = re.compile(rf"(?:{_TIME_KEYS}|{_REQUEST_ID_KEYS}|{_CREDENTIAL_KEYS})", re.I)
_ID_KEY = re.compile(r"(?:.*[_-])?(?:id|uuid|guid|key|ref)|.*(?:Id|Uuid|Key|Ref)|(?:call|invoice|order)_?number", re.A)

_NUMBERS_AND_NEGATIONS = re.compile(
    r"\d+(?:[.,:]\d+)*|\b(?:no|not|never|none|without|cannot|can't|don't|doesn't|won't|didn't)\b", re.I
)

MAX_CLEANED_LEVELS = 200
"""Deeper levels of a value are not cleaned: ``drop_ignored`` calls itself for each level."""
MIN_REWORDING_SIMILARITY = 60.0
"""Two texts that share this percentage of their words, and all numbers and negations, count as reworded."""


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The user's rules of what makes no difference.

    Attributes:
        ignored_paths: paths inside an event, such as ``payload.input.request_id``. ``*`` stands for any one member.
            Everything below a path is ignored too.
        patterns: texts that match a pattern count as equal.
    """

    ignored_paths: tuple[tuple[str, ...], ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()

    def ignores(self, path: tuple[str, ...]) -> bool:
        """Whether the value at ``path`` makes no difference."""
        return any(_is_below(ignored, path) for ignored in self.ignored_paths)


def _is_below(ignored: tuple[str, ...], path: tuple[str, ...]) -> bool:
    named_path = tuple(part for part in path if not part.isdigit()) if len(path) > len(ignored) else path
    return any(
        len(candidate) >= len(ignored) and all(r in ("*", p) for r, p in zip(ignored, candidate, strict=False))
        for candidate in (path, named_path)
    )


def parse_ignore_rules(ignored: Iterable[str], patterns: Iterable[str]) -> IgnoreRules:
    """Parse rules as a user writes them.

    Raises:
        re.error: a pattern is not a regular expression.
    """
    paths = (tuple(part for part in path.replace("[", ".").replace("]", "").split(".") if part) for path in ignored)
    return IgnoreRules(tuple(p for p in paths if p), tuple(re.compile(pattern) for pattern in patterns))


@lru_cache(maxsize=65_536)
def is_volatile_key(key: str) -> bool:
    """Whether a member of this name differs from run to run without any meaning."""
    return _VOLATILE_KEY.fullmatch(key) is not None


class NormalizedText(NamedTuple):
    """A text with placeholders for what differs from run to run.

    Attributes:
        literal: the text with placeholders for times and random ids.
        form: the text with placeholders for all ids too, and for durations if they are masked.
        id_hashes: the hashes of the ids, in their order.
    """

    literal: str
    form: str
    id_hashes: tuple[int, ...]


def normalize_text(text: str, rules: IgnoreRules, *, should_mask_durations: bool = False) -> NormalizedText:
    """Return the forms in which ``text`` is compared.

    Args:
        should_mask_durations: replace durations in the form. They are noise in a call's result, but not in its
            arguments.
    """
    text = _mask_patterns(text, rules)
    literal: list[str] = []
    form: list[str] = []
    id_hashes: list[int] = []
    position = 0
    for start, word in find_digit_words(text):
        placeholder, kind, id_hash = classify_word(word)
        if not kind:
            continue
        between, position = text[position:start], start + len(word)
        literal += between, placeholder if kind in _VOLATILE_KINDS else word
        form += between, word if kind == "span" and not should_mask_durations else placeholder
        if id_hash:
            id_hashes.append(id_hash)
    if not position:
        return NormalizedText(text, text, ())
    return NormalizedText("".join([*literal, text[position:]]), "".join([*form, text[position:]]), tuple(id_hashes))


_VOLATILE_KINDS = frozenset({"clock", "random"})


def _mask_patterns(text: str, rules: IgnoreRules) -> str:
    for pattern in rules.patterns:
        text = pattern.sub("<ignored>", text)
    return text


@lru_cache(maxsize=65_536)
def is_id_key(key: str) -> bool:
    """Whether a member of this name holds an id."""
    return _ID_KEY.fullmatch(key) is not None


def drop_ignored(value: Any, rules: IgnoreRules, path: tuple[str, ...], excluded: frozenset[str] = frozenset()) -> Any:
    """Return ``value`` without the members that make no difference. At the top, those in ``excluded`` are left out too.

    Levels below ``MAX_CLEANED_LEVELS`` stay as they are.
    """
    if len(path) > MAX_CLEANED_LEVELS:
        return value
    if isinstance(value, dict):
        ignored_names = _select_ignored_names(tuple(value), excluded)
        if rules.ignored_paths:
            ignored_names = ignored_names.union(key for key in value if rules.ignores((*path, key)))
        if not ignored_names and not any(member.__class__ in _NESTED for member in value.values()):
            return value
        return {
            key: drop_ignored(member, rules, (*path, key)) if member.__class__ in _NESTED else member
            for key, member in value.items()
            if key not in ignored_names
        }
    if isinstance(value, list) and any(member.__class__ in _NESTED for member in value):
        return [
            drop_ignored(item, rules, (*path, str(index))) if item.__class__ in _NESTED else item
            for index, item in enumerate(value)
        ]
    return value


_NESTED = (dict, list)


@lru_cache(maxsize=4_096)
def _select_ignored_names(names: tuple[str, ...], excluded: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name in names if name in excluded or is_volatile_key(name))


def to_text(value: Any) -> str:
    """Return ``value`` as JSON; a text as it is."""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()
    except TypeError:  # a number of more than 64 bits, or more than 254 levels
        return msgspec.json.encode(value, order="sorted").decode()


def parse_json_text(text: str) -> Any:
    """Return the object or list that a JSON text holds, else the text."""
    if text[:1] in ("{", "["):
        try:
            return orjson.loads(text)
        except ValueError:
            return text
    return text


def measure_similarity(a: str, b: str) -> float:
    """Return how much of their words two texts share, in percent."""
    return fuzz.token_sort_ratio(a[:4000], b[:4000])


def is_rewording(a: str, b: str) -> bool:
    """Whether two texts say the same in other words. Only words are compared, not their meaning.

    Numbers and negations must be equal, and most other words too.
    """
    if sorted(match.lower() for match in _NUMBERS_AND_NEGATIONS.findall(a)) != sorted(
        match.lower() for match in _NUMBERS_AND_NEGATIONS.findall(b)
    ):
        return False
    return measure_similarity(a.lower(), b.lower()) >= MIN_REWORDING_SIMILARITY
