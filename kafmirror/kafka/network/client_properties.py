"""The translation of a cluster's librdkafka properties into kafka-python's configuration."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from agentlog.errors import SettingsError
from agentlog.settings.clusters import Cluster
from agentlog.settings.librdkafka_properties import ALL_PROPERTIES, ANY_CLIENT

Value = str | int | bool
PropertyMapping = tuple[str, Callable[[str], Value]]

_DNS_LOOKUPS = ("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only")


def _parse_https(value: str) -> bool:
    if value not in ("https", "none"):
        raise ValueError("must be https or none")
    return value == "https"


def _check_dns_lookup(value: str) -> str:
    if value not in _DNS_LOOKUPS:
        raise ValueError(f"must be one of {', '.join(_DNS_LOOKUPS)}")
    return value


KAFKA_PYTHON_NAMES: Mapping[str, PropertyMapping] = MappingProxyType(
    {
        "bootstrap.servers": ("bootstrap_servers", str),
        "client.dns.lookup": ("client_dns_lookup", _check_dns_lookup),
        "client.id": ("client_id", str),
        "connections.max.idle.ms": ("connections_max_idle_ms", int),
        "reconnect.backoff.max.ms": ("reconnect_backoff_max_ms", int),
        "reconnect.backoff.ms": ("reconnect_backoff_ms", int),
        "sasl.kerberos.service.name": ("sasl_kerberos_service_name", str),
        "sasl.mechanism": ("sasl_mechanism", str),
        "sasl.mechanisms": ("sasl_mechanism", str),
        "sasl.password": ("sasl_plain_password", str),
        "sasl.username": ("sasl_plain_username", str),
        "security.protocol": ("security_protocol", str.upper),
        "socket.connection.setup.timeout.ms": ("socket_connection_setup_timeout_ms", int),
        "socket.timeout.ms": ("request_timeout_ms", int),
        "ssl.ca.location": ("ssl_cafile", str),
        "ssl.certificate.location": ("ssl_certfile", str),
        "ssl.crl.location": ("ssl_crlfile", str),
        "ssl.endpoint.identification.algorithm": ("ssl_check_hostname", _parse_https),
        "ssl.key.location": ("ssl_keyfile", str),
        "ssl.key.password": ("ssl_password", str),
    }
)

SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI")

FIXED_VALUES: Mapping[str, str] = MappingProxyType(
    {
        "allow.auto.create.topics": "false",
        "api.version.request": "true",
        "broker.address.family": "any",
        "enable.ssl.certificate.verification": "true",
        "socket.keepalive.enable": "true",
        "socket.nagle.disable": "true",
    }
)
"""Properties that kafmirror accepts with one value only, the value by which it works."""

_IGNORED_PROPERTIES = """
api.version.fallback.ms api.version.request.timeout.ms broker.address.ttl broker.version.fallback client.rack debug
enable.metrics.push enable.random.seed log.connection.close log.thread.name log_level max.in.flight
max.in.flight.requests.per.connection message.copy.max.bytes message.max.bytes metadata.max.age.ms
metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy receive.message.max.bytes
reconnect.backoff.jitter.ms retry.backoff.max.ms retry.backoff.ms socket.blocking.max.ms socket.max.fails
socket.receive.buffer.bytes socket.send.buffer.bytes statistics.interval.ms topic.blacklist
topic.metadata.propagation.max.ms topic.metadata.refresh.fast.cnt topic.metadata.refresh.fast.interval.ms
topic.metadata.refresh.interval.ms topic.metadata.refresh.sparse
"""
IGNORED_PROPERTIES = ALL_PROPERTIES - frozenset(ANY_CLIENT.split()) | frozenset(_IGNORED_PROPERTIES.split())
"""Properties that kafmirror ignores: they say how librdkafka reads, writes, waits and logs."""


def translate_properties(cluster: Cluster) -> dict[str, Value]:
    """Return the configuration of kafka-python's connections to ``cluster``.

    Raises:
        SettingsError: kafka-python has no such property, or doesn't accept its value.
    """
    config: dict[str, Value] = {}
    for name, value in cluster.properties.items():
        if name in KAFKA_PYTHON_NAMES:
            config_name, convert = KAFKA_PYTHON_NAMES[name]
            config[config_name] = _convert_value(cluster, name, value, convert)
        elif FIXED_VALUES.get(name) != value and name not in IGNORED_PROPERTIES:
            raise SettingsError(_describe_unsupported(cluster, name))
    authority = str(config.get("ssl_cafile", ""))
    if authority and Path(authority).is_dir():
        raise SettingsError(
            f"{cluster.origins['ssl.ca.location']}: ssl.ca.location: {authority} is a folder; kafmirror takes one file "
            "with all certificates"
        )
    mechanism = config.get("sasl_mechanism")
    if mechanism is not None and mechanism not in SASL_MECHANISMS:
        origin = cluster.origins.get("sasl.mechanism") or cluster.origins["sasl.mechanisms"]
        raise SettingsError(
            f"{origin}: kafmirror supports sasl.mechanism {', '.join(SASL_MECHANISMS)}, not {mechanism}"
        )
    return config


def _convert_value(cluster: Cluster, name: str, value: str, convert: Callable[[str], Value]) -> Value:
    try:
        return convert(value)
    except ValueError as error:
        expected = error if convert in (_parse_https, _check_dns_lookup) else "must be a whole number"
        shown_value = "***" if name in cluster.secrets else repr(value[:60])
        raise SettingsError(f"{cluster.origins[name]}: {name} {expected}, not {shown_value}") from None


def _describe_unsupported(cluster: Cluster, name: str) -> str:
    problem = f"accepts only {FIXED_VALUES[name]!r} for {name}" if name in FIXED_VALUES else f"doesn't support {name}"
    return (
        f"{cluster.origins[name]}: kafmirror {problem}; the other tools do. "
        f"Give kafmirror a [clusters.NAME] table of its own, without {name}."
    )
