"""Recorded values made short for a reader: media in base64 as marks, references and content parts as texts. Pure."""

from typing import Any

from ..event.json_text import to_json_text
from ..event.media import MAX_DEPTH, mark_media_in_text, may_hold_media, replace_media
from ..event.reference import is_reference

MEDIUM_PARTS = frozenset(
    {"image", "image_url", "input_image", "audio", "input_audio", "video", "media", "document", "file", "input_file"}
)
"""The types of content parts that hold a medium."""
TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
"""The types of content parts that hold a text."""
_NAME_MEMBERS = ("filename", "title", "name")


class _Mark(str):
    """A text that stands for a medium, holds the mark of one, or stands for a value that is kept elsewhere."""

    __slots__ = ()


def condense_value(value: object) -> object:
    """Return a value with its media in base64 as marks, and the references within it as texts.

    A content part that is a medium becomes its mark. A list of such parts and of texts becomes one text.
    """
    if isinstance(value, str):
        return mark_media_in_text(value)
    if not isinstance(value, dict | list) or is_reference(value):
        return value
    encoded = to_json_text(value)
    if may_hold_media(encoded):
        value = replace_media(value, lambda _, marked, __: _Mark(marked))
    elif '"sha256"' not in encoded:
        return value
    return _condense(value, MAX_DEPTH)


def format_reference(reference: dict[str, Any]) -> str:
    """Format a reference that replaces a large value."""
    url, preview = reference["$ref"], reference.get("preview")
    location = f" in {url}" if url else ", shortened"
    preview_text = preview if isinstance(preview, str) else to_json_text(preview) if preview else ""
    preview_text = mark_media_in_text(preview_text, with_size=False)
    return f"{preview_text} [{reference['bytes']} bytes{location}]".strip()


def _condense(value: Any, depth: int) -> Any:
    if is_reference(value):
        return _Mark(format_reference(value))
    if not depth:
        return value
    if isinstance(value, dict):
        fields = {name: _condense(inner, depth - 1) for name, inner in value.items()}
        marks = list(_find_marks(fields)) if fields.get("type") in MEDIUM_PARTS else []
        names = [f"{fields[name]} " for name in _NAME_MEMBERS if isinstance(fields.get(name), str)]
        return _Mark("".join(names[:1]) + " ".join(marks)) if marks else fields
    return _condense_list(value, depth) if isinstance(value, list) else value


def _condense_list(values: list[Any], depth: int) -> Any:
    condensed = [_condense(value, depth - 1) for value in values]
    is_content = all(isinstance(value, dict) and isinstance(value.get("type"), str) for value in values)
    if not is_content or not any(
        isinstance(part if isinstance(part, str) else part.get("text"), _Mark) for part in condensed
    ):
        return condensed
    texts = [_get_part_text(part) for part in condensed]
    return ("\n" if any("\n" in text for text in texts) else "  ").join(texts)


def _get_part_text(part: Any) -> str:
    if isinstance(part, dict) and part["type"] in TEXT_PARTS and isinstance(part.get("text"), str):
        return str(part["text"])
    return part if isinstance(part, str) else to_json_text(part)


def _find_marks(fields: dict[str, Any]) -> list[str]:
    """Return the marks in an object and in the objects within it."""
    inner = [mark for value in fields.values() if isinstance(value, dict) for mark in _find_marks(value)]
    return [value for value in fields.values() if isinstance(value, _Mark)] + inner
