"""The reference that an event keeps in place of a large value; docs/events.md has its shape. Pure."""

from typing import Any, TypeGuard


def is_reference(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether ``value`` stands for a stored or shortened value. A JSON schema has a ``$ref`` too, and is none."""
    match value:
        case {"$ref": str() | None, "bytes": bool()}:
            return False
        case {"$ref": str() | None, "bytes": int(), "sha256": str()}:
            return True
    return False
