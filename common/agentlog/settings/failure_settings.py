"""The table ``[failed]`` of agentlog.toml: what else means that a call failed, and for which tools nothing does."""

import re
from collections.abc import Mapping
from typing import Any

from ..errors import SettingsError
from ..session.failure_rules import FailureRules, ToolRule
from .file import Keys, SettingsFile
from .librdkafka_properties import suggest_name

TABLE = "failed"
_SETTING_NAMES = ("never", "tools")
_RULE_NAMES = ("text", "members")


def read_failure_rules(file: SettingsFile) -> FailureRules:
    """Return the rules in the table ``[failed]`` of a settings file.

    Raises:
        SettingsError: something in the table is wrong, with its line.
    """
    table = file.data.get(TABLE, {})
    _check_names(file, (TABLE,), table, _SETTING_NAMES)
    never = table.get("never", [])
    if not isinstance(never, list) or not all(isinstance(each, str) for each in never):
        raise SettingsError(f'{file.locate(TABLE, "never")}: never is a list of tools, such as ["logs.*"]')
    tools = table.get("tools", {})
    if not isinstance(tools, dict):
        raise SettingsError(f'{file.locate(TABLE, "tools")}: tools is a table for each tool: [failed.tools."shop.*"]')
    return FailureRules(tuple(never), tuple(_read_rule(file, pattern, rule) for pattern, rule in tools.items()))


def _read_rule(file: SettingsFile, pattern: str, rule: object) -> ToolRule:
    keys = (TABLE, "tools", pattern)
    if not isinstance(rule, dict):
        raise SettingsError(f'{file.locate(*keys)}: a tool has a table: [failed.tools."{pattern}"]')
    _check_names(file, keys, rule, _RULE_NAMES)
    if not rule:
        raise SettingsError(f"{file.locate(*keys)}: {pattern} has neither text nor members")
    return ToolRule(pattern, _read_text(file, keys, rule), _read_members(file, keys, rule))


def _check_names(file: SettingsFile, keys: Keys, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name, value in table.items():
        if name not in known:
            is_tool = isinstance(value, dict) and keys != (TABLE,)
            near = f'; a tool with dots stands in quotes: [failed.tools."{keys[-1]}.{name}"]' if is_tool else ""
            origin, near = file.locate(*keys, name), near or suggest_name(name, known)
            raise SettingsError(f"{origin}: unknown setting {name!r} of {'.'.join(keys)}{near}")


def _read_text(file: SettingsFile, keys: Keys, rule: Mapping[str, Any]) -> str:
    text = rule.get("text", "")
    try:
        if isinstance(text, str):
            re.compile(text)
            return text
    except re.error as error:
        raise SettingsError(f"{file.locate(*keys, 'text')}: {text!r} is no regular expression: {error.msg}") from error
    raise SettingsError(f"{file.locate(*keys, 'text')}: text is a regular expression, in quotes")


def _read_members(file: SettingsFile, keys: Keys, rule: Mapping[str, Any]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    members = rule.get("members", {})
    origin = file.locate(*keys, "members") if "members" in rule else ""
    if not isinstance(members, dict):
        raise SettingsError(f'{origin}: members is a table of values: {{"order.state" = ["declined"], found = false}}')
    return tuple((path, _list_values(origin, path, value)) for path, value in members.items())


def _list_values(origin: str, path: str, value: object) -> tuple[Any, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(each, str | int | float) for each in values):
        raise SettingsError(f"{origin}: {path} has a text, a number, true, false, or a list of them")
    return tuple(values)
