"""Words that hold a digit: times, durations and ids, and a placeholder for each. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_letters
from typing import NamedTuple

_DIGIT_WORD = re.compile(r"(?<![\w-])[A-Za-z_-]*+\d[\w:.+-]*+|/(?:tmp|var/folders|private/tmp|run/user)/[\w./-]++")
_TEMP_FOLDERS = ("/tmp/", "/var/folders/", "/run/user/")  # noqa: S108  looked for, not written to
_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_CLOCK = r"\d{4}-\d\d-\d\d[T ]?\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_WHOLE_MINUTE = r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::00(?:\.0+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_EPOCH = r"1[5-9]\d{8}(?:\d{3}(?:\d{3})?)?(?:\.\d+)?"
_DURATION = r"\d+(?:\.\d+)?(?:ns|us|µs|ms|s|sec|secs|seconds)"
_CLOCK_OR_DURATION = re.compile(rf"(?P<clock>{_EPOCH}|(?!{_WHOLE_MINUTE}\Z){_CLOCK})|(?P<span>{_DURATION})")
_LETTERS_AND_DIGITS = r"(?=\d*[a-z])(?=[a-z]*\d)"
_RANDOM_ID = re.compile(
    rf"(?:[a-z]+[_-])*(?:{_LETTERS_AND_DIGITS}(?:[0-9a-f]{{12,}}|[a-z0-9]{{16,}})|0x[0-9a-f]{{6,}}|{_UUID})|(?:[a-z]+[_-])+\d{{12,}}"
)
_PLACEHOLDERS = {"clock": "<time>", "span": "<span>", "random": "<id>", "named": "<name>"}


def _build_character_kinds() -> bytes:
    """Map each byte to its kind: a digit, a letter, a character that may follow a digit, or none of these."""
    kinds = {"0": "0123456789", "a": ascii_letters + "_-", ":": ":.+"}
    kind_by_code = {ord(character): kind for kind, characters in kinds.items() for character in characters}
    return "".join(kind_by_code.get(n, " ") for n in range(256)).encode()


_CHARACTER_KINDS = _build_character_kinds()


class ClassifiedWord(NamedTuple):
    """The kind of a word that holds a digit.

    Attributes:
        placeholder: the text that replaces it where the word makes no difference.
        kind: ``clock`` (a time), ``span`` (a duration), ``random`` (an id that no person chose), ``named`` (an id, or
            a name that may be one), or an empty text for all others.
        id_hash: the hash of an id, valid in this process; 0 if the word is no id.
    """

    placeholder: str
    kind: str
    id_hash: int


def find_digit_words(text: str) -> Iterator[tuple[int, str]]:
    """Yield the words of ``text`` that hold a digit, and temporary paths: the start and the word."""
    if text.isascii() and not any(path in text for path in _TEMP_FOLDERS):
        return _find_digit_words_in_ascii(text)
    return ((match.start(), match[0]) for match in _DIGIT_WORD.finditer(text))


def _find_digit_words_in_ascii(text: str) -> Iterator[tuple[int, str]]:
    """Yield what ``_DIGIT_WORD`` matches in ASCII text, in a fraction of its time."""
    kinds = text.encode().translate(_CHARACTER_KINDS)
    digit = kinds.find(b"0")
    while digit >= 0:
        start = max(kinds.rfind(b" ", 0, digit), kinds.rfind(b":", 0, digit)) + 1
        end = kinds.find(b" ", digit)
        yield start, text[start:end] if end >= 0 else text[start:]
        digit = kinds.find(b"0", end) if end >= 0 else -1


@lru_cache(maxsize=16_384)
def classify_word(word: str) -> ClassifiedWord:
    """Return the kind of a word that ``find_digit_words`` found."""
    if word.startswith("/"):
        return ClassifiedWord("<tmp>", "random", hash_id(word, "random"))
    stem = word.rstrip(".:+-")
    kind = _find_kind(stem)
    if not kind:
        return ClassifiedWord(word, "", 0)
    is_id = kind in ("random", "named")
    return ClassifiedWord(_PLACEHOLDERS[kind] + word[len(stem) :], kind, hash_id(stem, kind) if is_id else 0)


def _find_kind(stem: str) -> str:
    if stem[0].isdecimal():
        match = _CLOCK_OR_DURATION.fullmatch(stem)
        if match is not None or stem.isdecimal():
            return (match.lastgroup if match else "") or ""
    if _RANDOM_ID.fullmatch(stem.lower()):
        return "random"
    last_part = stem[max(stem.rfind("_"), stem.rfind("-")) + 1 :]
    is_name = len(last_part) > 3 and last_part.isascii() and last_part.isalnum() and not last_part.isalpha()
    return "named" if is_name and stem.lower() != stem.upper() else ""


def hash_id(name: str, kind: str = "named") -> int:
    """Return a hash of an id, valid in this process. Its lowest bit says whether the id is random."""
    return hash(name) & ~1 | (kind == "random")


def is_random_id(id_hash: int) -> bool:
    """Whether no person chose this id: a UUID, a hash, a long mix of letters and digits, a temporary path."""
    return bool(id_hash & 1)
