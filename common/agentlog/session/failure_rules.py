"""The user's own rules for what means failed, and for tools whose answers never do. Pure.

The rules come from ``agentlog.toml`` and hold for a whole process, so they are kept here, and not passed along by all
who ask whether a call failed.
"""

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import msgspec

from ..event.json_text import to_json_text

MAX_ERROR = 400
"""An error from an answer is cut to this many characters."""


class ToolRule(msgspec.Struct, frozen=True):
    """What means failed in the answers of some tools.

    Attributes:
        tools: a pattern of tool names, as in a shell.
        text: a regular expression that is searched in an answer's text; empty for none.
        members: members of an answer, as a path with dots, with the values that mean failed.
    """

    tools: str
    text: str = ""
    members: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def find_error(self, answer: object) -> str | None:
        """Return the piece of the answer that means failed, or None."""
        for path, values in self.members:
            value = _get_member(answer, path)
            if any(type(value) is type(each) and value == each for each in values):
                return f"{path} {to_text(value)}"
        match = re.search(self.text, to_text(answer)) if self.text else None
        return " ".join(match[0].split())[:MAX_ERROR] or "an answer that means failed" if match else None


class FailureRules(msgspec.Struct, frozen=True):
    """The user's rules.

    Attributes:
        never: patterns of tools whose answers never mean failed; a recorded error still does.
        tools: what means failed for some tools, beside the general rule.
    """

    never: tuple[str, ...] = ()
    tools: tuple[ToolRule, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not self.never and not self.tools

    def is_exempt(self, tool: str) -> bool:
        """Whether the answers of ``tool`` never mean failed."""
        return any(matches(tool, pattern) for pattern in self.never)

    def has_rule(self, tool: str) -> bool:
        """Whether there is a rule for ``tool``."""
        return any(matches(tool, rule.tools) for rule in self.tools)

    def find_error(self, tool: str, answer: object) -> str | None:
        """Return the piece of an answer of ``tool`` that means failed by one of the rules, or None."""
        found = (rule.find_error(answer) for rule in self.tools if matches(tool, rule.tools))
        return next((error for error in found if error is not None), None)

    def fingerprint(self) -> str:
        """Return a text that differs for other rules; empty without rules."""
        return "" if self.is_empty else msgspec.json.encode(self).decode()


_rules = FailureRules()


def get_failure_rules() -> FailureRules:
    """Return the rules in force."""
    return _rules


def set_failure_rules(rules: FailureRules) -> None:
    """Put the rules in force, in this process."""
    global _rules  # noqa: PLW0603  one set of rules for a process
    _rules = rules


@lru_cache(maxsize=4096)
def matches(tool: str, pattern: str) -> bool:
    """Whether a tool's name matches a pattern."""
    return fnmatchcase(tool, pattern)


def _get_member(answer: object, path: str) -> object:
    if isinstance(answer, str):
        answer = _parse_object(answer)
    for name in path.split("."):
        if not isinstance(answer, dict) or name not in answer:
            return None
        answer = answer[name]
    return answer


def _parse_object(text: str) -> object:
    try:
        return msgspec.json.decode(text.encode(errors="replace")) if text.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        return None


def to_text(value: object) -> str:
    """Return a text as it is, any other value as JSON, or as Python writes it where JSON can't."""
    if isinstance(value, str):
        return value
    try:
        return to_json_text(value)
    except (ValueError, TypeError, RecursionError):  # such as half a character in a text
        return repr(value)
