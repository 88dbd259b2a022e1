"""What a call does to the world: whether it changes state, and by which rule that is said. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, NamedTuple

from agentlog.analysis.call_outcome import hands_over

from .verb_lists import CHANGE_VERBS, READ_VERBS, SHELL_READS, SHELL_SUB_READS


class Effect(Enum):
    """What a step does to the world."""

    TELLS = "tells"
    READS = "reads"
    HANDS_OVER = "hands over"
    CHANGES = "changes state"


class Judged(NamedTuple):
    """An effect, and the rule that says so, for a person."""

    effect: Effect
    rule: str


@dataclass(frozen=True, slots=True)
class Declared:
    """What a user says of tools: patterns of their names, as in a shell; the longest pattern that fits decides."""

    changes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SQL_READ = re.compile(
    r"\s*(?:select|show|explain|describe|pragma|with)\b(?!.*\b(?:insert|update|delete|merge)\b)", re.I | re.S
)
_SQL = re.compile(r"\s*(?:select|insert|update|delete|merge|create|alter|drop|truncate|show|explain|with)\s", re.I)
_GRAPHQL = re.compile(r"\s*(?:query\b|mutation\b|\{)")
_FIRST = re.compile(r"(?:^|\|\|?|&&|;|\n)\s*(?:sudo\s+|cd\s+[^\s;&|]+\s*(?:&&|;)\s*)*([\w./-]+)(?:\s+([\w-]+))?")


def effect(kind: str, label: str, payload: Mapping[str, Any], declared: Declared) -> Judged:
    """What a step of this kind and label does, and by which rule.

    The user's own word counts first, then the tool's annotation, the HTTP method or statement or command that it is
    given, the verb in its name. What stays unknown counts as changing: a change that is overlooked costs more.
    """
    match kind:
        case "memory_write":
            return Judged(Effect.CHANGES, "a memory write")
        case "retrieval":
            return Judged(Effect.READS, "a retrieval")
        case "tool_call":
            return (
                _declared(label, declared) or _annotated(payload) or _given(label, payload.get("input")) or verb(label)
            )
    return Judged(Effect.TELLS, "no call")


_TELLING = frozenset({"method", "http_method", "sql", "statement", "query", "command", "cmd"})


@lru_cache(maxsize=4096)
def _edits(label: str) -> bool:
    return _is(label, "editor") or _is(label, "edit")


def _declared(label: str, declared: Declared) -> Judged | None:
    if not (declared.changes or declared.reads):
        return None
    fitting = [(len(p), e, p) for e, patterns in _sides(declared) for p in patterns if fnmatchcase(label, p)]
    if not fitting:
        return None
    _, found, pattern = max(fitting, key=lambda each: each[0])
    return Judged(found, f"your settings say so of {pattern!r}")


def _sides(declared: Declared) -> tuple[tuple[Effect, tuple[str, ...]], ...]:
    return (Effect.CHANGES, declared.changes), (Effect.READS, declared.reads)


def _annotated(payload: Mapping[str, Any]) -> Judged | None:
    if "annotations" not in payload and "readOnlyHint" not in payload:
        return None
    for holder in (payload.get("annotations"), payload):
        hint = holder.get("readOnlyHint") if isinstance(holder, Mapping) else None
        if isinstance(hint, bool):
            return Judged(
                Effect.READS if hint else Effect.CHANGES, f"its annotation readOnlyHint is {str(hint).lower()}"
            )
    return None


def _given(label: str, given: Any) -> Judged | None:
    """What the arguments say: an HTTP method, a statement, a shell command, an editor's command."""
    if not isinstance(given, Mapping) or (_TELLING.isdisjoint(given) and not _edits(label)):
        return None
    method = given.get("method") or given.get("http_method")
    if isinstance(method, str) and method.upper() in {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}:
        reads = method.upper() in {"GET", "HEAD", "OPTIONS"}
        return Judged(Effect.READS if reads else Effect.CHANGES, f"its HTTP method is {method.upper()}")
    text = next((given[k] for k in ("sql", "statement", "query") if isinstance(given.get(k), str)), "")
    if _SQL.match(text) and (_is(label, "sql") or _is(label, "db") or "sql" in given or _SQL_READ.match(text) is None):
        return Judged(Effect.READS if _SQL_READ.match(text) else Effect.CHANGES, "the statement that it is given")
    if "graphql" in label.lower() and _GRAPHQL.match(text):
        return Judged(
            Effect.CHANGES if text.lstrip().startswith("mutation") else Effect.READS, "the statement that it is given"
        )
    return _commanded(label, given)


def _commanded(label: str, given: Mapping[str, Any]) -> Judged | None:
    command = given.get("command") or given.get("cmd")
    if _edits(label):
        edits = any(
            given.get(name) not in (None, "") for name in ("old_str", "new_str", "file_text", "insert_line", "content")
        )
        if isinstance(command, str) or not edits:
            reads = command in (None, "view", "read", "open", "show") and not edits
            return (
                None
                if command is None and _has_verb(label)
                else Judged(
                    Effect.READS if reads else Effect.CHANGES,
                    f"the command that it is given ({command or 'none: it views'})",
                )
            )
    if isinstance(command, str) and any(
        _is(label, part) for part in ("bash", "shell", "run", "exec", "execute", "terminal", "command")
    ):
        return Judged(Effect.READS if reads_only(command) else Effect.CHANGES, "the command that it is given")
    return None


def _has_verb(label: str) -> bool:
    return any(part in CHANGE_VERBS for part in parts(label)[-1:])


def _is(label: str, part: str) -> bool:
    return part in parts(label)


def reads_only(command: str) -> bool:
    """Whether a shell command is made of reads alone, as far as its words tell."""
    if re.search(r"(?<![0-9&])>(?!\s*/dev/null|&)|\btee\b|-delete\b|-exec\b|\$\(|`|<<", command):
        return False
    found = _FIRST.findall(command)
    return bool(found) and all(
        name in SHELL_READS or sub in SHELL_SUB_READS.get(name, ())
        for name, sub in ((n.rsplit("/", 1)[-1], s) for n, s in found)
    )


@lru_cache(maxsize=4096)
def parts(label: str) -> tuple[str, ...]:
    """The words of a tool's name: ``stripe.createInvoice`` -> stripe, create, invoice."""
    return tuple(part.lower() for part in _PARTS.findall(label))


@lru_cache(maxsize=4096)
def verb(label: str) -> Judged:
    """What the verb in a tool's name says: the first word behind the last dot, else the last one, else any."""
    if hands_over(label):
        return Judged(Effect.HANDS_OVER, "its name says that it hands over to a person")
    own = parts(re.split(r"[./:]|__", label)[-1])
    order = [*own[:1], *own[-1:], *own[1:-1], *parts(label)]
    for part in order:
        if part in READ_VERBS:
            return Judged(Effect.READS, f"the verb {part!r} in its name")
        if part in CHANGE_VERBS:
            return Judged(Effect.CHANGES, f"the verb {part!r} in its name")
    return Judged(Effect.CHANGES, "nothing says what it does, so it counts as changing")
