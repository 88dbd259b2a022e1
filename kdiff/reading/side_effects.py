"""The side effects of calls: whether a call changes state, and the rule that says so. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, NamedTuple

from agentlog.analysis.call_outcome import is_handover

from .normalize import parse_json_text
from .verb_lists import CHANGE_VERBS, READ_VERBS, SHELL_READS, SHELL_SUB_READS


class Effect(Enum):
    """The effect of a step."""

    TELLS = "tells"
    READS = "reads"
    HANDS_OVER = "hands over"
    CHANGES = "changes state"


class JudgedEffect(NamedTuple):
    """An effect, and the rule that says so, in words."""

    effect: Effect
    rule: str


@dataclass(frozen=True, slots=True)
class ToolPatterns:
    """The user's patterns of tool names, as in a shell. The longest pattern that matches decides."""

    mutating_tools: tuple[str, ...] = ()
    read_only_tools: tuple[str, ...] = ()


_NAME_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SQL_READ = re.compile(
    r"\s*(?:select|show|explain|describe|pragma|with)\b(?!.*\b(?:insert|update|delete|merge)\b)", re.I | re.S
)
_SQL = re.compile(r"\s*(?:select|insert|update|delete|merge|create|alter|drop|truncate|show|explain|with)\s", re.I)
_GRAPHQL = re.compile(r"\s*(?:query\b|mutation\b|\{)")
_SHELL_COMMANDS = re.compile(
    r"(?:^|\|\|?|&&|;|\n)\s*(?:sudo\s+|cd\s+[^\s;&|]+\s*(?:&&|;)\s*)*([\w./-]+)(?:\s+([\w-]+))?"
)


def judge_effect(kind: str, label: str, payload: Mapping[str, Any], tool_patterns: ToolPatterns) -> JudgedEffect:
    """Return the effect of a step of this kind and label, and the rule that decided.

    The first rule that applies decides: the user's patterns; the tool's annotation; the HTTP method, statement or
    command in the arguments; the verb in its name. A call that no rule knows counts as a change of state, because an
    overlooked change costs more.
    """
    match kind:
        case "memory_write":
            return JudgedEffect(Effect.CHANGES, "a memory write")
        case "retrieval":
            return JudgedEffect(Effect.READS, "a retrieval")
        case "tool_call":
            return (
                _judge_by_patterns(label, tool_patterns)
                or _judge_by_annotation(payload)
                or _judge_by_arguments(label, payload.get("input"))
                or judge_by_verb(label)
            )
    return JudgedEffect(Effect.TELLS, "no call")


_STATEMENT_KEYS = frozenset({"method", "http_method", "sql", "statement", "query", "command", "cmd"})


@lru_cache(maxsize=4096)
def _is_editor(label: str) -> bool:
    return _has_word(label, "editor") or _has_word(label, "edit")


def _judge_by_patterns(label: str, tool_patterns: ToolPatterns) -> JudgedEffect | None:
    if not (tool_patterns.mutating_tools or tool_patterns.read_only_tools):
        return None
    matches = [
        (len(pattern), effect, pattern)
        for effect, patterns in _list_patterns_by_effect(tool_patterns)
        for pattern in patterns
        if fnmatchcase(label, pattern)
    ]
    if not matches:
        return None
    _, effect, pattern = max(matches, key=lambda each: each[0])
    return JudgedEffect(effect, f"your settings list {pattern!r}")


def _list_patterns_by_effect(tool_patterns: ToolPatterns) -> tuple[tuple[Effect, tuple[str, ...]], ...]:
    return (Effect.CHANGES, tool_patterns.mutating_tools), (Effect.READS, tool_patterns.read_only_tools)


def _judge_by_annotation(payload: Mapping[str, Any]) -> JudgedEffect | None:
    if "annotations" not in payload and "readOnlyHint" not in payload:
        return None
    for mapping in (payload.get("annotations"), payload):
        hint = mapping.get("readOnlyHint") if isinstance(mapping, Mapping) else None
        if isinstance(hint, bool):
            return JudgedEffect(
                Effect.READS if hint else Effect.CHANGES, f"its annotation readOnlyHint is {str(hint).lower()}"
            )
    return None


def _judge_by_arguments(label: str, arguments: Any) -> JudgedEffect | None:
    """Judge by the arguments: an HTTP method, a statement, a shell command, an editor's command."""
    arguments = parse_json_text(arguments) if isinstance(arguments, str) else arguments
    if not isinstance(arguments, Mapping) or (_STATEMENT_KEYS.isdisjoint(arguments) and not _is_editor(label)):
        return None
    method = arguments.get("method") or arguments.get("http_method")
    if isinstance(method, str) and method.upper() in {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}:
        is_read = method.upper() in {"GET", "HEAD", "OPTIONS"}
        return JudgedEffect(Effect.READS if is_read else Effect.CHANGES, f"its HTTP method is {method.upper()}")
    text = next((arguments[k] for k in ("sql", "statement", "query") if isinstance(arguments.get(k), str)), "")
    if _SQL.match(text) and (
        _has_word(label, "sql") or _has_word(label, "db") or "sql" in arguments or _SQL_READ.match(text) is None
    ):
        return JudgedEffect(Effect.READS if _SQL_READ.match(text) else Effect.CHANGES, "the statement in its arguments")
    if "graphql" in label.lower() and _GRAPHQL.match(text):
        return JudgedEffect(
            Effect.CHANGES if text.lstrip().startswith("mutation") else Effect.READS, "the statement in its arguments"
        )
    return _judge_by_command(label, arguments)


def _judge_by_command(label: str, arguments: Mapping[str, Any]) -> JudgedEffect | None:
    command = arguments.get("command") or arguments.get("cmd")
    if _is_editor(label):
        has_edit_arguments = any(
            arguments.get(name) not in (None, "")
            for name in ("old_str", "new_str", "file_text", "insert_line", "content")
        )
        if isinstance(command, str) or not has_edit_arguments:
            is_read = command in (None, "view", "read", "open", "show") and not has_edit_arguments
            return (
                None
                if command is None and _ends_with_change_verb(label)
                else JudgedEffect(
                    Effect.READS if is_read else Effect.CHANGES,
                    f"the command in its arguments ({command or 'none: it views'})",
                )
            )
    if isinstance(command, str) and any(
        _has_word(label, word) for word in ("bash", "shell", "run", "exec", "execute", "terminal", "command")
    ):
        return JudgedEffect(
            Effect.READS if is_read_only_command(command) else Effect.CHANGES, "the command in its arguments"
        )
    return None


def _ends_with_change_verb(label: str) -> bool:
    return any(word in CHANGE_VERBS for word in split_name(label)[-1:])


def _has_word(label: str, word: str) -> bool:
    return word in split_name(label)


def is_read_only_command(command: str) -> bool:
    """Whether a shell command only reads, judged by its words."""
    if re.search(r"(?<![0-9&])>(?!\s*/dev/null|&)|\btee\b|-delete\b|-exec\b|\$\(|`|<<", command):
        return False
    commands = _SHELL_COMMANDS.findall(command)
    return bool(commands) and all(
        name in SHELL_READS or subcommand in SHELL_SUB_READS.get(name, ())
        for name, subcommand in ((n.rsplit("/", 1)[-1], s) for n, s in commands)
    )


@lru_cache(maxsize=4096)
def split_name(label: str) -> tuple[str, ...]:
    """Split a tool's name into words: ``stripe.createInvoice`` -> stripe, create, invoice."""
    return tuple(word.lower() for word in _NAME_WORDS.findall(label))


@lru_cache(maxsize=4096)
def judge_by_verb(label: str) -> JudgedEffect:
    """Judge by the verb in a tool's name: the first word after the last dot, else the last word, else any word."""
    if is_handover(label):
        return JudgedEffect(Effect.HANDS_OVER, "its name says that it hands over to a person")
    last_words = split_name(re.split(r"[./:]|__", label)[-1])
    words = [*last_words[:1], *last_words[-1:], *last_words[1:-1], *split_name(label)]
    for word in words:
        if word in READ_VERBS:
            return JudgedEffect(Effect.READS, f"the verb {word!r} in its name")
        if word in CHANGE_VERBS:
            return JudgedEffect(Effect.CHANGES, f"the verb {word!r} in its name")
    return JudgedEffect(Effect.CHANGES, "no rule knows what it does, so it counts as a change")
