"""The table ``[kdiff]`` of agentlog.toml, and what the flags add to it."""

import re
from collections.abc import Sequence

from agentlog.cli import settings
from agentlog.errors import SettingsError, UsageError
from agentlog.settings.librdkafka_properties import did_you_mean

from .reading.normalize import Rules, rules
from .reading.side_effects import Declared

LISTS = ("ignore", "ignore_patterns", "changes", "reads")


def from_settings(ignored: Sequence[str], patterns: Sequence[str]) -> tuple[Rules, Declared]:
    """What makes no difference, and what tools do: the settings, and ``--ignore`` and ``--ignore-pattern`` besides.

    Raises:
        SettingsError: something in the table is wrong, with its line.
        UsageError: a pattern is no regular expression.
    """
    table = _table()
    own = table.get("ignore", ()), table.get("ignore_patterns", ())
    try:
        found = rules((*own[0], *ignored), (*own[1], *patterns))
    except re.error as error:
        raise UsageError(f"{error.pattern!r} is no pattern that we understand: {error.msg}") from error
    return found, Declared(tuple(table.get("changes", ())), tuple(table.get("reads", ())))


def _table() -> dict[str, list[str]]:
    file = settings().file
    table = file.data.get("kdiff", {}) if file else {}
    for key, value in table.items():
        origin = file.where("kdiff", key) if file else ""
        if key not in LISTS:
            raise SettingsError(f"{origin}: unknown setting {key!r} of kdiff{did_you_mean(key, LISTS)}")
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise SettingsError(f'{origin}: {key} is a list of texts, such as ["payload.input.request_id"]')
    return dict(table)
