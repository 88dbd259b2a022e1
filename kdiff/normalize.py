"""What makes no difference between two runs: ids by their role, clocks, durations, temporary paths, metrics. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from rapidfuzz import fuzz

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

_WORD = re.compile(r"(?<![\w-])[A-Za-z_-]*+\d[\w:.+-]*+|/(?:tmp|var/folders|private/tmp|run/user)/[\w./-]++")
_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_CLOCK = r"\d{4}-\d\d-\d\d[T ]?\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_WHOLE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::00(?:\.0+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_RANDOM = re.compile(
    rf"(?:[A-Za-z]+[_-])*(?:{_UUID}|0x[0-9a-f]{{6,}}|(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{{12,}}|"
    r"(?=\w*[A-Z])(?=\w*[a-z])(?=\w*\d)[A-Za-z0-9]{16,}|(?=\w*[A-Za-z])(?=\w*\d\w*\d)[A-Za-z0-9]{20,})",
    re.I,
)
_NAMED = re.compile(r"(?=.*[A-Za-z])(?:.*[_-])?(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{4,}", re.A)
_MACHINE_CLOCK = re.compile(_CLOCK)
_EPOCH = re.compile(r"1[5-9]\d{8}(?:\d{3}(?:\d{3})?)?(?:\.\d+)?")
_SPAN = re.compile(r"\d+(?:\.\d+)?(?:ns|us|µs|ms|s|sec|secs|seconds)")
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


@lru_cache(maxsize=65_536)
def word(token: str) -> tuple[str, str]:
    """What stands for a word with a figure in it: a placeholder, and what kind of word it is.

    The kinds are ``clock``, ``span`` (a duration), ``random`` (an id that no person chose), ``named`` (an id, or a name
    that may be one) and an empty text for everything else.
    """
    if token.startswith("/"):
        return "<tmp>", "random"
    bare = token.rstrip(".:+-")
    tail = token[len(bare) :]
    if _EPOCH.fullmatch(bare) or (_MACHINE_CLOCK.fullmatch(bare) and not _WHOLE.fullmatch(bare)):
        return "<time>" + tail, "clock"
    if _SPAN.fullmatch(bare):
        return "<span>" + tail, "span"
    if _RANDOM.fullmatch(bare):
        return "<id>" + tail, "random"
    if _NAMED.fullmatch(bare):
        return "<name>" + tail, "named"
    return token, ""


def literal(text: str, own: Rules) -> str:
    """``text`` without what differs from run to run by itself: clocks, durations, random ids."""
    return _WORD.sub(_literal, _patterned(text, own))


def form(text: str, own: Rules, *, spans: bool = False) -> tuple[str, tuple[str, ...]]:
    """``text`` with a placeholder for each id, and the ids in their order.

    Durations stay as they are unless ``spans``: in what a call answers they are noise, in what it is given they aren't.
    """
    ids: list[str] = []

    def place(found: re.Match[str]) -> str:
        stands, kind = word(found[0])
        if kind in ("random", "named"):
            ids.append(found[0].rstrip(".:+-"))
        return found[0] if kind == "span" and not spans else stands

    return _WORD.sub(place, _patterned(text, own)), tuple(ids)


def _literal(found: re.Match[str]) -> str:
    stands, kind = word(found[0])
    return stands if kind in ("clock", "random") else found[0]


def _patterned(text: str, own: Rules) -> str:
    for pattern in own.patterns:
        text = pattern.sub("<ignored>", text)
    return text


def is_random(token: str) -> bool:
    """Whether no person chose this id: a UUID, a hash, a long mix of letters and figures, a temporary path."""
    return word(token)[1] == "random"


@lru_cache(maxsize=65_536)
def is_id_key(key: str) -> bool:
    """Whether a member of this name holds an id."""
    return _ID_KEY.fullmatch(key) is not None


def pruned(value: Any, own: Rules, path: tuple[str, ...]) -> Any:
    """``value`` without the members that make no difference."""
    if isinstance(value, dict):
        if not own.ignored and _is_plain(value):
            return value
        kept = {k: v for k, v in value.items() if not volatile(k) and not (own.ignored and own.ignores((*path, k)))}
        return {k: pruned(v, own, (*path, k)) if isinstance(v, dict | list) else v for k, v in kept.items()}
    if isinstance(value, list):
        if not any(isinstance(each, dict | list) for each in value):
            return value
        return [pruned(v, own, (*path, str(n))) if isinstance(v, dict | list) else v for n, v in enumerate(value)]
    return value


def _is_plain(value: dict[str, Any]) -> bool:
    """Nothing below it that could be left out."""
    return not any(volatile(k) or isinstance(v, dict | list) for k, v in value.items())


def signatures(value: Any, own: Rules, path: tuple[str, ...]) -> tuple[int, int]:
    """Two hashes of what is given: as it reads, and with a placeholder for each id. For this process alone."""
    text = _patterned(flat(pruned(value, own, path)), own)
    tokens = _WORD.findall(text)
    if not tokens:
        return hash(text), hash(text)
    between = hash(tuple(_WORD.split(text)))
    kinds = [word(token) for token in tokens]
    read = tuple(k[0] if k[1] in ("clock", "random") else t for t, k in zip(tokens, kinds, strict=True))
    stands = tuple(t if k[1] == "span" else k[0] for t, k in zip(tokens, kinds, strict=True))
    return hash((between, read)), hash((between, stands))


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
