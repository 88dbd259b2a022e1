"""The values of a cluster's properties, with their origins: the settings file, the environment, ``-X``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ..errors import SettingsError
from .file import Keys, SettingsFile, get_type_name, walk_table
from .librdkafka_properties import ALIASES, ALL_PROPERTIES, SECRET_PROPERTIES, resolve_property_name, suggest_name

VARIABLES = {f"AGENTLOG_KAFKA_{name.upper().replace('.', '_')}": name for name in sorted(ALL_PROPERTIES)}

T = TypeVar("T")


class PropertyValue(NamedTuple):
    """A property's value in librdkafka's form, its origin, and whether it must never be shown."""

    value: str
    origin: str
    is_secret: bool


def resolve_file_properties(
    file: SettingsFile, cluster: str, environment: Mapping[str, str], overriding: Mapping[str, PropertyValue]
) -> dict[str, PropertyValue]:
    """Return the file's properties of ``cluster``, with ``{env}`` and ``{file}`` looked up and paths made absolute.

    The properties in ``overriding`` are left out. So a secret that is overridden needn't exist.
    """
    return {
        name: _resolve_value(name, value, origin, file, environment)
        for name, (value, origin) in read_cluster_properties(file, cluster).items()
        if name not in overriding
    }


def read_cluster_properties(file: SettingsFile, cluster: str) -> dict[str, tuple[Any, str]]:
    """Return the value and the line of each property of ``cluster``, checked, but without ``{env}`` looked up.

    Their names may be dotted keys or nested tables in the file.

    Raises:
        SettingsError: a property is wrong; the message names the first one.
    """

    def iter_properties() -> Iterator[tuple[str, tuple[Any, str], str]]:
        for keys, value in walk_table(file.data["clusters"][cluster], _is_reference):
            if _is_reference(value) or not isinstance(value, dict):
                origin = file.locate("clusters", cluster, *keys)
                _check_quoted(cluster, keys, origin)
                name = resolve_property_name(".".join(keys), origin)
                _check_value(name, value, origin)
                yield name, (value, origin), origin

    return _collect_unique(iter_properties())


def read_environment_properties(environment: Mapping[str, str]) -> dict[str, PropertyValue]:
    """Return the properties in variables such as ``AGENTLOG_KAFKA_SASL_PASSWORD``. An empty one counts as not set.

    Raises:
        SettingsError: librdkafka has no such property, or the tools set it themselves.
    """

    def iter_properties() -> Iterator[tuple[str, PropertyValue, str]]:
        for variable, value in environment.items():
            if variable.startswith("AGENTLOG_KAFKA_") and value:
                origin = f"environment {variable}"
                if variable not in VARIABLES:
                    raise SettingsError(f"{origin}: librdkafka has no such property{suggest_name(variable, VARIABLES)}")
                name = resolve_property_name(VARIABLES[variable], origin)
                yield name, PropertyValue(value, origin, name in SECRET_PROPERTIES), origin

    return _collect_unique(iter_properties())


def parse_overrides(overrides: Sequence[str]) -> dict[str, PropertyValue]:
    """Return the properties in ``NAME=VALUE`` pairs, the last of each name.

    Raises:
        SettingsError: a pair has no value, or its property is unknown or reserved.
    """
    values = {}
    for pair in overrides:
        name_text, _, value = pair.partition("=")
        if not value:
            example = name_text if name_text in ALL_PROPERTIES else "security.protocol"
            raise SettingsError(f"-X takes NAME=VALUE, and one has no value; write -X {example}=VALUE")
        name = resolve_property_name(name_text.strip(), "-X")
        values[name] = PropertyValue(value, "-X", name in SECRET_PROPERTIES)
    return values


def convert_properties(properties: Mapping[str, object], origin: str) -> dict[str, PropertyValue]:
    """Return the properties in a mapping that a program gives.

    Raises:
        SettingsError: a property is unknown, reserved or wrong.
    """

    def iter_properties() -> Iterator[tuple[str, PropertyValue, str]]:
        for given_name, value in properties.items():
            where = f"{origin} {given_name}"
            name = resolve_property_name(given_name, where)
            _check_value(name, value, where)
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield name, PropertyValue(text, where, name in SECRET_PROPERTIES), where

    return _collect_unique(iter_properties())


def _collect_unique(properties: Iterable[tuple[str, T, str]]) -> dict[str, T]:
    """Collect the values by name, or raise SettingsError for a name that comes twice, with both origins."""
    values: dict[str, T] = {}
    origins: dict[str, str] = {}
    for name, value, origin in properties:
        if name in values:
            also = next((f" (also called {other})" for other, same in ALIASES.items() if same == name), "")
            raise SettingsError(f"{origin}: {name}{also} is set twice; the other is {origins[name]}")
        values[name], origins[name] = value, origin
    return values


def _is_reference(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and value.keys() <= {"env", "file"}


def _check_quoted(cluster: str, keys: Keys, origin: str) -> None:
    """Explain ``[clusters.eu.west]``, which TOML reads as a cluster ``eu`` with properties ``west...``."""
    tails = [cut for cut in range(1, len(keys)) if ".".join(keys[cut:]) in ALL_PROPERTIES]
    if tails and ".".join(keys) not in ALL_PROPERTIES:
        name = ".".join([cluster, *keys[: tails[0]]])
        raise SettingsError(f'{origin}: a cluster\'s name with dots stands in quotes: [clusters."{name}"]')


def _check_value(name: str, value: object, origin: str) -> None:
    if isinstance(value, dict):
        if len(value) != 1 or not all(isinstance(target, str) and target for target in value.values()):
            raise SettingsError(f'{origin}: {name} needs either {{env = "VARIABLE"}} or {{file = "path"}}')
    elif not isinstance(value, str | bool | int | float):
        commas = "; write one string, with commas between the items" if isinstance(value, list) else ""
        raise SettingsError(
            f"{origin}: {name} is {get_type_name(value)}, not a string, a number, true or false{commas}"
        )


def _resolve_value(
    name: str, value: Any, origin: str, file: SettingsFile, environment: Mapping[str, str]
) -> PropertyValue:
    match value:
        case {"env": variable}:
            resolved = PropertyValue(
                _read_variable(name, variable, origin, environment), f"{origin}, environment {variable}", True
            )
        case {"file": path}:
            resolved = PropertyValue(
                _read_secret_file(name, _resolve_path(path, file, environment), origin), f"{origin}, file {path}", True
            )
        case _:
            resolved = PropertyValue(
                str(value).lower() if isinstance(value, bool) else str(value), origin, name in SECRET_PROPERTIES
            )
    if name.endswith((".location", ".file", ".keytab")) and resolved.value not in ("", "probe"):
        return resolved._replace(value=str(_resolve_path(resolved.value, file, environment)))
    return resolved


def _read_variable(name: str, variable: str, origin: str, environment: Mapping[str, str]) -> str:
    if value := environment.get(variable):
        return value
    missing = "is empty" if variable in environment else "is not set"
    raise SettingsError(f"{origin}: {name} comes from the environment variable {variable}, which {missing}")


def _read_secret_file(name: str, path: Path, origin: str) -> str:
    try:
        content = path.read_bytes().decode().rstrip("\r\n")
        missing = "" if content else "is empty"
    except OSError as error:
        missing = f"can't be read: {error.strerror}"
    except ValueError:
        missing = "can't be read: it is not UTF-8 text"
    if missing:
        raise SettingsError(f"{origin}: {name} comes from the file {path}, which {missing}")
    return content


def _resolve_path(path_text: str, file: SettingsFile, environment: Mapping[str, str]) -> Path:
    """Resolve a path in the settings file: relative to the file's folder; ``~/`` is the user's home."""
    if path_text.startswith("~/") and "HOME" in environment:
        return Path(environment["HOME"], path_text[2:])
    return file.path.parent / path_text
