"""Clients of librdkafka: their creation from a cluster's settings, their log lines, their failures."""

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

import confluent_kafka
from confluent_kafka import Consumer
from confluent_kafka import KafkaException as KafkaException  # noqa: PLC0414  recording imports it from here
from confluent_kafka import Producer as Producer  # noqa: PLC0414  likewise

from ..errors import AgentlogError, KafkaRefused, KafkaUnavailable, SettingsError
from ..settings.clusters import BOOTSTRAP, Cluster
from ..settings.librdkafka_properties import CONSUMER_PROPERTIES, PRODUCER_PROPERTIES

LibrdkafkaError = confluent_kafka.KafkaError
Client = TypeVar("Client")
CONNECTION_CHECK_TIMEOUT_S = 0.5
"""The time in which a client with a connection gets the metadata of a topic."""


class ClientErrors:
    """The errors that librdkafka reported. They explain why a request failed."""

    EXPLAINING_CODES = (
        LibrdkafkaError._AUTHENTICATION,
        LibrdkafkaError._SSL,
        LibrdkafkaError._RESOLVE,
        LibrdkafkaError._TRANSPORT,
    )

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.text_by_code: dict[int, str] = {}

    def __call__(self, error: LibrdkafkaError) -> None:
        """Keep an error that librdkafka reports."""
        self.text_by_code[error.code()] = error.str()

    @property
    def is_final(self) -> bool:
        """Whether further waiting is useless: all brokers are down, or the cluster refused us."""
        return not self.text_by_code.keys().isdisjoint(
            {LibrdkafkaError._ALL_BROKERS_DOWN, LibrdkafkaError._AUTHENTICATION, LibrdkafkaError._SSL}
        )

    def explain(self, activity: str) -> AgentlogError:
        """Return the error that explains why ``activity`` failed, such as "connecting"."""
        code = next((code for code in self.EXPLAINING_CODES if code in self.text_by_code), None)
        reported_text = self.cluster.redact(self.text_by_code.get(code, "") if code is not None else "")
        text = reported_text.split(": ", 1)[-1].partition(" (after ")[0]
        address = self.cluster.get_redacted_properties()[BOOTSTRAP]
        cluster_text = f"cluster {self.cluster.name}" + (f" ({address})" if address != self.cluster.name else "")
        origin = f"{BOOTSTRAP} is from {self.cluster.origins[BOOTSTRAP]}"
        match code:
            case LibrdkafkaError._AUTHENTICATION:
                return KafkaRefused(f"{cluster_text} refused the user name or the password while {activity}: {text}")
            case LibrdkafkaError._SSL:
                return KafkaRefused(f"{cluster_text}: no TLS connection while {activity}: {text}")
            case LibrdkafkaError._RESOLVE:
                return KafkaUnavailable(
                    f"{cluster_text}: its host name can't be resolved while {activity}: {text}; {origin}"
                )
            case LibrdkafkaError._TRANSPORT:
                return KafkaUnavailable(f"{cluster_text} can't be reached while {activity}: {text}; {origin}")
        if LibrdkafkaError._ALL_BROKERS_DOWN in self.text_by_code:
            ask = "does it want TLS or a password (security.protocol)?"
            return KafkaUnavailable(f"{cluster_text} closed each connection while {activity}: {ask} {origin}")
        return KafkaUnavailable(f"{cluster_text} gave no answer in time while {activity}; {origin}")


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
            {**_select_properties(client_class, cluster.properties), **own_properties, "error_cb": client_errors},
            logger=logger,
        )
    except KafkaException as error:
        text = cluster.redact(error.args[0].str())
        if error.args[0].code() == LibrdkafkaError._CRIT_SYS_RESOURCE:
            raise KafkaUnavailable(f"cluster {cluster.name}: {text}") from error
        name = next((name for name in cluster.properties if name in text), None)
        raise SettingsError(f"{cluster.origins[name] if name else f'cluster {cluster.name}'}: {text}") from error


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
