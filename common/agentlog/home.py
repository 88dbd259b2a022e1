"""The user's home folder and the current folder. A process may have neither."""

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


def get_current_folder() -> Path:
    """Return the current folder. If it was removed, the path is ``.``, in which no file is found."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


def make_absolute(path: str | Path) -> Path:
    """Return ``path`` from the root on, so that it holds when the program changes its folder. ``~`` is expanded.

    Raises:
        UsageError: there is no home folder, or the path is relative and the current folder was removed.
    """
    try:
        return expand_home(path).absolute()
    except OSError as error:
        raise UsageError(f"{path}: the current folder can't be told ({error.strerror}); name the whole path") from error
