"""What makes no difference between two runs: ids by their role, clocks, durations, temporary paths, metrics. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from rapidfuzz import fuzz

from .id_words import figure, figured

METRICS = frozenset({
    "cached_tokens", "completion_tokens", "cost", "cost_usd", "duration_ms", "elapsed_ms", "input_tokens",
    "latency_ms", "output_tokens", "prompt_tokens", "total_tokens", "usage",
})  # fmt: skip
"""Members of a payload that say what a step cost. They are compared as totals, never step by step."""

_CLOCKS = (
    r"(?:.*_)?(?:timestamp|ts|created|updated|modified|created_at|updated_at|modified_at|started_at|ended_at|"
    r"finished_at|completed_at|fetched_at|received_at|expires_at|expires|now|latency_ms|duration|duration_ms|"
    r"duration_s|elapsed|elapsed_ms|elapsed_s|took|took_ms)"
)
_FRESH = r"(?:request|trace|span|correlation|run|attempt|operation|invocation)_?id|nonce|etag|x-request-id|traceparent"
_SECRETS = r"(?:access_|refresh_|auth_|id_|session_|api_)?token|authorization|signature|cookie|api_key"
_VOLATILE_KEY = re.compile(rf"(?:{_CLOCKS}|{_FRESH}|{_SECRETS})", re.I)
_ID_KEY = re.compile(r"(?:.*[_-])?(?:id|uuid|guid|key|ref)|.*(?:Id|Uuid|Key|Ref)|(?:call|invoice|order)_?number", re.A)

_NOT_TEXT = re.compile(
    r"\d+(?:[.,:]\d+)*|\b(?:no|not|never|none|without|cannot|can't|don't|doesn't|won't|didn't)\b", re.I
)

LIKE = 60.0
"""Two texts that share this much of their words, in percent, and all their figures, say the same in other words."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a user says makes no difference.

    Attributes:
        ignored: paths inside an event (``payload.input.request_id``; ``*`` stands for one member), each with all below.
        patterns: what matches in a text counts as one and the same.
        keys: for speed, the last members of ``ignored``.
    """

    ignored: tuple[tuple[str, ...], ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()

    def ignores(self, path: tuple[str, ...]) -> bool:
        """Whether what lies at ``path`` makes no difference."""
        return any(_matches(rule, path) for rule in self.ignored)


def _matches(rule: tuple[str, ...], path: tuple[str, ...]) -> bool:
    named = tuple(part for part in path if not part.isdigit()) if len(path) > len(rule) else path
    return any(
        len(own) >= len(rule) and all(r in ("*", p) for r, p in zip(rule, own, strict=False)) for own in (path, named)
    )


def rules(ignored: Iterable[str], patterns: Iterable[str]) -> Rules:
    """Rules as a user writes them; ``re.error`` where a pattern is none."""
    paths = (tuple(part for part in path.replace("[", ".").replace("]", "").split(".") if part) for path in ignored)
    return Rules(tuple(p for p in paths if p), tuple(re.compile(pattern) for pattern in patterns))


@lru_cache(maxsize=65_536)
def volatile(key: str) -> bool:
    """Whether a member of this name differs from run to run without meaning anything."""
    return _VOLATILE_KEY.fullmatch(key) is not None


class Reading(NamedTuple):
    """A text without what differs from run to run.

    Attributes:
        literal: without what differs by itself: clocks, durations, random ids.
        form: with a placeholder for each id too.
        ids: the marks of the ids, in their order.
    """

    literal: str
    form: str
    ids: tuple[int, ...]


def reading(text: str, own: Rules, *, spans: bool = False) -> Reading:
    """How ``text`` is compared.

    Durations stay in the form as they are unless ``spans``: in what a call answers they are noise, in what it is given
    they aren't.
    """
    text = _patterned(text, own)
    literal: list[str] = []
    form: list[str] = []
    ids: list[int] = []
    at = 0
    for start, word in figured(text):
        stands, kind, mark = figure(word)
        if not kind:
            continue
        before, at = text[at:start], start + len(word)
        literal += before, stands if kind in _BY_ITSELF else word
        form += before, word if kind == "span" and not spans else stands
        if mark:
            ids.append(mark)
    if not at:
        return Reading(text, text, ())
    return Reading("".join([*literal, text[at:]]), "".join([*form, text[at:]]), tuple(ids))


_BY_ITSELF = frozenset({"clock", "random"})


def _patterned(text: str, own: Rules) -> str:
    for pattern in own.patterns:
        text = pattern.sub("<ignored>", text)
    return text


@lru_cache(maxsize=65_536)
def is_id_key(key: str) -> bool:
    """Whether a member of this name holds an id."""
    return _ID_KEY.fullmatch(key) is not None


def pruned(value: Any, own: Rules, path: tuple[str, ...], but: frozenset[str] = frozenset()) -> Any:
    """``value`` without the members that make no difference, and at its top without those in ``but``."""
    if isinstance(value, dict):
        gone = _left_out(tuple(value), but)
        if own.ignored:
            gone = gone.union(key for key in value if own.ignores((*path, key)))
        if not gone and not any(each.__class__ in _NESTED for each in value.values()):
            return value
        return {
            key: pruned(each, own, (*path, key)) if each.__class__ in _NESTED else each
            for key, each in value.items()
            if key not in gone
        }
    if isinstance(value, list) and any(each.__class__ in _NESTED for each in value):
        return [pruned(v, own, (*path, str(n))) if v.__class__ in _NESTED else v for n, v in enumerate(value)]
    return value


_NESTED = (dict, list)


@lru_cache(maxsize=4_096)
def _left_out(names: tuple[str, ...], but: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name in names if name in but or volatile(name))


def flat(value: Any) -> str:
    """``value`` as one text; a text is itself."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()


def unpacked(text: str) -> Any:
    """What a JSON text holds, when it is an object or a list; else the text."""
    if text[:1] in ("{", "["):
        try:
            return orjson.loads(text)
        except ValueError:
            return text
    return text


def alike(a: str, b: str) -> float:
    """How much of their words two texts share, 0 to 100."""
    return fuzz.token_sort_ratio(a[:4000], b[:4000])


def worded_otherwise(a: str, b: str) -> bool:
    """Whether two texts say the same in other words, as far as that can be told without understanding them.

    Figures and negations must be the same ones, the rest must share most of its words.
    """
    if sorted(m.lower() for m in _NOT_TEXT.findall(a)) != sorted(m.lower() for m in _NOT_TEXT.findall(b)):
        return False
    return alike(a.lower(), b.lower()) >= LIKE
