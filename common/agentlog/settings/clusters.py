"""Named clusters and their settings: flags over environment over file; where each came from; secrets hidden."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SettingsError, UsageError
from ..event.partitioner import known_partitioner
from .file import SettingsFile, find_settings_file, type_name
from .librdkafka_properties import did_you_mean
from .property_values import Given, from_environment, from_file, from_overrides, from_properties, properties_in

TOP_LEVEL: Mapping[str, type] = {"cluster": str, "topic": str, "clusters": dict, "topics": dict, "kdiff": dict}
"""What may stand at the top of a settings file. A tool with a table of its own adds it here and in docs/settings.md."""

DEFAULT_TOPIC = "agent-events"
HIDDEN = "***"
BOOTSTRAP = "bootstrap.servers"
ADDRESS = re.compile(r"(?:[A-Za-z_]+://)?(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]@]+)(?::(?P<port>[^\s:/]*))?")
NO_CLUSTER = """\
no cluster is given, and no settings name one; write --cluster HOST:PORT, or put this into ./agentlog.toml:

    cluster = "local"
    [clusters.local]
    "bootstrap.servers" = "localhost:9092\""""


@dataclass(frozen=True, repr=False)
class Cluster:
    """A cluster and how to reach it; as text it never shows a secret.

    Attributes:
        name: as the settings call it, or its address.
        properties: librdkafka's configuration, secrets in the clear. Of two names for a property it is always the same
            one that is used: see ``agentlog.properties.ALIASES``.
        origins: where each property came from: ``agentlog.toml:12``, ``environment AGENTLOG_KAFKA_...``, ``-X``.
        secrets: the properties whose values must never be shown.
    """

    name: str
    properties: dict[str, str]
    origins: dict[str, str]
    secrets: frozenset[str]

    def __repr__(self) -> str:
        return f"Cluster({self.name!r}, {self.shown()!r})"

    def shown(self) -> dict[str, str]:
        """The properties with ``***`` for each secret."""
        return {name: HIDDEN if name in self.secrets else value for name, value in self.properties.items()}

    def redact(self, text: str) -> str:
        """``text``, such as a line that librdkafka logged, with ``***`` for each secret in it."""
        for secret in sorted((self.properties[name] for name in self.secrets), key=len, reverse=True):
            text = text.replace(secret, HIDDEN) if secret else text
        return text


class Settings:
    """What the settings file and the environment say.

    Args:
        chooser: where what is ``chosen`` comes from, for messages.
    """

    def __init__(
        self, environment: Mapping[str, str], file: SettingsFile | None, chooser: str = "the command line"
    ) -> None:
        self._environment, self._chooser = environment, chooser
        self.file = file
        self._data: Mapping[str, Any] = file.data if file else {}

    @property
    def clusters(self) -> tuple[str, ...]:
        """The clusters that the file names, in its order."""
        return tuple(self._data.get("clusters", ()))

    def cluster(self, chosen: str | None, overrides: Sequence[str] = ()) -> Cluster:
        """The cluster that is ``chosen``, with all that the settings say about it.

        Args:
            chosen: a name in the file, ``host:port`` or several of them between commas; None for the default: that of
                the environment, then that of the file, then the only one that the file has.
            overrides: ``NAME=VALUE`` pairs, as from ``-X``; they win over all else, the last over those before it.

        Raises:
            SettingsError: when there is no such cluster, or a setting of it is wrong.
        """
        flags = from_overrides(overrides)
        given = from_environment(self._environment) | flags
        name, origin = self._choice(chosen)
        if self.file and name in self.clusters:
            given |= from_file(self.file, name, self._environment, stronger=given)
        elif name is not None:
            given |= {BOOTSTRAP: Given(self._address(name, origin), origin, secret=False)} | flags
        if BOOTSTRAP not in given:
            raise SettingsError(self._unreachable(name))
        given[BOOTSTRAP] = given[BOOTSTRAP]._replace(value=_addresses(given[BOOTSTRAP]))
        return _cluster(name or given[BOOTSTRAP].value, given)

    def topic(self, chosen: str | None) -> str:
        """The topic that is ``chosen``, else that of the environment, else that of the file, else ``agent-events``."""
        name, origin = self._pick("topic", chosen)
        name = DEFAULT_TOPIC if name is None else name
        if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name) or name in (".", ".."):
            raise SettingsError(f"{origin}: {name[:60]!r} can't be a topic; Kafka takes letters, digits, '.', '_', '-'")
        return name

    def partitioner(self, topic: str) -> str | None:
        """The partitioner of the clients that write ``topic``, a key of ``PARTITIONERS``; None when it isn't told."""
        written = self._data.get("topics", {}).get(topic, {}).get("partitioner")
        return written and known_partitioner(written)

    def _pick(self, what: str, chosen: str | None) -> tuple[str | None, str]:
        """The value for ``what`` of the flag, the environment or the file, and which it was."""
        variable = f"AGENTLOG_{what.upper()}"
        if chosen is not None:
            return chosen, self._chooser
        if named := self._environment.get(variable):
            return named, f"environment {variable}"
        if self.file and what in self._data:
            return self._data[what], self.file.where(what)
        return None, ""

    def _choice(self, chosen: str | None) -> tuple[str | None, str]:
        name, origin = self._pick("cluster", chosen)
        return (self.clusters[0], "") if name is None and len(self.clusters) == 1 else (name, origin)

    def _address(self, name: str, origin: str) -> str:
        """``name``, when it can be an address; else the error that says which names there are."""
        if ":" in name or "," in name:
            return name
        names = ", ".join(self.clusters)
        have = f"{self.file.shown} has {names}" if self.file and names else "no settings name one"
        near = did_you_mean(name, self.clusters) or "; an address is written HOST:PORT"
        raise SettingsError(f"{origin}: there is no cluster {name[:60]!r}; {have}{near}")

    def _unreachable(self, name: str | None) -> str:
        if self.file and name:
            return f"{self.file.where('clusters', name)}: cluster {name} has no {BOOTSTRAP}"
        if self.file and self.clusters:
            some = ", ".join(self.clusters)
            return f'which cluster? {self.file.shown} has {some}; write --cluster NAME, or cluster = "NAME" at its top'
        return NO_CLUSTER


def cluster_of(properties: Mapping[str, object], origin: str) -> Cluster:
    """The cluster that librdkafka's ``properties`` describe; ``origin`` says where they were given.

    Raises:
        SettingsError: a property that there isn't, or no address.
    """
    given = from_properties(properties, origin)
    if BOOTSTRAP not in given:
        raise SettingsError(f"{origin}: {BOOTSTRAP} is missing")
    given[BOOTSTRAP] = given[BOOTSTRAP]._replace(value=_addresses(given[BOOTSTRAP]))
    return _cluster(given[BOOTSTRAP].value, given)


def load_settings(environment: Mapping[str, str], folder: Path, chooser: str = "the command line") -> Settings:
    """Read and check the settings file, as seen from ``folder``; ``docs/settings.md`` says where it may lie.

    Args:
        chooser: where what is chosen beside the settings comes from.

    Raises:
        SettingsError: for the first thing in the file that is wrong, with its line.
    """
    file = find_settings_file(environment, folder)
    if file:
        _check(file)
    return Settings(environment, file, chooser)


def _check(file: SettingsFile) -> None:
    for key, value in file.data.items():
        if key not in TOP_LEVEL:
            raise SettingsError(f"{file.where(key)}: unknown setting {key!r}{did_you_mean(key, TOP_LEVEL)}")
        _check_type(file.where(key), key, value, TOP_LEVEL[key])
    for group in ("clusters", "topics"):
        for name, table in file.data.get(group, {}).items():
            _check_type(file.where(group, name), f"{group}.{name}", table, dict)
    for name in file.data.get("clusters", {}):
        properties_in(file, name)
    for name, table in file.data.get("topics", {}).items():
        _check_topic(file, name, table)


def _check_type(origin: str, key: str, value: object, wanted: type) -> None:
    if not isinstance(value, wanted):
        raise SettingsError(f"{origin}: {key} is {type_name(value)}, not {type_name(wanted())}")


def _check_topic(file: SettingsFile, name: str, table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        origin = file.where("topics", name, key)
        if key != "partitioner":
            dots = f'; a topic with dots stands in quotes: [topics."{name}.{key}"]' if isinstance(value, dict) else ""
            near = dots or did_you_mean(key, ["partitioner"])
            raise SettingsError(f"{origin}: unknown setting {key!r} of topic {name}{near}")
        _check_type(origin, key, value, str)
        try:
            known_partitioner(value)
        except UsageError as error:
            raise SettingsError(f"{origin}: {error}") from error


def _addresses(given: Given) -> str:
    """The addresses without spaces; ``SettingsError`` for one that can't be right."""
    addresses = [address.strip() for address in given.value.split(",")]
    for address in addresses:
        shown = HIDDEN if given.secret else repr(address[:60])
        match = ADDRESS.fullmatch(address)
        if not match:
            brackets = "; an IPv6 address stands in brackets: [::1]:9092" if address.count(":") > 1 else ""
            raise SettingsError(f"{given.origin}: {shown} is not an address, HOST:PORT{brackets}")
        port = match["port"]
        if port is not None and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536):
            raise SettingsError(f"{given.origin}: {shown} has no port from 1 to 65535 behind its last colon")
    return ",".join(addresses)


def _cluster(name: str, given: Mapping[str, Given]) -> Cluster:
    for key, (value, origin, _) in given.items():
        if "\0" in value or value != value.encode(errors="ignore").decode():
            raise SettingsError(f"{origin}: {key} is not text that librdkafka takes")
    return Cluster(
        name,
        {key: value for key, (value, _, _) in given.items()},
        {key: origin for key, (_, origin, _) in given.items()},
        frozenset(key for key, (_, _, secret) in given.items() if secret),
    )
