"""The settings file: where it lies, its values, and the lines of its keys."""

import os
import re
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import SettingsError

FILE_NAME = "agentlog.toml"
TYPE_NAMES = {
    str: "a string",
    dict: "a table",
    list: "an array",
    bool: "true or false",
    int: "a number",
    float: "a number",
}

Keys = tuple[str, ...]

RECENT_NS = 50_000_000
"""A file that changed so recently may change again without a new time, in nanoseconds."""


@dataclass(frozen=True)
class SettingsFile:
    """The content of a settings file.

    Attributes:
        path: the file's path; relative paths in the file are relative to its folder.
        display_name: the file's name in messages.
        data: its tables and values.
        lines: the line of each key and table, from 1, by the keys that lead to it.
    """

    path: Path
    display_name: str
    data: Mapping[str, Any] = field(repr=False)
    lines: Mapping[Keys, int] = field(repr=False)

    def locate(self, *keys: str) -> str:
        """Return the file's name and the line of a key or table: ``agentlog.toml:12``."""
        return f"{self.display_name}:{self.lines[keys]}"

    @cached_property
    def has_file_references(self) -> bool:
        """Whether the value of a property stands in a file of its own, which may change: ``{file = "path"}``."""
        return any(keys[0] == "clusters" and keys[-1] == "file" for keys in self.lines)


def find_settings_file(environment: Mapping[str, str], folder: Path) -> SettingsFile | None:
    """Read ``$AGENTLOG_CONFIG``, else ``agentlog.toml`` in ``folder``, else the one in the user's config folder.

    Raises:
        SettingsError: the file of ``$AGENTLOG_CONFIG`` doesn't exist, or the file can't be read or isn't TOML.
    """
    for path, display_name in _list_places(environment, folder):
        if settings_file := _read_file(Path(path), display_name):
            return settings_file
    if configured_path := environment.get("AGENTLOG_CONFIG"):
        raise SettingsError(f"environment AGENTLOG_CONFIG: there is no file {configured_path}")
    return None


def stamp_settings_file(environment: Mapping[str, str], folder: Path) -> object:
    """Return what is equal as long as ``find_settings_file`` finds the same. None if that can't be told now."""
    stamps = list[object]()
    for path, _ in _list_places(environment, folder):
        try:
            status = os.stat(path)  # noqa: PTH116  half the time of Path's
        except OSError as error:
            stamps.append((path, error.errno))
            continue
        if time.time_ns() - status.st_mtime_ns < RECENT_NS:
            return None
        stamps.append((path, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev))
        break
    return tuple(stamps)


def walk_table(table: Mapping[str, Any], is_leaf: Callable[[Any], bool]) -> Iterator[tuple[Keys, Any]]:
    """Yield each value and table below ``table`` with its keys, in order. It doesn't enter a table that ``is_leaf``."""
    waiting: list[tuple[Keys, Any]] = [((key,), value) for key, value in reversed(list(table.items()))]
    while waiting:
        keys, value = waiting.pop()
        yield keys, value
        if isinstance(value, dict) and not is_leaf(value):
            waiting += [((*keys, key), below) for key, below in reversed(value.items())]


def get_type_name(value: object) -> str:
    """Return the name of a value's type in TOML."""
    return TYPE_NAMES.get(type(value), "a date or time")


def _list_places(environment: Mapping[str, str], folder: Path) -> list[tuple[str, str]]:
    """Return the paths where the file may lie, with their names in messages. The first that exists counts."""
    if configured_path := environment.get("AGENTLOG_CONFIG"):
        return [(os.path.join(folder, configured_path), configured_path)]  # noqa: PTH118  a third of the time of Path's
    user_path = _get_user_path(environment)
    return [(f"{folder}/{FILE_NAME}", FILE_NAME), *([(user_path, user_path)] if user_path else ())]


def _get_user_path(environment: Mapping[str, str]) -> str | None:
    """Return the path of the file in the user's config folder (XDG Base Directory Specification), or None.

    The specification allows only absolute paths.
    """
    folder = environment.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/") and "HOME" in environment:
        folder = f"{environment['HOME']}/.config"
    return f"{folder.rstrip('/')}/agentlog/{FILE_NAME}" if folder.startswith("/") else None


def _read_file(path: Path, display_name: str) -> SettingsFile | None:
    """Read the file at ``path``; return None if it doesn't exist."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"{display_name} can't be read: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        return SettingsFile(path, display_name, tomllib.loads(text), _find_key_lines(text))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{display_name}:{line}: is not UTF-8; TOML is always UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(_explain_syntax_error(display_name, text, error)) from error


def _explain_syntax_error(display_name: str, text: str, error: Exception) -> str:
    what, _, place = str(error).partition(" (at ")
    if isinstance(error, RecursionError) or not place:
        return f"{display_name}: can't be read: {what}"
    at_line = re.match(r"line ([0-9]+), column ([0-9]+)", place)
    line = at_line[1] if at_line else text.rstrip().count("\n") + 1
    return f"{display_name}:{line}: is not TOML: {what}" + (
        f" (column {at_line[2]})" if at_line else ", at the file's end"
    )


def _find_key_lines(text: str) -> dict[Keys, int]:
    """Find the line of each key and table. tomllib doesn't tell lines, so it parses one statement after the other."""
    lines: dict[Keys, int] = {}
    table: Keys = ()
    for number, is_header, statement in _split_statements(text.split("\n")):
        paths = [keys for keys, _ in walk_table(statement, is_leaf=lambda _: False)]
        above = () if is_header else table
        for keys in paths:
            lines.setdefault((*above, *keys), number)
        table = paths[-1] if is_header else table
    return lines


def _split_statements(lines: list[str]) -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """Yield each statement of a valid document: its line, whether it is a table's header, and its data."""
    start = 0
    for end in range(1, len(lines) + 1):
        statement = _parse_or_none("\n".join(lines[start:end]))
        if statement is not None:
            yield start + 1, lines[start].lstrip().startswith("["), statement
            start = end


def _parse_or_none(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except ValueError:
        return None
