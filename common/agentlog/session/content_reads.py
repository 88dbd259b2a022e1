"""Calls that read content: what they print is what was read, and no word of their own about a failure. Pure.

``docs/events.md`` says the same.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

READING_TOOLS = frozenset({"cat", "diff", "fetch", "grep", "head", "less", "read", "rg", "ripgrep", "tail", "view"})
"""Words in the name of a tool that reads content."""
READING_NAMES = frozenset({"get_file_contents", "get_file_content", "git_diff", "git_log", "git_show", "open_file"})
SHELL_TOOLS = frozenset({"bash", "cmd", "command", "console", "exec", "execute", "powershell", "run", "sh", "shell"})
SHELL_TOOLS |= {"terminal", "zsh"}
READING_COMMANDS = frozenset({
    "awk", "bat", "cat", "column", "cut", "egrep", "fgrep", "find", "grep", "head", "journalctl", "jq", "less", "ls",
    "more", "nl", "rg", "sed", "sort", "tac", "tail", "tr", "uniq", "wc", "zcat", "zgrep",
})  # fmt: skip
"""Commands of a shell that print what they read."""
READING_SUBCOMMANDS = {
    "git": frozenset({"blame", "diff", "grep", "log", "show"}),
    "kubectl": frozenset({"logs"}),
    "docker": frozenset({"logs"}),
}
SEARCHING_COMMANDS = frozenset({"[", "cmp", "diff", "egrep", "fgrep", "grep", "rg", "test", "zgrep"})
"""Commands whose exit code 1 says that they found nothing, or a difference."""
SILENT_COMMANDS = frozenset({"cd", "false", "true"})

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SEPARATORS = re.compile(r"&&|\|\||[;|\n]")
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"")
_PREFIX = re.compile(r"(?:\w+=\S*\s+|(?:sudo|time|command|exec)\s+)*")
_OPTIONS = re.compile(r"(?:-C \S+|-n \S+|--?\S+)\s+")
_SHELL_CALL = re.compile(r"\S*\b(?:ba|z)?sh\s+-\w*c\s+(.*)", re.S)


class ContentRead(NamedTuple):
    """A call that reads content.

    Attributes:
        is_shell: it runs commands in a shell.
        prints_content: what it prints was read.
        is_search: its exit code 1 says that it found nothing, or a difference.
    """

    is_shell: bool
    prints_content: bool
    is_search: bool


def find_content_read(tool: object, call_input: object) -> ContentRead | None:
    """Return how a call reads content, by the tool's name and a shell's commands; None if it doesn't."""
    if not isinstance(tool, str):
        return None
    words = {word.lower() for word in _WORDS.findall(tool[:200])}
    call_input = _parse_input(call_input)
    command = _get_command(call_input)
    if command is not None and not SHELL_TOOLS.isdisjoint(words):
        return _judge_command(command)
    is_viewer = isinstance(call_input, dict) and call_input.get("command") == "view"
    if is_viewer or not READING_TOOLS.isdisjoint(words) or tool.rpartition(".")[2].lower() in READING_NAMES:
        return ContentRead(False, True, not SEARCHING_COMMANDS.isdisjoint(words))
    return None


def _parse_input(call_input: object) -> object:
    if isinstance(call_input, str) and call_input.startswith("{"):
        try:
            return msgspec.json.decode(call_input.encode(errors="replace"))
        except (ValueError, RecursionError):
            return call_input
    return call_input


def _get_command(call_input: object) -> str | None:
    if isinstance(call_input, Mapping):
        call_input = next((call_input[name] for name in ("command", "cmd", "script") if name in call_input), None)
    if isinstance(call_input, list):
        call_input = " ".join(word for word in call_input if isinstance(word, str))
    return call_input if isinstance(call_input, str) else None


def _judge_command(command: str) -> ContentRead | None:
    shell_call = _SHELL_CALL.match(command.strip())
    command = shell_call[1].strip("'\"") if shell_call else command
    parts = [part.strip() for part in _SEPARATORS.split(_QUOTED.sub("Q", command[:5_000])) if part.strip()]
    names = [_get_name(part) for part in parts if _get_name(part) not in SILENT_COMMANDS]
    prints_content = bool(names) and all(name in READING_COMMANDS for name in names)
    is_search = bool(names) and names[-1] in SEARCHING_COMMANDS
    is_search = is_search and all(name in READING_COMMANDS | SEARCHING_COMMANDS for name in names)
    prints_content = prints_content or (is_search and names[-1] in ("diff", "cmp"))
    return ContentRead(True, prints_content, is_search) if prints_content or is_search else None


def _get_name(part: str) -> str:
    """Return the name of the command that a part of a line runs; of ``git log`` that of a like command."""
    prefix = _PREFIX.match(part)
    name, _, rest = part[prefix.end() if prefix else 0 :].partition(" ")
    name = name.rpartition("/")[2]
    if name not in READING_SUBCOMMANDS:
        return name
    while option := _OPTIONS.match(rest):
        rest = rest[option.end() :]
    subcommand = rest.split(" ", 1)[0]
    if subcommand not in READING_SUBCOMMANDS[name]:
        return name
    return subcommand if subcommand in SEARCHING_COMMANDS else "cat"
