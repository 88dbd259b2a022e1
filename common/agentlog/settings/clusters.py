"""Named clusters and their settings. Flags override the environment, and the environment overrides the file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import SettingsError, UsageError
from ..event.partitioner import resolve_partitioner
from ..session.failure_rules import FailureRules
from .failure_settings import read_failure_rules
from .file import SettingsFile, find_settings_file, get_type_name, stamp_settings_file
from .librdkafka_properties import suggest_name
from .property_values import (
    PropertyValue,
    convert_properties,
    parse_overrides,
    read_cluster_properties,
    read_environment_properties,
    resolve_file_properties,
)

TOP_LEVEL: Mapping[str, type] = {
    "cluster": str,
    "topic": str,
    "clusters": dict,
    "topics": dict,
    "failed": dict,
    "kdiff": dict,
}
"""The keys at the top of a settings file. A tool with its own table adds it here and in docs/settings.md."""

MAX_KNOWN_SETTINGS = 10
"""How many settings are remembered, so that a further tracer doesn't read the file again."""
DEFAULT_TOPIC = "agent-events"
HIDDEN = "***"
BOOTSTRAP = "bootstrap.servers"
ADDRESS_PATTERN = re.compile(r"(?:[A-Za-z_]+://)?(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]@]+)(?::(?P<port>[^\s:/]*))?")
NO_CLUSTER_MESSAGE = """\
no cluster is given, and no settings name one. Write --cluster HOST:PORT, or put this into ./agentlog.toml:

    cluster = "local"
    [clusters.local]
    "bootstrap.servers" = "localhost:9092\""""


@dataclass(frozen=True, repr=False)
class Cluster:
    """A cluster and its properties. Its text forms never show a secret.

    Attributes:
        name: its name in the settings, or its address.
        properties: librdkafka's configuration, with the secrets in plain text. A property with several names always
            has the name to which ``librdkafka_properties.ALIASES`` leads.
        origins: the origin of each property: ``agentlog.toml:12``, ``environment AGENTLOG_KAFKA_...``, ``-X``.
        secrets: the properties whose values must never be shown.
    """

    name: str
    properties: dict[str, str]
    origins: dict[str, str]
    secrets: frozenset[str]

    def __repr__(self) -> str:
        return f"Cluster({self.name!r}, {self.get_redacted_properties()!r})"

    def get_redacted_properties(self) -> dict[str, str]:
        """Return the properties with ``***`` for each secret."""
        return {name: HIDDEN if name in self.secrets else value for name, value in self.properties.items()}

    def redact(self, text: str) -> str:
        """Return ``text``, such as a log line of librdkafka, with ``***`` for each secret in it."""
        for secret in sorted((self.properties[name] for name in self.secrets), key=len, reverse=True):
            text = text.replace(secret, HIDDEN) if secret else text
        return text


class Settings:
    """The settings of the file and the environment.

    Args:
        choice_origin: the origin of a cluster or topic that the caller names, for messages.
    """

    def __init__(
        self, environment: Mapping[str, str], file: SettingsFile | None, choice_origin: str = "the command line"
    ) -> None:
        self._environment, self._choice_origin = environment, choice_origin
        self.file = file
        self._data: Mapping[str, Any] = file.data if file else {}
        self._clusters: dict[str | None, Cluster] = {}

    @property
    def cluster_names(self) -> tuple[str, ...]:
        """The names of the clusters in the file, in its order."""
        return tuple(self._data.get("clusters", ()))

    @property
    def failure_rules(self) -> FailureRules:
        """What the user counts as failed, beside the general rule."""
        return read_failure_rules(self.file) if self.file else FailureRules()

    def get_cluster(self, name_or_address: str | None, overrides: Sequence[str] = ()) -> Cluster:
        """Return the cluster ``name_or_address`` with all its settings.

        Args:
            name_or_address: a name in the file, or ``host:port``, or several addresses with commas between. None stands
                for the default: that of the environment, then that of the file, then the file's only cluster.
            overrides: ``NAME=VALUE`` pairs, as from ``-X``. They override everything else; the last of a name counts.

        Raises:
            SettingsError: there is no such cluster, or one of its settings is wrong.
        """
        if not overrides and name_or_address in self._clusters:
            return self._clusters[name_or_address]
        cluster = self._build_cluster(name_or_address, overrides)
        if not overrides and not (self.file and self.file.has_file_references):
            self._clusters[name_or_address] = cluster
        return cluster

    def _build_cluster(self, name_or_address: str | None, overrides: Sequence[str]) -> Cluster:
        flags = parse_overrides(overrides)
        values = read_environment_properties(self._environment) | flags
        name, origin = self._choose_cluster(name_or_address)
        if self.file and name in self.cluster_names:
            values |= resolve_file_properties(self.file, name, self._environment, overriding=values)
        elif name is not None:
            values |= {BOOTSTRAP: PropertyValue(self._check_address(name, origin), origin, is_secret=False)} | flags
        if BOOTSTRAP not in values:
            raise SettingsError(self._explain_missing_address(name))
        values[BOOTSTRAP] = values[BOOTSTRAP]._replace(value=_check_addresses(values[BOOTSTRAP]))
        return _make_cluster(name or values[BOOTSTRAP].value, values)

    def get_topic(self, topic: str | None) -> str:
        """Return ``topic``, else the topic of the environment, else that of the file, else ``agent-events``.

        Raises:
            SettingsError: the name can't be a topic's.
        """
        name, origin = self._pick_setting("topic", topic)
        name = DEFAULT_TOPIC if name is None else name
        if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name) or name in (".", ".."):
            raise SettingsError(f"{origin}: {name[:60]!r} can't be a topic; Kafka takes letters, digits, '.', '_', '-'")
        return name

    def get_partitioner(self, topic: str) -> str | None:
        """Return the partitioner of the clients that write ``topic``, a key of ``PARTITIONERS``, or None."""
        partitioner = self._data.get("topics", {}).get(topic, {}).get("partitioner")
        return partitioner and resolve_partitioner(partitioner)

    def _pick_setting(self, setting: str, flag_value: str | None) -> tuple[str | None, str]:
        """Return the value of ``setting`` from the flag, the environment or the file, and its origin."""
        variable = f"AGENTLOG_{setting.upper()}"
        if flag_value is not None:
            return flag_value, self._choice_origin
        if named := self._environment.get(variable):
            return named, f"environment {variable}"
        if self.file and setting in self._data:
            return self._data[setting], self.file.locate(setting)
        return None, ""

    def _choose_cluster(self, name_or_address: str | None) -> tuple[str | None, str]:
        name, origin = self._pick_setting("cluster", name_or_address)
        return (self.cluster_names[0], "") if name is None and len(self.cluster_names) == 1 else (name, origin)

    def _check_address(self, name: str, origin: str) -> str:
        """Return ``name`` if it can be an address. Otherwise raise SettingsError with the known names."""
        if ":" in name or "," in name:
            return name
        names = ", ".join(self.cluster_names)
        have = f"{self.file.display_name} has {names}" if self.file and names else "no settings name one"
        near = suggest_name(name, self.cluster_names) or "; an address is written HOST:PORT"
        raise SettingsError(f"{origin}: there is no cluster {name[:60]!r}; {have}{near}")

    def _explain_missing_address(self, name: str | None) -> str:
        if self.file and name:
            return f"{self.file.locate('clusters', name)}: cluster {name} has no {BOOTSTRAP}"
        if self.file and self.cluster_names:
            have = f"{self.file.display_name} has {', '.join(self.cluster_names)}"
            return f'which cluster? {have}; write --cluster NAME, or cluster = "NAME" at its top'
        return NO_CLUSTER_MESSAGE


def build_cluster(properties: Mapping[str, object], origin: str) -> Cluster:
    """Build the cluster that librdkafka's ``properties`` describe. ``origin`` names their source in messages.

    Raises:
        SettingsError: a property is unknown or wrong, or the address is missing.
    """
    items = tuple((name, type(value), value) for name, value in properties.items())
    try:
        hash(items)
    except TypeError:  # a list, for example, which is refused with its name
        return _build_cluster(items, origin)
    return _build_known_cluster(items, origin)


def _build_cluster(items: tuple[tuple[str, type, object], ...], origin: str) -> Cluster:
    values = convert_properties({name: value for name, _, value in items}, origin)
    if BOOTSTRAP not in values:
        raise SettingsError(f"{origin}: {BOOTSTRAP} is missing")
    values[BOOTSTRAP] = values[BOOTSTRAP]._replace(value=_check_addresses(values[BOOTSTRAP]))
    return _make_cluster(values[BOOTSTRAP].value, values)


_known_settings: dict[object, Settings] = {}


_build_known_cluster = lru_cache(MAX_KNOWN_SETTINGS)(_build_cluster)


def load_settings(environment: Mapping[str, str], folder: Path, choice_origin: str = "the command line") -> Settings:
    """Find, read and check the settings file; ``folder`` is the current folder. ``docs/settings.md`` lists its places.

    Args:
        choice_origin: the origin of a cluster or topic that the caller names, for messages.

    Raises:
        SettingsError: the file has an error; the message names the line of the first one.
    """
    variables = getattr(environment, "_data", environment)  # of os.environ: undecoded, which takes a tenth of the time
    stamp = stamp_settings_file(environment, folder)
    key = tuple(variables.items()), str(folder), choice_origin, stamp
    settings = None if stamp is None else _known_settings.get(key)
    if settings is None:
        file = find_settings_file(environment, folder)
        if file:
            _check_file(file)
        settings = Settings(dict(environment), file, choice_origin)
        if len(_known_settings) >= MAX_KNOWN_SETTINGS:
            _known_settings.clear()
        _known_settings[key] = settings
    return settings


def _check_file(file: SettingsFile) -> None:
    for key, value in file.data.items():
        if key not in TOP_LEVEL:
            raise SettingsError(f"{file.locate(key)}: unknown setting {key!r}{suggest_name(key, TOP_LEVEL)}")
        _check_type(file.locate(key), key, value, TOP_LEVEL[key])
    for group in ("clusters", "topics"):
        for name, table in file.data.get(group, {}).items():
            _check_type(file.locate(group, name), f"{group}.{name}", table, dict)
    for name in file.data.get("clusters", {}):
        read_cluster_properties(file, name)
    for name, table in file.data.get("topics", {}).items():
        _check_topic(file, name, table)
    read_failure_rules(file)


def _check_type(origin: str, key: str, value: object, expected_type: type) -> None:
    if not isinstance(value, expected_type):
        raise SettingsError(f"{origin}: {key} is {get_type_name(value)}, not {get_type_name(expected_type())}")


def _check_topic(file: SettingsFile, name: str, table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        origin = file.locate("topics", name, key)
        if key != "partitioner":
            dots = f'; a topic with dots stands in quotes: [topics."{name}.{key}"]' if isinstance(value, dict) else ""
            near = dots or suggest_name(key, ["partitioner"])
            raise SettingsError(f"{origin}: unknown setting {key!r} of topic {name}{near}")
        _check_type(origin, key, value, str)
        try:
            resolve_partitioner(value)
        except UsageError as error:
            raise SettingsError(f"{origin}: {error}") from error


def _check_addresses(property_value: PropertyValue) -> str:
    """Return the addresses without spaces, or raise SettingsError for one that can't be right."""
    addresses = [address.strip() for address in property_value.value.split(",")]
    for address in addresses:
        shown = HIDDEN if property_value.is_secret else repr(address[:60])
        match = ADDRESS_PATTERN.fullmatch(address)
        if not match:
            brackets = "; an IPv6 address stands in brackets: [::1]:9092" if address.count(":") > 1 else ""
            raise SettingsError(f"{property_value.origin}: {shown} is not an address, HOST:PORT{brackets}")
        port = match["port"]
        if port is not None and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536):
            raise SettingsError(f"{property_value.origin}: {shown} has no port from 1 to 65535 behind its last colon")
    return ",".join(addresses)


def _make_cluster(name: str, values: Mapping[str, PropertyValue]) -> Cluster:
    for key, (value, origin, _) in values.items():
        if "\0" in value or value != value.encode(errors="ignore").decode():
            raise SettingsError(f"{origin}: {key} is not text that librdkafka takes")
    return Cluster(
        name,
        {key: value for key, (value, _, _) in values.items()},
        {key: origin for key, (_, origin, _) in values.items()},
        frozenset(key for key, (_, _, secret) in values.items() if secret),
    )
