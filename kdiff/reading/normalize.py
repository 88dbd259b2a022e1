"""Normalization: what differs between two runs without meaning anything, such as times, ids and metrics. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
from rapidfuzz import fuzz

from agentlog.event.json_text import to_json_text
from agentlog.event.timestamp import parse_timestamp

from .id_words import classify_word, find_words, hash_id, hash_noise, hash_number, hash_volatile, is_clock
from .noise import GENERAL_HEADERS, HTTP_HEADERS, ID_EDGE, NOISE_MARK, TEXT_EDGE, is_free_port, mask_noise, unify_space

METRICS = frozenset({
    "cached_tokens", "completion_tokens", "cost", "cost_usd", "duration_ms", "elapsed_ms", "input_tokens",
    "latency_ms", "output_tokens", "prompt_tokens", "total_tokens", "usage",
})  # fmt: skip
"""Members of a payload that hold the cost of a step. They are compared as totals, never step by step."""

_TIME_KEY = re.compile(
    r"(?:.*_)?(?:timestamp|ts|created|updated|modified|created_at|updated_at|modified_at|started_at|ended_at|"
    r"finished_at|completed_at|fetched_at|received_at|expires_at|expires|now)",
    re.I,
)
_MEASURE_KEY = re.compile(r"(?:.*_)?(?:latency_ms|elapsed|elapsed_ms|elapsed_s|took|took_ms)", re.I)
_DURATION_KEY = re.compile(r"(?:.*_)?duration(?:_ms|_s)?", re.I)
_REQUEST_KEY = re.compile(r"(?:request|attempt|invocation)_?id|etag", re.I)
_TRACE_KEY = re.compile(r"(?:trace|span|correlation)_?id|nonce|x-request-id|traceparent", re.I)
_CREDENTIAL_KEY = re.compile(
    r"(?:access_|refresh_|auth_|id_|session_|api_)?token|authorization|signature|cookie|api_key", re.I
)
_VOLATILE_KEYS = (_TIME_KEY, _MEASURE_KEY, _DURATION_KEY, _REQUEST_KEY, _TRACE_KEY, _CREDENTIAL_KEY)
_EXPIRY_KEY = re.compile(r"(?:.*_)?expires(?:_at)?", re.I)

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]?\d\d:\d\d.*)?|1\d{9}(?:\d{3}(?:\d{3})?)?(?:\.\d+)?|\d\d?:\d\d:\d\d(?:[.,]\d+)?"
    r"|(?:[A-Z][a-z]{2,8},? )?(?:\d\d? [A-Z][a-z]{2,8}|[A-Z][a-z]{2,8} +\d\d?),? .*\d\d:\d\d.*|just now|.* ago"
)
_EXACT_TIME = re.compile(r".*\d\d:\d\d:\d\d.*|1\d{9}(?:\d{3}(?:\d{3})?)?(?:\.\d+)?")
_DURATION = re.compile(
    r"(?:\d+(?:[.,]\d+)? ?(?:[nuµm]?s|secs?|seconds?|m|mins?|minutes?|h|hours?),? ?)+|\d+:\d\d(?::\d\d)?(?:[.,]\d+)?"
)
_MEASURED_DURATION = re.compile(r"\d+[.,]\d+ ?(?:[nuµm]?s|secs?|seconds?)|\d+ ?[nuµm]s|\d+:\d\d:\d\d[.,]\d+")
_CREDENTIAL = re.compile(r"(?:[A-Z][a-z]+ )?(?:(?=.*\d)(?=.*[A-Za-z])[\w.~+/=:-]{8,}|[\w.~+/=:-]{24,})|\w+=\S{8,}.*")
_CHOSEN_TIME = re.compile(r"\d\d:(?:\d\d:00(?:[.,]0+)?|59:59(?:[.,]9+)?)(?![\d.,])")
MIN_EPOCH = 1_000_000_000
"""A number below this is no time: it counts something."""
_ID_KEY = re.compile(
    r"(?:(?P<thing>.*)[_-])?(?:id|uuid|guid|key|ref)s?|(?P<camel>.*)(?:Id|Uuid|Key|Ref)s?"
    r"|(?P<numbered>call|invoice|order)_?numbers?"
    r"|(?:.*[_-])?(?:cursor|(?:page|continuation)_token)|(?:.*[a-z])?(?:Cursor|PageToken)|(?:page|continuation)Token",
    re.A,
)
_KIND_KEY = re.compile(r"(?:.*[_-])?(?:category|status|type|role|priority)(?:_id|Id)s?")
"""The number of one of a few kinds, and no fresh id."""
_NAME_KEY = re.compile(r"(?:.*[_-])?(?:key|ref)s?|.*(?:Key|Ref)s?", re.A)

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
    """Whether a member of this name may differ from run to run without any meaning. Its value decides."""
    return any(pattern.fullmatch(key) for pattern in _VOLATILE_KEYS)


def is_volatile(key: str, value: Any, *, is_argument: bool) -> bool:
    """Whether a member differs from run to run without any meaning, by its name and by the shape of its value.

    A random id of a request is compared by its role, because a later call may name the request. What a call is given
    is volatile only if it is a random id of a trace, or a random credential: the agent chose all else.
    """
    if not is_volatile_key(key) or isinstance(value, bool | dict | list) or value is None:
        return False
    if _CREDENTIAL_KEY.fullmatch(key):
        return isinstance(value, str) and _CREDENTIAL.fullmatch(value) is not None
    if _TRACE_KEY.fullmatch(key) or _REQUEST_KEY.fullmatch(key):
        has_random_id = any(kind == "random" for _, _, (_, kind, _) in find_words(str(value)))
        is_trace = _TRACE_KEY.fullmatch(key) is not None
        return is_trace if has_random_id else not is_argument
    return not is_argument and _is_measurement(key, value)


@lru_cache(maxsize=65_536)
def names_one_of_several(key: str) -> bool:
    """Whether a volatile value under this name may tell one of several things: a time, a trace, a credential."""
    return any(pattern.fullmatch(key) for pattern in (_TIME_KEY, _TRACE_KEY, _CREDENTIAL_KEY))


def _is_measurement(key: str, value: float | str) -> bool:
    """Whether a program read the value from a clock."""
    if _TIME_KEY.fullmatch(key):
        if isinstance(value, str):
            return _is_time(key, value)
        return value >= MIN_EPOCH and not (_EXPIRY_KEY.fullmatch(key) and is_whole_minute(str(value)))
    if _MEASURE_KEY.fullmatch(key):
        return not isinstance(value, str) or _DURATION.fullmatch(value) is not None
    return _is_measured(key, value)


def _is_time(key: str, text: str) -> bool:
    """Whether a text is a time. A day, a whole minute or the end of an hour at which something expires was chosen."""
    if _EXPIRY_KEY.fullmatch(key):
        return is_exact_time(text) and _CHOSEN_TIME.search(text) is None and not is_whole_minute(text)
    return _TIME.fullmatch(text) is not None


def is_exact_time(value: Any) -> bool:
    """Whether a value shows a time to the second."""
    if type(value) is int:
        return is_clock(str(value))
    return isinstance(value, str) and _EXACT_TIME.fullmatch(value) is not None


def _is_measured(key: str, duration: float | str) -> bool:
    """Whether a duration was measured. That of a film or a route is a whole number of seconds, or of minutes."""
    if isinstance(duration, str):
        return _MEASURED_DURATION.fullmatch(duration) is not None
    return duration % (1000 if key.lower().endswith("_ms") else 1) != 0


class NormalizedText(NamedTuple):
    """A text with placeholders for what differs from run to run.

    Attributes:
        literal: the text with placeholders for times and random ids, and for noise if it is masked.
        form: the text with placeholders for all ids too.
        id_hashes: the hashes of the ids, in their order.
        volatile_hashes: the hashes of the times that were replaced, in their order.
    """

    literal: str
    form: str
    id_hashes: tuple[int, ...]
    volatile_hashes: tuple[int, ...] = ()


def normalize_text(
    text: str, rules: IgnoreRules, *, should_mask_noise: bool = False, clock: datetime | None = None
) -> NormalizedText:
    """Return the forms in which ``text`` is compared.

    Args:
        should_mask_noise: replace what differs in the answers of tools without meaning anything.
        clock: when it was written. A time that nobody need have measured is replaced only if it is near.
    """
    text = _mask_patterns(text, rules)
    if len(text) > MIN_BLOB_SIZE:
        text = mask_blobs(text)
    text = mask_noise(text) if should_mask_noise else unify_space(text)
    if ID_EDGE in text and should_mask_noise:
        return _join_marked(text, clock)
    return _replace_words(text, should_mask_noise=should_mask_noise, clock=clock)


def _join_marked(text: str, clock: datetime | None) -> NormalizedText:
    """Normalize a text that has noise with ids between two ``ID_EDGE``. Such an id is none of what the text says."""
    parts = text.split(ID_EDGE)
    texts = [
        NormalizedText("<name>", "<name>", (_hash_marked(part),))
        if n % 2 and n < len(parts) - 1
        else _replace_words(part, should_mask_noise=True, clock=clock)
        for n, part in enumerate(parts)
    ]
    return NormalizedText(
        "".join(each.literal for each in texts),
        "".join(each.form for each in texts),
        tuple(id_hash for each in texts for id_hash in each.id_hashes),
        tuple(volatile for each in texts for volatile in each.volatile_hashes),
    )


def _hash_marked(part: str) -> int:
    if part.startswith(NOISE_MARK):
        return hash_noise(part[len(NOISE_MARK) :])
    return classify_word(part)[2] or hash_id(part)


def _replace_words(text: str, *, should_mask_noise: bool, clock: datetime | None) -> NormalizedText:
    pieces: list[str] = []
    names: list[tuple[int, str]] = []
    id_hashes: list[int] = []
    volatile_hashes: list[int] = []
    position = 0
    for start, end, (placeholder, kind, id_hash) in find_words(text):
        if not kind or (kind == "noise" and not should_mask_noise and not id_hash):
            continue
        if kind == "clock":
            if not _is_measured_time(text, start, end, clock, is_answer=should_mask_noise):
                continue
            volatile_hashes.append(hash_volatile(text[start:end]))
        if kind == "named":
            names.append((len(pieces) + 1, text[start:end]))
        pieces += (text[position:start], placeholder)
        position = end
        if id_hash and not (kind == "noise" and should_mask_noise):
            id_hashes.append(id_hash)
    if not position:
        return NormalizedText(text, text, ())
    pieces.append(text[position:])
    form = literal = "".join(pieces)
    if names:
        for index, name in names:
            pieces[index] = name
        literal = "".join(pieces)
    return NormalizedText(literal, form, tuple(id_hashes), tuple(volatile_hashes))


def _is_measured_time(text: str, start: int, end: int, clock: datetime | None, *, is_answer: bool) -> bool:
    """Whether a program read a time from a clock. Other times were chosen, and a number may count or name something."""
    word = text[start:end]
    if not word.isdecimal():
        return is_answer or not clock or is_near(word, clock)
    before = max(start - 30, 0)
    if is_whole_minute(word) and (not is_answer or _EXPIRY_BEFORE.search(text, before, start)):
        return False
    if is_answer and (len(word) != EPOCH_DIGITS or _TIME_BEFORE.search(text, before, start)):
        return True
    return clock is not None and is_near(word, clock)


def is_own_clock(text: str, clock: datetime | None) -> bool:
    """Whether all times in a text are about that of an event: the agent may have read its own clock."""
    return clock is not None and all(
        is_near(text[start:end], clock, MAX_OWN_DISTANCE)
        for start, end, (_, kind, _) in find_words(text)
        if kind == "clock"
    )


def is_measured_number(number: float, clock: datetime | None) -> bool:
    """Whether a number is a Unix time near an event's clock. A whole minute was chosen."""
    if clock is None or not isinstance(number, int) or not is_clock(str(number)):
        return False
    return not is_whole_minute(str(number)) and is_near(str(number), clock)


def is_whole_minute(number: str) -> bool:
    """Whether a Unix time in seconds, milliseconds or microseconds shows no odd seconds."""
    return number.isdecimal() and int(number) % (60 * 10 ** max(len(number) - EPOCH_DIGITS, 0)) == 0


EPOCH_DIGITS = 10
"""The number of digits of a Unix time in seconds."""
_TIME_BEFORE = re.compile(
    r"(?<![A-Za-z])(?:[a-z]+_)?(?:time(?:stamp)?|ts|date|at|since|until|epoch|created|updated|modified|expires?|exp|iat|nbf"
    rf"|[acm]time|now|unix)[\s\"'{TEXT_EDGE}]*[:=]?[\s\"'({TEXT_EDGE}]*\Z",
    re.I,
)
"""What stands before a Unix time in seconds: a word for time."""
_EXPIRY_BEFORE = re.compile(rf"(?:expires?(?:_?at)?|exp)[\s\"'{TEXT_EDGE}]*[:=]?[\s\"'({TEXT_EDGE}]*\Z", re.I)
"""What stands before the time at which something expires."""
MAX_DISTANCE = timedelta(days=1)
"""The time between an event and a clock that was read around it, at most."""
MAX_OWN_DISTANCE = timedelta(minutes=1)
"""The time between an event and the agent's own clock, at most."""


@lru_cache(maxsize=16_384)
def is_near(word: str, clock: datetime, distance: timedelta = MAX_DISTANCE) -> bool:
    """Whether a time lies within a distance of an event's clock. What can't be read as a time isn't far."""
    word = word.rstrip(".:+-")
    try:
        time = parse_timestamp(int(word) if word.isdecimal() else word)
    except ValueError:
        return True
    return abs(_to_utc(time) - _to_utc(clock)) <= distance


def _to_utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def unify_clocks(a: str, b: str) -> tuple[str, str]:
    """Return both texts with one clock where one shows a whole minute and the other doesn't, as two runs may do.

    A whole minute on both sides may be an appointment, so it stays.
    """
    a, b = (mask_blobs(text) if len(text) > MIN_BLOB_SIZE else text for text in (a, b))
    clocks_a, clocks_b = _CLOCK.findall(a), _CLOCK.findall(b)
    if len(clocks_a) != len(clocks_b):
        return a, b
    pairs = [
        (x, y)
        if bool(_WHOLE_MINUTE.fullmatch(x)) is bool(_WHOLE_MINUTE.fullmatch(y))
        else (max(x, y, key=_get_seconds),) * 2
        for x, y in zip(clocks_a, clocks_b, strict=True)
    ]
    return _replace_clocks(a, [x for x, _ in pairs]), _replace_clocks(b, [y for _, y in pairs])


_CLOCK = re.compile(r"(?<![\d:])\d\d:\d\d:\d\d(?:[.,]\d+)?(?![\d:])")
_WHOLE_MINUTE = re.compile(r"\d\d:\d\d:00(?:[.,]0+)?")


def _get_seconds(clock: str) -> str:
    return clock[6:].rstrip("0")


def _replace_clocks(text: str, clocks: Iterable[str]) -> str:
    remaining = iter(clocks)
    return _CLOCK.sub(lambda _: next(remaining), text)


def mask_blobs(text: str) -> str:
    """Return ``text`` with the hash and the size of each picture, or other long value in base64, in place of it."""
    return _BLOB.sub(_describe_blob, text)


MIN_BLOB_SIZE = 2_000
"""Shorter values in base64 are compared as texts."""
_BLOB = re.compile(rf"[A-Za-z0-9+/_-]{{{MIN_BLOB_SIZE},}}+=*|(?:[A-Za-z0-9+/]{{60,}}\r?\n){{20,}}[A-Za-z0-9+/]*=*")
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def _describe_blob(match: re.Match[str]) -> str:
    """Describe a blob without digits, so that nothing in it passes for an id or a time."""
    return f"<data {sha256(match[0].encode()).hexdigest().translate(_LETTERS)}>"


@lru_cache(maxsize=4_096)
def mask_random_ids(name: str, rules: IgnoreRules) -> str:
    """Return the name of a tool, an agent or a memory without its random parts: workers often get a random suffix."""
    return normalize_text(name, rules).literal


def _mask_patterns(text: str, rules: IgnoreRules) -> str:
    for pattern in rules.patterns:
        text = pattern.sub("<ignored>", text)
    return text


_HEADERS_KEY = re.compile(r"(?:.*_)?headers", re.I)
_HEADER = re.compile(rf"(?:{'|'.join((*HTTP_HEADERS, *GENERAL_HEADERS))})", re.I)
_PROCESS_KEY = re.compile(r"p?pid|process_?id|.*_p?pid", re.I)
_RUN_KEY = re.compile(r"load_average|seed|random_seed", re.I)
_PORT_KEY = re.compile(r"(?:.*_)?(?:port|PORT)|(?:.*[a-z])?Port")
_NOISE_NAME_KEY = re.compile(
    r".*(?:pid|proc|port|session|shell|terminal|job|task|thread|number|id|ref)s?(?:[_-].*)?", re.I
)
_PROCESS_OR_PORT_KEY = re.compile(
    r"(?:.*_)?(?i:p?pid|process_?id|port|host|hostname)s?|.*[a-z](?:P?Pid|ProcessId|Port|Host|Hostname)s?"
)
_ARGUMENT_MEMBERS = frozenset({"input", "query", "task", "value", "action"})


def is_in_argument(path: tuple[str, ...]) -> bool:
    """Whether the value at ``path`` is part of what a call is given."""
    return len(path) > 1 and path[1] in _ARGUMENT_MEMBERS


def is_noise_member(path: tuple[str, ...]) -> bool:
    """Whether a member of an answer is noise by its name: a header of HTTP, the id of a process, a seed."""
    return len(path) > 1 and not is_in_argument(path) and _is_noise_name(path[-2], path[-1])


@lru_cache(maxsize=65_536)
def _is_noise_name(container: str, name: str) -> bool:
    if _HEADERS_KEY.fullmatch(container) and _HEADER.fullmatch(name):
        return True
    return _PROCESS_KEY.fullmatch(name) is not None or _RUN_KEY.fullmatch(name) is not None


def is_noise_number(key: str, value: Any) -> bool:
    """Whether a number in an answer is a process id or a free port, by its member's name. A later call may name it."""
    if type(value) is not int and not (isinstance(value, str) and value.isdecimal()):
        return False
    if _PROCESS_KEY.fullmatch(key):
        return True
    return _PORT_KEY.fullmatch(key) is not None and is_free_port(str(value))


@lru_cache(maxsize=65_536)
def may_name_noise(key: str) -> bool:
    """Whether a number in a member of this name may be a process id or a port. Other numbers count something."""
    return _NOISE_NAME_KEY.fullmatch(key) is not None


@lru_cache(maxsize=65_536)
def names_process_or_port(key: str) -> bool:
    """Whether a member of this name holds a process id, a port or a host."""
    return _PROCESS_OR_PORT_KEY.fullmatch(key) is not None


@lru_cache(maxsize=65_536)
def is_id_key(key: str) -> bool:
    """Whether a member of this name holds an id."""
    return _ID_KEY.fullmatch(key) is not None and _KIND_KEY.fullmatch(key) is None


def may_be_id(key: str, text: str) -> bool:
    """Whether a text is an id by its member's name. Under ``key`` and ``ref``, a word without a digit is a name."""
    return is_id_key(key) and (_NAME_KEY.fullmatch(key) is None or not text.isascii() or any(map(str.isdigit, text)))


def hash_member(key: str, text: str) -> int:
    """Return the hash of an id in a member of this name. A number is the id of the thing that the name tells."""
    return hash_number(text, get_thing(key)) if text.isdecimal() else hash_id(text)


@lru_cache(maxsize=4_096)
def get_thing(key: str) -> str:
    """Return what an id in a member of this name stands for: ``user`` of ``user_id``; empty if the name doesn't say."""
    match = _ID_KEY.fullmatch(key)
    return (match["thing"] or match["camel"] or match["numbered"] or "").lower() if match else ""


@lru_cache(maxsize=4_096)
def find_things(text: str) -> frozenset[str]:
    """Return the words of a text by which it may name a thing, in lower case, in the singular too."""
    words = {word.lower().strip("_") for word in _THING_WORD.findall(text)}
    parts = {part for word in words for part in word.split("_") if part}
    return frozenset(each for word in words | parts for each in (word, make_singular(word)))


_THING_WORD = re.compile(r"[A-Za-z_]+")


def make_singular(word: str) -> str:
    """Return the singular of an English word, as names of tables and lists are made: ``user`` of ``users``."""
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def mask_numeric_ids(json_text: str) -> tuple[str, tuple[int, ...]]:
    """Return a JSON text with a placeholder for each number in a member named like an id, and the hashes of these."""
    hashes: list[int] = []

    def mask(match: re.Match[str]) -> str:
        if not is_id_key(match["key"]):
            return match[0]
        hashes.append(hash_member(match["key"], match["number"]))
        return f'"{match["key"]}":<id>'

    return _NUMERIC_ID.sub(mask, json_text), tuple(hashes)


def find_numeric_ids(json_text: str) -> list[str]:
    """Return the numbers of a JSON text that stand in members named like an id."""
    return [number for key, number in _NUMERIC_ID.findall(json_text) if is_id_key(key)]


_NUMERIC_ID = re.compile(r'"(?P<key>[^"\\]++)(?<=[dyfrsn])":(?P<number>\d++)(?![.\deE])')


def find_member_ids(form: str) -> tuple[int, ...]:
    """Return the hashes of the ids that are none by their letters: numbers, and words, in members named like an id.

    Args:
        form: a payload that was written as one text, with a placeholder for each other id.
    """
    members = _ID_MEMBER.findall(form)
    if not members:
        return ()
    return tuple(
        hash_member(key, text)
        for key, number, word, items in members
        if is_id_key(key)
        for text in ((number or word,) if not items else (n or w for n, w in _ID_ITEM.findall(items)))
        if may_be_id(key, text) and "<" not in text
    )


_ID_MEMBER = re.compile(
    rf"{TEXT_EDGE}([^{TEXT_EDGE}]++)(?<=[dyfrsn]){TEXT_EDGE}:"
    rf"(?:(\d++)(?![.\deE])|{TEXT_EDGE}([^{TEXT_EDGE}\s]++){TEXT_EDGE}|\[([^\[\]{{}}]++)\])"
)
_ID_ITEM = re.compile(rf"(?<![^,])(\d++)(?![.\deE])|{TEXT_EDGE}([^{TEXT_EDGE}\s]++){TEXT_EDGE}")


def drop_ignored(
    value: Any,
    rules: IgnoreRules,
    path: tuple[str, ...],
    excluded: frozenset[str] = frozenset(),
    volatile_hashes: list[int] | None = None,
) -> Any:
    """Return ``value`` without the members that make no difference. At the top, those in ``excluded`` are left out too.

    The hashes of those that a later call may name are appended to ``volatile_hashes``. Levels below
    ``MAX_CLEANED_LEVELS`` stay as they are. An object whose names are ids becomes a list of its members in their order:
    sorted by their names, as other objects are, new ids would stand in another order.
    """
    if len(path) > MAX_CLEANED_LEVELS:
        return value
    if isinstance(value, dict):
        is_argument = is_in_argument(path)
        names = tuple(value)
        ignored_names, doubtful_names, has_ids = _inspect_names(names, excluded, "" if is_argument else path[-1])
        if doubtful_names:
            volatile = [name for name in doubtful_names if is_volatile(name, value[name], is_argument=is_argument)]
            ignored_names = ignored_names.union(volatile)
            if volatile_hashes is not None:
                volatile_hashes += [hash_volatile(str(value[name])) for name in volatile if names_one_of_several(name)]
        if rules.ignored_paths:
            ignored_names = ignored_names.union(key for key in value if rules.ignores((*path, key)))
        if has_ids:
            members = [
                [key, drop_ignored(member, rules, (*path, key), volatile_hashes=volatile_hashes)]
                for key, member in value.items()
            ]
            return [member for member in members if member[0] not in ignored_names]
        if not ignored_names and _NESTED.isdisjoint(map(type, value.values())):
            return value
        return {
            key: drop_ignored(member, rules, (*path, key), volatile_hashes=volatile_hashes)
            if member.__class__ in _NESTED
            else member
            for key, member in value.items()
            if key not in ignored_names
        }
    if isinstance(value, list) and not _NESTED.isdisjoint(map(type, value)):
        return [
            drop_ignored(item, rules, (*path, str(index)), volatile_hashes=volatile_hashes)
            if item.__class__ in _NESTED
            else item
            for index, item in enumerate(value)
        ]
    return value


_NESTED = frozenset((dict, list))


@lru_cache(maxsize=4_096)
def _inspect_names(
    names: tuple[str, ...], excluded: frozenset[str], container: str
) -> tuple[frozenset[str], Sequence[str], bool]:
    """Return the names that are ignored, those whose values decide, and whether some names are ids.

    ``container`` is empty in arguments.
    """
    ignored = frozenset(
        name
        for name in names
        if name in excluded
        or (container and _is_noise_name(container, name) and not _PROCESS_KEY.fullmatch(name))  # its number is marked
    )
    doubtful = [name for name in names if name not in ignored and is_volatile_key(name)]
    return ignored, doubtful, has_id_names(names)


@lru_cache(maxsize=4_096)
def has_id_names(names: tuple[str, ...]) -> bool:
    """Whether some of the names of an object's members are ids."""
    return any(
        id_hash and (start, end) == (0, len(name)) for name in names for start, end, (_, _, id_hash) in find_words(name)
    )


def to_text(value: Any) -> str:
    """Return ``value`` as JSON; a text as it is."""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()
    except TypeError:  # a number of more than 64 bits, or more than 254 levels
        return to_json_text(value, is_sorted=True)


def parse_json_text(text: str) -> Any:
    """Return the object or list that a JSON text holds, else the text."""
    if text[:1] in ("{", "["):
        try:
            return orjson.loads(text)
        except ValueError:
            return text
    return text


def write_comparable(
    value: Any,
    rules: IgnoreRules,
    path: tuple[str, ...],
    excluded: frozenset[str] = frozenset(),
    volatile_hashes: list[int] | None = None,
) -> str:
    """Write ``value`` as one text in which equal values are equal texts, whatever form they were recorded in.

    JSON texts become what they hold, and 45.0 becomes 45. What makes no difference is left out, as in
    ``drop_ignored``. The texts inside stand unescaped between two ``TEXT_EDGE``, so that lines are lines.
    """
    value = parse_json_text(value) if isinstance(value, str) else value
    if isinstance(value, str):
        return value
    text = to_text(drop_ignored(value, rules, path, excluded, volatile_hashes))
    if _may_have_other_form(text) and _OTHER_FORM.search(text):
        if volatile_hashes:
            volatile_hashes.clear()
        text = to_text(drop_ignored(unify_values(value), rules, path, excluded, volatile_hashes))
    if "\\" in text:
        for escape, character in _ESCAPES:
            text = text.replace(escape, character)
        return text.replace('"', TEXT_EDGE).replace("\x01", '"')
    return text.replace('"', TEXT_EDGE)


def _may_have_other_form(text: str) -> bool:
    """Whether ``_OTHER_FORM`` may be found. One character is looked for first: that is far faster than two."""
    return (text.find("{", 1) > 0 and '"{' in text) or ("[" in text and '"[' in text) or ("." in text and ".0" in text)


_OTHER_FORM = re.compile(r'"(?:\{(?:\\["nrt]|[ }])|\[)|\.0[],}]')
"""The beginning of a JSON text inside JSON, or the end of a whole number with a decimal point."""
_ESCAPES = (
    ("\\\\", "\x00"), ('\\"', "\x01"), ("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"), ("\\b", "\b"), ("\\u001b", "\x1b"),
    ("\\u0007", "\a"),
)  # fmt: skip
"""How JSON writes what the rules of noise look for. JSON has no such character itself, so no two texts become one."""
MAX_EXACT = 2**53
"""Below this, a floating-point number that is whole is one integer."""


def unify_values(value: Any) -> Any:
    """Return ``value`` with JSON texts replaced by what they hold, and whole floating-point numbers by integers."""
    if isinstance(value, str):
        inner = parse_json_text(value)
        return inner if inner is value else unify_values(inner)
    if isinstance(value, dict):
        return {key: unify_values(member) for key, member in value.items()}
    if isinstance(value, list):
        return [unify_values(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < MAX_EXACT else value


def is_no_argument(value: Any) -> bool:
    """Whether a call was given nothing: null, an empty object or list, or an empty text, also as a JSON text."""
    if isinstance(value, str):
        return len(value) < MAX_EMPTY and "".join(value.split()) in ("", "null", "{}", "[]", '""')
    return value is None or value in ({}, [])


MAX_EMPTY = 20
"""A text of this many characters or more gives something."""


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
