"""Pictures, sound and documents in base64, and the short marks that stand in their place. Pure.

A medium is found by a data URL, by the member beside it that names its kind, or by the first characters of its base64.
"""

import re
from binascii import Error, a2b_base64
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

MIN_MEDIUM_CHARACTERS = 100
"""Shorter base64 is left as it is."""
MAX_DEPTH = 32
"""How deep to search a value for media."""

FIRST_BYTES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF....WEBP", "image/webp"),
    (b"RIFF....WAVE", "audio/wav"),
    (b"RIFF....AVI ", "video/avi"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"....ftypheic", "image/heic"),
    (b"....ftypavif", "image/avif"),
    (b"....ftypM4A ", "audio/mp4"),
    (b"....ftyp", "video/mp4"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
)
"""The first bytes of a medium, and its kind; a dot stands for any byte. docs/events.md has the same table."""

KIND_MEMBERS = (
    "mimeType",
    "mediaType",
    "media_type",
    "mime_type",
    "mimetype",
    "content_type",
    "contentType",
    "format",
    "type",
)
"""The members that may name the kind of the base64 beside them; the first that does counts."""

_FORMATS = {
    "png": "image/png", "jpeg": "image/jpeg", "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "opus": "audio/opus", "pcm16": "audio/pcm",
    "pdf": "application/pdf", "image": "image", "audio": "audio",
}  # fmt: skip
_MIME = re.compile(r"(?:image|audio|video|application|font|model)/[\w.+-]{1,60}")
_STARTS = (
    "iVBORw0KGg", "/9j/", "\\/9j\\/", "R0lGOD", "UklGR", "SUkqA", "TU0AK", "JVBERi0", "SUQz", "T2dnU", "ZkxhQ",
    "GZ0eXB", "GkXfo", "UEsDB", "H4sI",
)  # fmt: skip
_HINTS = (*_STARTS, "base64")
_OBJECT_HINTS = (*_HINTS, *KIND_MEMBERS[:-2], '"format"', '"image"', '"audio"')
_RUN = r"[A-Za-z0-9+/_-]"
_LINE_END = r"(?:\\+r|\r)?(?:\\+n|\n) ?"


def _make_base64_pattern(wrapped: str) -> str:
    """Return a pattern of base64, perhaps in several lines. A short last line must follow long ones, or end with =."""
    last_line = rf"{_LINE_END}(?:{_RUN}|\\/){{2,75}}+"
    return (
        rf"{_RUN}*+(?:\\/{_RUN}*+|(?P<{wrapped}>{_LINE_END}(?=[^\s\"]{{40}}){_RUN}++))*+"
        rf"(?({wrapped})(?:{last_line}(?=[\\=\r\n\"]|\Z))?|(?:{last_line}(?==))?)=*"
    )


_RAW_STARTS = "|".join(map(re.escape, _STARTS)).replace("GZ0eXB", "AAAA[A-Za-z]GZ0eXB")
_IN_TEXT = re.compile(
    r"data:(?P<mime>[\w.+-]{1,40}\\*/[\w.+-]{1,60})?(?:;[\w.-]+=[\w.\"-]+){0,4};base64,(?P<url>"
    + _make_base64_pattern("wrapped_url")
    + ")"
    rf"|(?<!{_RUN})(?P<raw>(?:{_RAW_STARTS}){_make_base64_pattern('wrapped_raw')})"
)
_WHOLE = re.compile(r"[A-Za-z0-9+/_\r\n-]{100,}+={0,2}\s*")
_NO_BASE64 = re.compile(r"\\[rn]|[^A-Za-z0-9+/_-]")
_URL_SAFE = str.maketrans("-_", "+/")
_GAPS = ("=", "\n", "\r", " ", "\\", "\\n", "\\r")
"""What isn't base64: a backslash and the letter behind it count one each."""


class Medium(NamedTuple):
    """A medium in base64: its kind as a MIME type, and its size when decoded."""

    kind: str
    size: int

    @property
    def mark(self) -> str:
        """The text that stands in its place."""
        return f"[{self.kind}, {self.size:,} bytes]"


Replace = Callable[[str, str, Medium | None], Any]
"""Takes a text, the text with marks, and the medium if the whole text is one. Returns what stands in its place."""


def find_kind(content: bytes) -> str | None:
    """Return the kind of a medium by its first bytes, or None."""
    for first, kind in FIRST_BYTES:
        if len(content) >= len(first) and all(a in (b, 0x2E) for a, b in zip(first, content, strict=False)):
            return kind
    return None


def mark_media_in_text(text: str, *, with_size: bool = True) -> str:
    """Return ``text`` with a mark in place of each medium; without its size if the text is only a beginning."""
    if len(text) < MIN_MEDIUM_CHARACTERS or not any(hint in text for hint in _HINTS):
        return text
    return _IN_TEXT.sub(lambda match: _mark_match(match, with_size), text)


def _mark_match(match: re.Match[str], with_size: bool) -> str:
    url, raw = match["url"], match["raw"]
    if len(raw if url is None else url) < MIN_MEDIUM_CHARACTERS:
        return match[0]
    medium = identify_medium(raw) if url is None else _measure(url, match["mime"] or "data")
    if medium is None:
        return match[0]
    return medium.mark if with_size else f"[{medium.kind}]"


def identify_medium(text: str, said: str | None = None) -> Medium | None:
    """Return the medium that base64 ``text`` is; ``said`` is its kind where that is known, or None."""
    characters = _NO_BASE64.sub("", text[:64]).translate(_URL_SAFE)
    try:
        content = a2b_base64(characters[: len(characters) // 4 * 4])
    except Error:
        return None
    kind = find_kind(content) or said
    return _measure(text, kind) if kind else None


def _measure(text: str, kind: str) -> Medium:
    """Return the medium with its size. The characters are counted, because a large text would take long to decode."""
    return Medium(kind.replace("\\", ""), (len(text) - sum(map(text.count, _GAPS))) * 3 // 4)


def may_hold_media(encoded: str) -> bool:
    """Whether a value, encoded as JSON, may hold a medium. False is certain."""
    return len(encoded) >= MIN_MEDIUM_CHARACTERS and any(hint in encoded for hint in _OBJECT_HINTS)


def replace_media(value: Any, replace: Replace) -> Any:
    """Return ``value`` with each text that is a medium, or holds one, replaced. The value itself isn't changed."""
    return _replace(value, replace, None, MAX_DEPTH)


def _replace(value: Any, replace: Replace, said: str | None, depth: int) -> Any:
    if isinstance(value, str):
        return _replace_text(value, replace, said)
    if not depth:
        return value
    if isinstance(value, dict):
        said = _find_said_kind(value)
        return {name: _replace(inner, replace, said, depth - 1) for name, inner in value.items()}
    return [_replace(inner, replace, None, depth - 1) for inner in value] if isinstance(value, list) else value


def _replace_text(text: str, replace: Replace, said: str | None) -> Any:
    if len(text) < MIN_MEDIUM_CHARACTERS:
        return text
    medium = _identify_whole(text, said)
    marked = mark_media_in_text(text) if medium is None else medium.mark
    return text if marked == text else replace(text, marked, medium)


def _identify_whole(text: str, said: str | None) -> Medium | None:
    """Return the medium that the whole of ``text`` is, or None."""
    if _WHOLE.fullmatch(text):
        return identify_medium(text, said)
    match = _IN_TEXT.fullmatch(text) if text.startswith("data:") else None
    return _measure(match["url"], match["mime"] or said or "data") if match is not None else None


def _find_said_kind(fields: Mapping[str, Any]) -> str | None:
    """Return the kind of a medium that an object names, or None."""
    for name in KIND_MEMBERS:
        said = fields.get(name)
        if isinstance(said, str) and (kind := said if _MIME.fullmatch(said) else _FORMATS.get(said)):
            return kind
    return None
