"""Clients of librdkafka: their creation from a cluster's settings, their log lines, their failures."""

import logging
import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import confluent_kafka
from confluent_kafka import Consumer
from confluent_kafka import KafkaException as KafkaException  # noqa: PLC0414  recording imports it from here
from confluent_kafka import Producer as Producer  # noqa: PLC0414  likewise

from ...errors import AgentlogError, KafkaRefused, KafkaUnavailable, SettingsError
from ...settings.clusters import BOOTSTRAP, Cluster
from ...settings.librdkafka_properties import CONSUMER_PROPERTIES, PRODUCER_PROPERTIES
from ...settings.tls_files import check_tls_files
from .broker_addresses import (
    BrokerFailure,
    describe_misleading,
    find_silent_brokers,
    parse_failure,
    split_addresses,
    split_host,
)
from .certificate_probe import find_certificate_problem

LibrdkafkaError = confluent_kafka.KafkaError
Client = TypeVar("Client")
CONNECTION_CHECK_TIMEOUT_S = 0.5
"""The time in which a client with a connection gets the metadata of a topic."""
FURTHER_ADDRESSES_S = 1.0
"""How long a name's further addresses are tried after all brokers were down."""
DEFAULT_PROPERTIES = {"statistics.interval.ms": "2000"}
"""Properties that the user may change."""
REFUSALS = MappingProxyType(
    {
        LibrdkafkaError._AUTHENTICATION: " refused the user name or the password",
        LibrdkafkaError._SSL: ": no TLS connection",
    }
)
"""What librdkafka's errors say that mean that the cluster refused us."""


_OWN_CERTIFICATE_REFUSED = re.compile(r"alert (certificate|bad certificate|unsupported certificate|unknown ca)")
"""OpenSSL's names for what a broker says of our certificate, or that there is none."""


class ClientErrors:
    """The errors that librdkafka reported. They explain why a request failed."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._text_by_code: dict[int, str] = {}
        self._failure_by_address: dict[str, BrokerFailure] = {}
        self._statistics = ""
        self._down_since: float | None = None

    def __call__(self, error: LibrdkafkaError) -> None:
        """Keep an error that librdkafka reports."""
        # librdkafka calls it a failure to receive when the broker refuses our certificate.
        code = LibrdkafkaError._SSL if _is_certificate_refused(error.str()) else error.code()
        self._text_by_code[code] = error.str()
        if error.code() == LibrdkafkaError._ALL_BROKERS_DOWN and self._down_since is None:
            self._down_since = time.monotonic()
        if failure := parse_failure(error.str()):
            self._failure_by_address[failure.address] = failure

    def keep_statistics(self, statistics: str) -> None:
        """Keep librdkafka's newest statistics. They alone tell which brokers give no answer."""
        self._statistics = statistics

    def clear(self) -> None:
        """Forget all errors, because the cluster answers again."""
        self._text_by_code.clear()
        self._failure_by_address.clear()
        self._statistics, self._down_since = "", None

    @property
    def is_final(self) -> bool:
        """Whether further waiting is useless: all brokers are down, or the cluster refused us."""
        if not self._text_by_code.keys().isdisjoint({LibrdkafkaError._AUTHENTICATION, LibrdkafkaError._SSL}):
            return True
        if self._down_since is None:
            return False
        return not self._has_further_addresses or time.monotonic() - self._down_since > FURTHER_ADDRESSES_S

    @cached_property
    def _has_further_addresses(self) -> bool:
        """Whether a name stands for several addresses, as ``localhost`` does. librdkafka tries one at each attempt."""
        return any(_has_several_addresses(split_host(each)) for each in self._bootstrap)

    @property
    def _bootstrap(self) -> list[str]:
        return split_addresses(self.cluster.properties[BOOTSTRAP])

    def explain(self, activity: str) -> AgentlogError:
        """Return the error that explains why ``activity`` failed, such as "connecting"."""
        address = self.cluster.get_redacted_properties()[BOOTSTRAP]
        cluster_text = f"cluster {self.cluster.name}" + (f" ({address})" if address != self.cluster.name else "")
        for code, problem in REFUSALS.items():
            if code in self._text_by_code:
                text = self._describe(code)
                if code == LibrdkafkaError._SSL:
                    is_tool = activity == "connecting"  # a recorder has no time for a connection of our own
                    text = _explain_tls_failure(text, find_certificate_problem(self.cluster) if is_tool else "")
                return KafkaRefused(f"{cluster_text}{problem} while {activity}: {text}")
        return KafkaUnavailable(f"{cluster_text}{self._explain_unavailable(activity)}")

    def _explain_unavailable(self, activity: str) -> str:
        silent = {each.address: each for each in find_silent_brokers(self._statistics)}
        if misled := describe_misleading(self._bootstrap, silent | self._failure_by_address):
            return f", while {activity}: {self.cluster.redact(misled)}"
        origin = f"{BOOTSTRAP} is from {self.cluster.origins[BOOTSTRAP]}"
        failed = [self._failure_by_address[each] for each in self._bootstrap if each in self._failure_by_address]
        reasons = self.cluster.redact("; ".join(each.reason for each in failed))
        if failed and len(failed) < len(self._bootstrap):
            return f" gave no answer in time while {activity}; of its addresses: {reasons}; {origin}"
        if len(failed) > 1:
            return f" can't be reached while {activity}: {reasons}; {origin}"
        return f"{self._explain_by_code(activity)}; {origin}"

    def _explain_by_code(self, activity: str) -> str:
        if LibrdkafkaError._RESOLVE in self._text_by_code:
            resolve_text = self._describe(LibrdkafkaError._RESOLVE)
            return f": its host name can't be resolved while {activity}: {resolve_text}"
        if LibrdkafkaError._TRANSPORT in self._text_by_code:
            return f" can't be reached while {activity}: {self._describe(LibrdkafkaError._TRANSPORT)}"
        if LibrdkafkaError._ALL_BROKERS_DOWN in self._text_by_code:
            return f" closed each connection while {activity}: does it want TLS or a password (security.protocol)?"
        return f" gave no answer in time while {activity}"

    def _describe(self, code: int) -> str:
        return self.cluster.redact(self._text_by_code[code]).split(": ", 1)[-1].partition(" (after ")[0]


def _has_several_addresses(host: str) -> bool:
    with suppress(OSError, UnicodeError):
        return len(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)) > 1
    return False


def create_client(
    client_class: Callable[..., Client],
    cluster: Cluster,
    own_properties: Mapping[str, str | bool],
    client_errors: ClientErrors,
) -> Client:
    """Create a client of ``client_class``; ``own_properties`` override the user's.

    Raises:
        SettingsError: librdkafka refuses a property.
        KafkaUnavailable: the system has no thread or no memory left for the client.
    """
    logger = logging.getLogger(f"agentlog.librdkafka.{cluster.name.replace('.', '_')}")
    logger.filters = [_RedactingFilter(cluster)]
    try:
        return client_class(
            {
                **DEFAULT_PROPERTIES,
                **_select_properties(client_class, cluster.properties),
                **own_properties,
                "error_cb": client_errors,
                "stats_cb": client_errors.keep_statistics,
            },
            logger=logger,
        )
    except KafkaException as error:
        check_tls_files(cluster)
        text = cluster.redact(error.args[0].str())
        if error.args[0].code() == LibrdkafkaError._CRIT_SYS_RESOURCE:
            raise KafkaUnavailable(f"cluster {cluster.name}: {text}") from error
        name = next((name for name in cluster.properties if name in text), None)
        raise SettingsError(f"{cluster.origins[name] if name else f'cluster {cluster.name}'}: {text}") from error


def get_topic_id(description: Any) -> str | None:
    """Return the id in a topic's description, or None if the cluster doesn't tell it: before Kafka 2.8."""
    topic_id = description.topic_id
    has_id = topic_id.get_most_significant_bits() or topic_id.get_least_significant_bits()
    return str(topic_id) if has_id else None


def find_fatal_error(error: BaseException) -> LibrdkafkaError:
    """Return the error that a producer raised as it broke, for example because it may not get a producer id.

    If it then reported results of records in the same call, Python hides the error behind a SystemError.

    Raises:
        BaseException: ``error`` is of another kind.
    """
    cause: BaseException | None = error
    while isinstance(cause, SystemError):
        cause = cause.__cause__
    if not isinstance(cause, KafkaException):
        raise error
    fatal_error: LibrdkafkaError = cause.args[0]
    return fatal_error


def _is_certificate_refused(text: str) -> bool:
    return _OWN_CERTIFICATE_REFUSED.search(text) is not None


def _explain_tls_failure(text: str, certificate_problem: str) -> str:
    """Return what is wrong with a certificate, from librdkafka's text and from what our own connection found."""
    if _is_certificate_refused(text):
        return f"the broker wants a certificate of ours (ssl.certificate.location and ssl.key.location): {text}"
    if "certificate verify failed" in text:
        reason = certificate_problem or "unknown authority, expired, or for another host name"
        return f"the broker's certificate couldn't be verified (ssl.ca.location): {reason}"
    return text


def is_disconnected(kafka_client: Producer | Consumer, topic: str) -> bool:
    """Whether ``kafka_client`` has no connection to any broker, and gets none within half a second.

    librdkafka forgets brokers that are missing from a broker's answer. A broker that stops may name none at all. Then
    the client knows no broker to connect to, and never connects again.
    """
    try:
        kafka_client.list_topics(topic, timeout=CONNECTION_CHECK_TIMEOUT_S)
    except KafkaException as error:
        return bool(error.args[0].code() == LibrdkafkaError._TRANSPORT)  # a slow broker would give _TIMED_OUT
    return False


def _select_properties(client_class: Callable[..., object], properties: Mapping[str, str]) -> dict[str, str]:
    """Return ``properties`` without those of the other kind of client, for which librdkafka prints warnings.

    A producer also goes without ``transactional.id``. With it, a producer may write only inside a transaction, and we
    begin none.
    """
    excluded = (
        PRODUCER_PROPERTIES - CONSUMER_PROPERTIES
        if client_class is Consumer
        else CONSUMER_PROPERTIES - PRODUCER_PROPERTIES | {"transactional.id"}
    )
    return {name: value for name, value in properties.items() if name not in excluded}


class _RedactingFilter(logging.Filter):
    """A filter that replaces the cluster's secrets in librdkafka's log lines."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.cluster = cluster

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self.cluster.redact(record.getMessage()), ()
        return True
