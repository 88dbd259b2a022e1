"""Words that hold a digit: times, noise and ids, and a placeholder for each. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_letters
from typing import NamedTuple

from .noise import find_noise_word

_WORD_OR_TEMP_PATH = re.compile(
    r"(?<![A-Za-z0-9_-])[A-Za-z_-]*+[0-9][A-Za-z0-9_:.+-]*+|/(?:tmp|var/folders|private/tmp|run/user)/[A-Za-z0-9_./-]++"
)
_TEMP_FOLDERS = ("/tmp/", "/var/folders/", "/run/user/")  # noqa: S108  looked for, not written to
_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_CLOCK = r"\d{4}-\d\d-\d\d[T ]?\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_WHOLE_MINUTE = r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::00(?:\.0+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_EPOCH = r"1[5-9]\d{8}(?:\d{3}(?:\d{3})?)?(?:\.\d+)?"
_MACHINE_TIME = re.compile(rf"{_EPOCH}|(?!{_WHOLE_MINUTE}\Z){_CLOCK}")
_LETTERS_AND_DIGITS = r"(?=\d*[a-z])(?=[a-z]*\d)"
_RANDOM_ID = re.compile(
    rf"(?:[a-z]+[_-])*(?:{_LETTERS_AND_DIGITS}(?:[0-9a-f]{{12,}}|[a-z0-9]{{16,}})|0x[0-9a-f]{{6,}}|{_UUID})|(?:[a-z]+[_-])+\d{{12,}}"
)
_K8S = "[bcdfghjklmnpqrstvwxz2456789]"
_POD = re.compile(rf"(?:[a-z0-9]+-)+?{_K8S}{{8,10}}-{_K8S}{{5}}")
_GENERATED_PART = re.compile(
    r"(?<=/)(?:tmp(?:[a-z0-9_]{8}|(?=[a-z_]*[0-9])[a-z0-9_]{4,}|\.[A-Za-z0-9]{6,})|(?:pytest-|go-build|run-)?[0-9]+(?=/|\Z)"
    rf"|{_UUID}|[0-9a-z_]{{28,}})|(?<=[/._-])(?:(?=[0-9]*[A-Za-z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{{6,}}|[0-9]{{10,}})(?=[/.]|\Z)"
)
"""The part of a temporary path that a program made up. The names around it were chosen."""
_QUANTITY = re.compile(r"\d{1,4}[A-Za-z]{1,4}|\d+[G-Zg-z][A-Za-z]{0,3}|(?:\d+[dhms])+")
"""A number with its unit, such as 512Mi or 2h30m. It is no id."""
_PLACEHOLDERS = {"clock": "<time>", "random": "<id>", "named": "<name>"}


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
        kind: ``clock`` (a time), ``noise`` (noise in an answer only), ``random`` (an id that no person chose),
            ``named`` (an id, or a name that may be one), or an empty text for all others.
        id_hash: the hash of an id, valid in this process; 0 if the word is no id. Noise with a hash is a random id
            where it is no noise.
    """

    placeholder: str
    kind: str
    id_hash: int


def find_digit_words(text: str) -> Iterator[tuple[int, str]]:
    """Yield the words of ``text`` that hold a digit, and temporary paths: the start and the word."""
    if any(path in text for path in _TEMP_FOLDERS):
        return ((match.start(), match[0]) for match in _WORD_OR_TEMP_PATH.finditer(text))
    return _find_words(text)


def _find_words(text: str) -> Iterator[tuple[int, str]]:
    """Yield what ``_WORD_OR_TEMP_PATH`` matches in a text without such a path, in a fraction of its time.

    Each character that is not ASCII becomes one byte that stands in no word.
    """
    kinds = text.encode("ascii", "replace").translate(_CHARACTER_KINDS)
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
        return _classify_temp_path(word)
    stem = word.rstrip(".:+-")
    kind = _find_kind(stem)
    noise = find_noise_word(stem) if kind != "clock" else None
    if noise is not None:
        return ClassifiedWord(noise + word[len(stem) :], "noise", hash_id(stem, kind) if kind == "random" else 0)
    if not kind:
        return ClassifiedWord(word, "", 0)
    is_id = kind in ("random", "named")
    return ClassifiedWord(_PLACEHOLDERS[kind] + word[len(stem) :], kind, hash_id(stem, kind) if is_id else 0)


def _classify_temp_path(path: str) -> ClassifiedWord:
    """Replace what was made up in a temporary path. A path that was chosen as a whole is no id."""
    parts = tuple(_GENERATED_PART.findall(path))
    if not parts:
        return ClassifiedWord(path, "", 0)
    return ClassifiedWord(_GENERATED_PART.sub("<tmp>", path), "random", hash_id("/".join(parts), "random"))


def _find_kind(stem: str) -> str:
    if stem[0].isdecimal():
        if _MACHINE_TIME.fullmatch(stem):
            return "clock"
        if stem.isdecimal():
            return ""
    if _RANDOM_ID.fullmatch(stem.lower()) or _POD.fullmatch(stem):
        return "random"
    last_part = stem[max(stem.rfind("_"), stem.rfind("-")) + 1 :]
    is_name = len(last_part) > 3 and last_part.isascii() and last_part.isalnum() and not last_part.isalpha()
    return "named" if is_name and stem.lower() != stem.upper() and not _QUANTITY.fullmatch(stem) else ""


def hash_id(name: str, kind: str = "named") -> int:
    """Return a hash of an id, valid in this process. Its lowest bit says whether the id is random."""
    return hash(name) & ~1 | (kind == "random")


def is_random_id(id_hash: int) -> bool:
    """Whether no person chose this id: a UUID, a hash, a long mix of letters and digits, a temporary path."""
    return bool(id_hash & 1)
