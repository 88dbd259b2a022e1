"""The likeness of calls: whether a later call asks for the same as one that failed. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

import msgspec

from ..session.timeline import Step

Words = frozenset[str]
Fields = Mapping[str, Words]
"""The input of a call: the words of each of its fields."""

MIN_SHARED_WORDS = 0.8
"""A later text is alike if it has this share of the words of the failed call's text."""
MAX_TARGET_WORDS = 20
"""A target of more words is a text or a program, which may change as other texts do. A shorter one keeps its words."""
MIN_SHARED_LETTERS = 0.8
"""A word was mended if this share of each of its parts is still there, and all of its digits."""
MIN_PART_LENGTH = 3
MAX_ADDED_LETTERS = 4
MAX_MENDED_WORDS = 3
MAX_GROWTH = 4
"""A text with this many times the words asks for more than a retry does."""
MAX_WORDS = 400
MAX_DEPTH = 20

_TARGET = re.compile(
    r"(?:^|[._])(?:ids?|uuid|number|name|path|file|filename|url|uri|key|email|to|recipient|user|customer|account|order"
    r"|invoice|room|ticket|repo|branch|table|host|address|target|command|cmd|script|code|sql|query|q|expression|task)$",
    re.I,
)
"""Names of fields that say what a call is about."""
_VERB = re.compile(r"(?:^|[._])(?:command|cmd|action|operation|method|verb)$", re.I)
"""Names of fields that say what a call does to it."""
_STATEMENT = re.compile(r"(?:^|[._])(?:command|cmd|sql|query|q)$", re.I)
"""Names of fields in which each number says what the call is about."""
_TRIAL_FLAGS = frozenset(
    ("--help", "--version", "--dry-run", "--dryrun", "--no-op", "--noop", "--what-if", "--simulate", "--just-print")
)
"""Flags of a command that does nothing."""
_TRIAL = re.compile(r"(?:^|[._])(?:dry_?run|no_?op|what_?if|simulated?|preview|(?:validate|check)_only)$", re.I)
"""Names of switches of a call that does nothing."""
_SETTING = re.compile(r"-?[\d.e+]+|true|false", re.I)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PREAMBLE = re.compile(r"^\s*(?:(?:cd\s+\S+\s*(?:&&|;)|sudo|time|timeout\s+\S+|env|[A-Z_]+=\S*)\s*)+(?=\S)")
_FILTERS = re.compile(r"(?:2>&1\s*|\|\s*(?:tail|head|cat|tee)\b[^|;&]*)+$")
"""What a command ends in that only shows its output otherwise."""
_WORD = re.compile(r"""[^\s"'`;|&(){}\[\],=<>]+""")
_FLAG = re.compile(r"-{1,2}[A-Za-z]")
_LAST_PARTS = re.compile(r"[^/\\]*[A-Za-z][^/\\]*(?:[/\\][^A-Za-z]*)?$")
_DIGITS = re.compile(r"\d+")
_PART = re.compile(r"[^\W\d_]+")


def read_input(step: Step) -> Fields:
    """Return what a call asked for. A model's calls are all alike, because what it is given only grows."""
    if step.kind == "llm_call":
        return {}
    if step.kind == "delegation_result":
        delegation = step.parent
        is_known = delegation is not None and delegation.kind == "delegation"
        return _read_fields(delegation.event.payload.get("task")) if delegation is not None and is_known else {}
    return _read_fields(step.event.payload.get("input", step.event.payload.get("query")))


def is_alike(failed: Fields, later: Fields) -> bool:
    """Whether a later input asks for the same as a failed one, but for small changes.

    The target must be the same or mended: the field that says what the call is about, and the one that says what it
    does to it. One in three of the other texts may have changed, and any number or switch. Without a target, the words
    of all fields count together. A failed call without an input is like any other. A trial (``--dry-run``) isn't like
    what it tries.
    """
    if not failed or failed == later:
        return True
    if _list_trials(failed) != _list_trials(later):
        return False
    targets = _find_targets(tuple(failed))
    if not targets or not targets <= later.keys():
        return has_words(frozenset().union(*failed.values()), frozenset().union(*later.values()))
    if not all(_has_target(name, failed[name], later[name]) for name in targets):
        return False
    changed = [
        name
        for name in failed.keys() & later.keys()
        if not _is_setting(failed[name]) and not has_words(failed[name], later[name])
    ]
    return len(changed) * 3 <= len(failed)


def _list_trials(fields: Fields) -> Words:
    """Return what says that a call only tries what it would do: flags of a command, and switches that are on."""
    flags = frozenset[str]().union(*(words & _TRIAL_FLAGS for words in fields.values()))
    return flags | {name for name, words in fields.items() if _TRIAL.search(_CAMEL.sub("_", name)) and "true" in words}


def _has_target(name: str, words: Words, others: Words) -> bool:
    """Whether a target has all words of another one, as they are or mended; a long text nearly all."""
    missing = words - others
    if not has_words(words, others) or (_STATEMENT.search(name) and any(map(_DIGITS.search, missing))):
        return False
    return len(words) > MAX_TARGET_WORDS or all(_is_mended(word, others - words) for word in missing)


def has_words(text: Words, other: Words) -> bool:
    """Whether nearly all words of a text stand in another one, as they are or mended."""
    if len(other) > MAX_GROWTH * (len(text) + 1):
        return False
    missing, allowed = text - other, int(len(text) * (1 - MIN_SHARED_WORDS) + 1e-9)
    if len(missing) <= allowed:
        return True
    if len(missing) > allowed + MAX_MENDED_WORDS:
        return False
    added = other - text
    return sum(not _is_mended(word, added) for word in missing) <= allowed


def _is_mended(word: str, others: Words) -> bool:
    """Whether one of the other words is this one without a slip: each part has nearly the same letters and digits."""
    digits = _DIGITS.findall(word)
    return any(
        abs(len(word) - len(other)) <= MAX_ADDED_LETTERS
        and _DIGITS.findall(other) == digits
        and _have_like_parts(_PART.findall(word.lower()), _PART.findall(other.lower()))
        for other in others
    )


def _have_like_parts(parts: Sequence[str], others: Sequence[str]) -> bool:
    """Whether the parts of two words are alike: ``mian.py`` and ``main.py``, but not ``node-a`` and ``node-b``."""
    if len(parts) != len(others):
        return bool(parts) and "".join(parts) == "".join(others)
    return bool(parts) and all(map(_is_like_part, parts, others))


def _is_like_part(part: str, other: str) -> bool:
    """Whether a part is the same, has two letters in the other order, or has the same beginning and most letters."""
    if part == other:
        return True
    if len(part) == len(other) and len(part) > MIN_PART_LENGTH and sorted(part) == sorted(other):
        return True
    is_long = min(len(part), len(other)) >= MIN_PART_LENGTH
    ratio = SequenceMatcher(None, part, other, autojunk=False).ratio() if is_long and part[0] == other[0] else 0
    return ratio >= MIN_SHARED_LETTERS


@lru_cache(maxsize=1_000)
def _find_targets(names: tuple[str, ...]) -> Words:
    """Return the first field that says what a call is about, and the first that says what it does to it."""
    plain_names = {name: _CAMEL.sub("_", name) for name in names}
    target = next((name for name, plain in plain_names.items() if not name or _TARGET.search(plain)), None)
    verb = next((name for name, plain in plain_names.items() if _VERB.search(plain)), None)
    return frozenset(name for name in (target, verb) if name is not None)


def _is_setting(words: Words) -> bool:
    return len(words) == 1 and all(map(_SETTING.fullmatch, words))


def _read_fields(value: Any) -> Fields:
    words: dict[str, list[str]] = defaultdict(list)
    for name, word in _list_words(value, "", 0):
        words[name].append(word)
    return {name: frozenset(each[:MAX_WORDS]) for name, each in words.items()}


def _list_words(value: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield each word of a value with the name of its field; arguments as JSON text are read as JSON."""
    if depth > MAX_DEPTH or value is None:
        return
    if isinstance(value, str):
        parsed = _parse_json(value)
        if parsed is None:
            yield from ((name, word) for word in _split_text(value))
        else:
            yield from _list_words(parsed, name, depth + 1)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _list_words(inner, f"{name}.{key}" if name else key, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _list_words(inner, name, depth + 1)
    else:
        is_whole = isinstance(value, float) and value.is_integer()
        yield name, str(int(value) if is_whole else value).lower()


def _parse_json(text: str) -> Any:
    if text[:1] not in ("{", "["):
        return None
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None


def _split_text(text: str) -> Iterator[str]:
    """Yield the words of a text; of a path its last part, and no flag of a command."""
    words = _WORD.findall(_FILTERS.sub("", _PREAMBLE.sub("", text[: MAX_WORDS * 10])))
    for word in words:
        if len(words) > 1 and word[0] == "-" and _FLAG.match(word) and word not in _TRIAL_FLAGS:
            continue
        is_path = "/" in word or "\\" in word
        last_parts = _LAST_PARTS.search(word.rstrip("/\\")) if is_path else None
        yield last_parts[0] if last_parts else word
