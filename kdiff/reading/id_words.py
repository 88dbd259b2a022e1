"""Words with a figure in them: which are clocks, durations or ids, and what stands for each. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_letters
from typing import NamedTuple

_FIGURED = re.compile(r"(?<![\w-])[A-Za-z_-]*+\d[\w:.+-]*+|/(?:tmp|var/folders|private/tmp|run/user)/[\w./-]++")
_TEMPORARY = ("/tmp/", "/var/folders/", "/run/user/")  # noqa: S108  looked for, not written to
_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_CLOCK = r"\d{4}-\d\d-\d\d[T ]?\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_WHOLE = r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::00(?:\.0+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_EPOCH = r"1[5-9]\d{8}(?:\d{3}(?:\d{3})?)?(?:\.\d+)?"
_SPAN = r"\d+(?:\.\d+)?(?:ns|us|µs|ms|s|sec|secs|seconds)"
_TIMED = re.compile(rf"(?P<clock>{_EPOCH}|(?!{_WHOLE}\Z){_CLOCK})|(?P<span>{_SPAN})")
_BOTH = r"(?=\d*[a-z])(?=[a-z]*\d)"
_RANDOM = re.compile(
    rf"(?:[a-z]+[_-])*(?:{_BOTH}(?:[0-9a-f]{{12,}}|[a-z0-9]{{16,}})|0x[0-9a-f]{{6,}}|{_UUID})|(?:[a-z]+[_-])+\d{{12,}}"
)
_STANDS = {"clock": "<time>", "span": "<span>", "random": "<id>", "named": "<name>"}


def _characters() -> bytes:
    """For each byte what it is to a word: a figure, a letter, what may stand behind a figure, or none of it."""
    kinds = {"0": "0123456789", "a": ascii_letters + "_-", ":": ":.+"}
    of = {ord(each): kind for kind, every in kinds.items() for each in every}
    return "".join(of.get(n, " ") for n in range(256)).encode()


_CHARACTERS = _characters()


class Figure(NamedTuple):
    """What a word with a figure in it is.

    Attributes:
        stands: what stands for it where it makes no difference.
        kind: ``clock``, ``span`` (a duration), ``random`` (an id that no person chose), ``named`` (an id, or a name
            that may be one), and an empty text for everything else.
        mark: of an id a number of this process that stands for it, else 0.
    """

    stands: str
    kind: str
    mark: int


def figured(text: str) -> Iterator[tuple[int, str]]:
    """The words of ``text`` with a figure in them, and temporary paths: where each begins, and the word."""
    if text.isascii() and not any(path in text for path in _TEMPORARY):
        return _quickly(text)
    return ((found.start(), found[0]) for found in _FIGURED.finditer(text))


def _quickly(text: str) -> Iterator[tuple[int, str]]:
    """The same as the pattern finds in plain text, in a fraction of its time."""
    kinds = text.encode().translate(_CHARACTERS)
    at = kinds.find(b"0")
    while at >= 0:
        start = max(kinds.rfind(b" ", 0, at), kinds.rfind(b":", 0, at)) + 1
        end = kinds.find(b" ", at)
        yield start, text[start:end] if end >= 0 else text[start:]
        at = kinds.find(b"0", end) if end >= 0 else -1


@lru_cache(maxsize=16_384)
def figure(word: str) -> Figure:
    """What a word is that ``figured`` found."""
    if word.startswith("/"):
        return Figure("<tmp>", "random", mark(word, "random"))
    bare = word.rstrip(".:+-")
    kind = _kind(bare)
    if not kind:
        return Figure(word, "", 0)
    is_id = kind in ("random", "named")
    return Figure(_STANDS[kind] + word[len(bare) :], kind, mark(bare, kind) if is_id else 0)


def _kind(bare: str) -> str:
    if bare[0].isdecimal():
        timed = _TIMED.fullmatch(bare)
        if timed is not None or bare.isdecimal():
            return (timed.lastgroup if timed else "") or ""
    if _RANDOM.fullmatch(bare.lower()):
        return "random"
    last = bare[max(bare.rfind("_"), bare.rfind("-")) + 1 :]
    is_name = len(last) > 3 and last.isascii() and last.isalnum() and not last.isalpha()
    return "named" if is_name and bare.lower() != bare.upper() else ""


def mark(name: str, kind: str = "named") -> int:
    """A number of this process that stands for an id; it tells whether a person may have chosen it."""
    return hash(name) & ~1 | (kind == "random")


def is_random(mark: int) -> bool:
    """Whether no person chose this id: a UUID, a hash, a long mix of letters and figures, a temporary path."""
    return bool(mark & 1)
