"""The table ``[kdiff]`` of agentlog.toml, with what options add to it."""

import re
from collections.abc import Sequence

from agentlog.errors import SettingsError, UsageError
from agentlog.log.open_source import load_user_settings
from agentlog.settings.librdkafka_properties import suggest_name

from ..reading.normalize import IgnoreRules, parse_ignore_rules
from ..reading.side_effects import ToolPatterns

SETTING_NAMES = ("ignore", "ignore_patterns", "changes", "reads")


def load_comparison_settings(
    ignored_paths: Sequence[str], ignored_patterns: Sequence[str]
) -> tuple[IgnoreRules, ToolPatterns]:
    """Return what makes no difference, and what tools do, by the settings, ``--ignore`` and ``--ignore-pattern``.

    Raises:
        SettingsError: something in the table is wrong, with its line.
        UsageError: a pattern is no regular expression.
    """
    table = _read_table()
    configured = table.get("ignore", ()), table.get("ignore_patterns", ())
    try:
        ignore_rules = parse_ignore_rules((*configured[0], *ignored_paths), (*configured[1], *ignored_patterns))
    except re.error as error:
        raise UsageError(f"{error.pattern!r} is no pattern that we understand: {error.msg}") from error
    return ignore_rules, ToolPatterns(tuple(table.get("changes", ())), tuple(table.get("reads", ())))


def _read_table() -> dict[str, list[str]]:
    file = load_user_settings().file
    table = file.data.get("kdiff", {}) if file else {}
    for key, value in table.items():
        origin = file.locate("kdiff", key) if file else ""
        if key not in SETTING_NAMES:
            raise SettingsError(f"{origin}: unknown setting {key!r} of kdiff{suggest_name(key, SETTING_NAMES)}")
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise SettingsError(f'{origin}: {key} is a list of texts, such as ["payload.input.request_id"]')
    return dict(table)
