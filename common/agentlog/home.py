"""The user's home folder, which a process may not have."""

import os
from pathlib import Path

from .errors import UsageError


def find_home() -> Path | None:
    """Return the user's home folder, or None without HOME and without an entry in passwd."""
    if os.environ.get("HOME") == "":  # Path.home would say /
        return None
    try:
        home = Path.home()
    except (RuntimeError, KeyError):
        return None
    return home if home.is_absolute() else None


def expand_home(path: str | Path) -> Path:
    """Return ``path`` with ``~`` at its beginning replaced by the home folder. ``~`` and an unknown name stay.

    Raises:
        UsageError: there is no home folder.
    """
    if not str(path).startswith("~"):
        return Path(path)
    try:
        return Path(path).expanduser()
    except (RuntimeError, KeyError):
        if Path(path).parts[0] != "~":
            return Path(path)
        raise UsageError(f"{path}: ~ is no folder here, because the user has no home; name the whole path") from None
