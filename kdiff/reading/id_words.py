"""Words that hold a digit: times, noise and ids, and a placeholder for each. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from string import ascii_letters, digits

from .noise import find_noise_word

_WORD_OR_TEMP_PATH = re.compile(
    r"(?<![A-Za-z0-9_-])[A-Za-z_-]*+[0-9][A-Za-z0-9_:.+-]*+|/(?:tmp|var/folders|private/tmp|run/user)/[A-Za-z0-9_./-]++"
)
_TEMP_FOLDERS = ("/tmp/", "/var/folders/", "/run/user/")  # noqa: S108  looked for, not written to
_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_CLOCK = r"(?:\d{4}-\d\d-\d\d[T ]?\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?|\d{8}T\d{6}Z?)"
_WHOLE_MINUTE = (
    r"(?:\d{4}-\d\d-\d\dT(?:\d\d:\d\d(?::00(?:\.0+)?)?|\d\d:59:59(?:\.9+)?)(?:Z|[+-]\d\d:?\d\d)?"
    r"|\d{8}T(?:\d{4}00|\d\d5959)Z?)"
)
"""A time that was chosen: a whole minute, or the end of an hour or a day."""
_EPOCH = r"1[5-9]\d{8}(?:\d{3}(?:\d{3})?)?(?:\.\d+)?"
_MACHINE_TIME = re.compile(rf"{_EPOCH}|(?!{_WHOLE_MINUTE}\Z){_CLOCK}")
_LETTERS_AND_DIGITS = r"(?=\d*[a-z])(?=[a-z]*\d)"
_RANDOM_ID = re.compile(
    rf"(?:[a-z]+[_-])*(?:(?!0x){_LETTERS_AND_DIGITS}(?:[0-9a-f]{{12,}}|[a-z0-9]{{16,}})|{_UUID})|(?:[a-z]+[_-])+\d{{12,}}"
    r"|0x(?:[0-9a-f]{40}|[0-9a-f]{64}|(?:0000)?(?:7f|5[56])[0-9a-f]{10})"  # an account of a chain, an address in memory
)
_PREFIXED_UUID = re.compile(rf"(?P<prefix>(?:[A-Za-z]+[_-])*)(?P<uuid>{_UUID}|[0-9a-f]{{32}})", re.I)
_SURE_CLOCK = re.compile(
    r"(?P<noise>\d\d:\d\d:(?!00)\d\d(?:\.\d+)?)|(?P<clock>\d{4}-\d\d-\d\dT\d\d:\d\d:(?!00|59)\d\d(?:\.\d+)?Z?)"
)
"""Clocks that no text has twice, so they aren't worth a place among the words that are remembered."""
_BASIC_TIME = re.compile(r"\d{8}T\d{6}Z?")
"""A time of ISO 8601 without separators, as calendars write it."""
_CHOSEN_NAME = re.compile(
    r"(?:[A-Za-z]+[_-])*(?![0-9a-f]+\Z)(?P<words>(?:[A-Z]?[a-z]+)+|[A-Z]+)(?:\d{1,4}|\d(?P<more>[a-z]+|[A-Z]+))"
)
"""Words with one group of digits at the end, or one digit between them. Most random ids have more."""
_UNSPOKEN = re.compile(r"(?i:[bcdfghjklmnpqrstvwxz]{5})|(?<=[a-z])[A-Z][a-z]?[A-Z]")
"""What stands in no name: five consonants in a row, or capitals close to each other between small letters."""
MIN_VOWELS = 0.25
"""The share of vowels in a name, at least."""
_SEPARATORS = re.compile(r"[.:+]")
MIN_TIME_DIGITS = 10
"""A shorter number is no time, and no number is an id."""
MIN_RANDOM_CHARS = 6
"""No random id is shorter than this."""
_K8S = "[bcdfghjklmnpqrstvwxz2456789]"
_POD = re.compile(rf"(?:[a-z0-9]+-)+?{_K8S}{{8,10}}-{_K8S}{{5}}")
_GENERATED_PART = re.compile(
    r"(?<=/)(?:tmp(?:[a-z0-9_]{8}|(?=[a-z_]*[0-9])[a-z0-9_]{4,}|\.[A-Za-z0-9]{6,})|(?:pytest-|go-build|run-)[0-9]+(?=/|\Z)"
    rf"|{_UUID}|[0-9a-z_]{{28,}})|(?<=[/._-])(?:(?=[0-9]+[A-Za-z]+[0-9]|[A-Za-z]+[0-9]+[A-Za-z])[A-Za-z0-9]{{6,}}|[0-9]{{10,}})(?=[/.]|\Z)"
)
"""The part of a temporary path that a program made up. The names around it were chosen."""
_NO_ID = re.compile(
    r"\d{1,4}[A-Za-z]{1,4}|\d+(?![a-f]+\Z)[A-Za-z]{1,4}|(?:\d+[dhms])+"  # with a unit: 512Mi, 12000EUR, 2h30m
    r"|(?:EUR|USD|GBP|JPY|CHF|CAD|AUD|NZD|CNY|INR|KRW|BRL|MXN|SEK|NOK|DKK|PLN|CZK|TRY|ZAR|SGD|HKD)\d+"
    r"|(?![A-Z0-9]{6}\Z)(?:[A-Za-z]+[_-])*[A-Za-z]+\d{1,3}"  # a numbered name: feature1, case_12. EHGLP3 is a booking
    r"|(?i:CVE-.*)|.*\d\.\d.*|(?:[A-Z]{1,2}\d?-?)?(?:19|20)\d\d|E\d{4}"  # 2.0.0-beta2, Q3-2024, FY2026, E1001
    r"|0[xX][0-9A-Fa-f]+|\d[eE]\d{1,3}"
)
"""A quantity or a name that was chosen. Such a word is no id."""
_PLACEHOLDERS = {"clock": "<time>", "random": "<id>", "named": "<name>"}


def _map_characters(classes: dict[str, str]) -> bytes:
    """Return a table for ``bytes.translate``: each character becomes its class, a space if it has none."""
    class_by_code = {ord(character): name for name, characters in classes.items() for character in characters}
    return "".join(class_by_code.get(code, " ") for code in range(256)).encode()


_CHARACTER_KINDS = _map_characters({"0": digits, "a": ascii_letters + "_-", ":": ":.+"})
"""A digit, a character that may stand before it in a word, or one that may only follow."""
_SHAPES = _map_characters({"x": ascii_letters + "_", "h": digits + "abcdef", "-": "-"})
"""A hexadecimal digit, a hyphen, or another letter: most random ids have one of few shapes."""
_RANDOM_SHAPES = frozenset([*(b"h" * length for length in range(12, 129)), b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"])
"""The shapes of hashes and UUIDs. A word of such a shape that isn't all digits is a random id."""

ClassifiedWord = tuple[str, str, int]
"""What a word that holds a digit is: the placeholder that replaces it, its kind, and the hash of an id, else 0.

The kind is ``clock`` (a time), ``noise`` (noise in an answer only), ``random`` (an id that no person chose), ``named``
(an id, or a name that may be one), or an empty text for all others. A hash is valid in this process. Noise with a hash
is a random id where it is no noise.
"""


def find_words(text: str) -> Iterator[tuple[int, int, ClassifiedWord]]:
    """Find the words of ``text`` that hold a digit, and temporary paths: the start, the end, and what it is.

    Of a word that is nothing as a whole, such as a file's name, the random ids inside are found.
    """
    has_temp_path = "/" in text and any(path in text for path in _TEMP_FOLDERS)
    return _find_words_and_temp_paths(text) if has_temp_path else _find_words(text)


def _find_words_and_temp_paths(text: str) -> Iterator[tuple[int, int, ClassifiedWord]]:
    for match in _WORD_OR_TEMP_PATH.finditer(text):
        if match[0].startswith("/"):
            yield from _find_generated_parts(match.start(), match[0])
            continue
        yield from _find_parts(match.start(), match[0], classify_word(match[0]))


def _find_parts(start: int, word: str, classified: ClassifiedWord) -> Iterator[tuple[int, int, ClassifiedWord]]:
    if classified[1] or len(word) <= MIN_RANDOM_CHARS:
        yield start, start + len(word), classified
        return
    for offset, part in find_random_parts(word):
        yield start + offset, start + offset + len(part), classify_word(part)


def _find_words(text: str) -> Iterator[tuple[int, int, ClassifiedWord]]:
    """Yield what ``_WORD_OR_TEMP_PATH`` matches in a text without such a path, in a fraction of its time.

    Each character that is not ASCII becomes one byte that stands in no word. ``latin-1`` is the fastest way there.
    """
    characters = text.encode("latin-1", "replace")
    kinds = characters.translate(_CHARACTER_KINDS)
    digit = kinds.find(b"0")
    if digit < 0:
        return
    shapes = characters.translate(_SHAPES)
    end = 0
    while digit >= 0:
        start = shapes.rfind(b" ", end, digit) + 1
        end = kinds.find(b" ", digit)
        if end < 0:
            end = len(kinds)
        word = text[start:end]
        if word.isdecimal():
            if end - start >= MIN_TIME_DIGITS:
                yield start, end, classify_word(word)
        elif shapes[start:end] in _RANDOM_SHAPES:
            yield start, end, ("<id>", "random", hash_id(word.replace("-", ""), "random"))
        elif match := _SURE_CLOCK.fullmatch(word):
            yield start, end, ("<time>", match.lastgroup or "", 0)
        elif (classified := classify_word(word))[1] or end - start <= MIN_RANDOM_CHARS:
            yield start, end, classified
        else:
            yield from _find_parts(start, word, classified)
        digit = kinds.find(b"0", end)


@lru_cache(maxsize=16_384)
def classify_word(word: str) -> ClassifiedWord:
    """Return the kind of a word that holds a digit."""
    stem = word.rstrip(".:+-")
    kind = _find_kind(stem)
    noise = find_noise_word(stem) if kind != "clock" else None
    if noise is not None:
        return (noise + word[len(stem) :], "noise", hash_id(stem, kind) if kind == "random" else 0)
    if not kind:
        return (word, "", 0)
    is_id = kind in ("random", "named")
    if kind == "random" and (match := _PREFIXED_UUID.fullmatch(stem)):
        # One UUID, whether in capitals, without its hyphens, or behind the name of what it names.
        id_hash = hash_id(match["uuid"].replace("-", "").lower(), kind)
        return (match["prefix"] + _PLACEHOLDERS[kind] + word[len(stem) :], kind, id_hash)
    return (_PLACEHOLDERS[kind] + word[len(stem) :], kind, hash_id(stem, kind) if is_id else 0)


def _find_generated_parts(start: int, path: str) -> Iterator[tuple[int, int, ClassifiedWord]]:
    """Find what was made up in a temporary path. A part that is a random id elsewhere too is the same id here."""
    for match in _GENERATED_PART.finditer(path):
        part = match[0]
        id_hash = classify_word(part)[2] if _RANDOM_ID.fullmatch(part.lower()) else hash_id(part, "random")
        yield start + match.start(), start + match.end(), ("<tmp>", "random", id_hash)


@lru_cache(maxsize=16_384)
def find_random_parts(word: str) -> tuple[tuple[int, str], ...]:
    """Return the random ids inside a word that is none as a whole, such as a file's name: their starts and texts."""
    starts = [0, *(match.end() for match in _SEPARATORS.finditer(word)), len(word) + 1]
    parts = ((start, word[start : end - 1]) for start, end in pairwise(starts))
    return tuple(
        (start, part) for start, part in parts if len(part) >= MIN_RANDOM_CHARS and _find_kind(part) == "random"
    )


def is_clock(number: str) -> bool:
    """Whether a number may be a Unix time of these years, in seconds, milliseconds or microseconds."""
    return classify_word(number)[1] == "clock"


def _find_kind(stem: str) -> str:
    if stem[0].isdecimal():
        if _MACHINE_TIME.fullmatch(stem):
            return "clock"
        if stem.isdecimal():
            return ""
    if _BASIC_TIME.fullmatch(stem):
        return ""
    if _RANDOM_ID.fullmatch(stem.lower()) or _POD.fullmatch(stem):
        return "" if _is_chosen_name(stem) else "random"
    last_part = stem[max(stem.rfind("_"), stem.rfind("-")) + 1 :]
    is_name = len(last_part) > 3 and last_part.isascii() and last_part.isalnum() and not last_part.isalpha()
    return "named" if is_name and stem.lower() != stem.upper() and not _NO_ID.fullmatch(stem) else ""


def _is_chosen_name(stem: str) -> bool:
    """Whether a person can read a long mix of letters and digits: words, and one number."""
    match = _CHOSEN_NAME.fullmatch(stem)
    if match is None:
        return False
    words = match["words"] + (match["more"] or "")
    has_vowels = sum(map(words.lower().count, "aeiouy")) >= MIN_VOWELS * len(words)
    return has_vowels and _UNSPOKEN.search(words) is None


def hash_id(name: str, kind: str = "named") -> int:
    """Return a hash of an id, valid in this process. Its lowest bits say what the id is."""
    return hash(name) & ~_FLAGS | (kind == "random")


def hash_number(number: str, thing: str) -> int:
    """Return a hash of a number that names a thing, such as ``user``; ``thing`` is empty if nothing says what it is."""
    return hash(number) & ~(_THING | _FLAGS) | (hash(thing) & _THING if thing else 0) | _NUMBER


def drop_thing(id_hash: int) -> int:
    """Return the hash of the same number without the thing that it names. Other ids stay as they are."""
    return id_hash & ~_THING if id_hash & _NUMBER else id_hash


def is_numeric_id(id_hash: int) -> bool:
    """Whether ``hash_number`` made the hash."""
    return bool(id_hash & _NUMBER)


def hash_volatile(text: str) -> int:
    """Return a hash of a time or another value that no two runs share. It says which of several a later call names."""
    return hash(text.rstrip(".:+-"))


def hash_noise(text: str) -> int:
    """Return a hash of a piece of noise that a later call may name, such as a process id."""
    return hash(text) & ~_FLAGS | _NOISE


def is_noise(id_hash: int) -> bool:
    """Whether it is a piece of noise: two of them always match, and a later call may name what it stands for."""
    return bool(id_hash & _NOISE)


def is_random_id(id_hash: int) -> bool:
    """Whether no person chose this id: a UUID, a hash, a long mix of letters and digits, a temporary path."""
    return bool(id_hash & _RANDOM)


_RANDOM, _NUMBER, _NOISE = 1, 2, 4
_FLAGS = 0x7
"""The bits of a hash that say what an id is."""
_THING = 0xFFF8
"""The bits of a number's hash that say what it names."""
