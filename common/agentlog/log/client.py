"""librdkafka's clients: made from a cluster's settings, their lines logged, their failures explained."""

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

import confluent_kafka
from confluent_kafka import Consumer
from confluent_kafka import KafkaException as KafkaException  # noqa: PLC0414  handed on to recording
from confluent_kafka import Producer as Producer  # noqa: PLC0414  handed on to recording

from ..errors import AgentlogError, KafkaRefused, KafkaUnavailable, SettingsError
from ..settings.clusters import BOOTSTRAP, Cluster
from ..settings.librdkafka_properties import CONSUMER, PRODUCER

Code = confluent_kafka.KafkaError
Client = TypeVar("Client")
LOST_S = 0.5


class Troubles:
    """What librdkafka reported, the telling part of which explains a failure."""

    TELLING = (Code._AUTHENTICATION, Code._SSL, Code._RESOLVE, Code._TRANSPORT)

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.seen: dict[int, str] = {}

    def __call__(self, error: Code) -> None:
        """Take in what librdkafka reports."""
        self.seen[error.code()] = error.str()

    @property
    def final(self) -> bool:
        """No broker is left to ask, or we were refused."""
        return not self.seen.keys().isdisjoint({Code._ALL_BROKERS_DOWN, Code._AUTHENTICATION, Code._SSL})

    def explained(self, doing: str) -> AgentlogError:
        """What kept us from ``doing`` something, as far as librdkafka told."""
        code = next((code for code in self.TELLING if code in self.seen), None)
        told = self.cluster.redact(self.seen.get(code, "") if code is not None else "")
        text = told.split(": ", 1)[-1].partition(" (after ")[0]
        address = self.cluster.shown()[BOOTSTRAP]
        who = f"cluster {self.cluster.name}" + (f" ({address})" if address != self.cluster.name else "")
        origin = f"{BOOTSTRAP} is from {self.cluster.origins[BOOTSTRAP]}"
        match code:
            case Code._AUTHENTICATION:
                return KafkaRefused(f"{who} refused the user name or the password while {doing}: {text}")
            case Code._SSL:
                return KafkaRefused(f"{who}: no TLS connection while {doing}: {text}")
            case Code._RESOLVE:
                return KafkaUnavailable(f"{who}: its name isn't known while {doing}: {text}; {origin}")
            case Code._TRANSPORT:
                return KafkaUnavailable(f"{who} can't be reached while {doing}: {text}; {origin}")
        if Code._ALL_BROKERS_DOWN in self.seen:
            ask = "does it want TLS or a password (security.protocol)?"
            return KafkaUnavailable(f"{who} closed each connection while {doing}: {ask} {origin}")
        return KafkaUnavailable(f"{who} gave no answer in time while {doing}; {origin}")


def client(kind: Callable[..., Client], cluster: Cluster, own: Mapping[str, str | bool], troubles: Troubles) -> Client:
    """A client of ``kind`` with our own properties over the user's; a wrong one is explained."""
    logger = logging.getLogger(f"agentlog.librdkafka.{cluster.name.replace('.', '_')}")
    logger.filters = [_Redacting(cluster)]
    try:
        return kind({**_meant_for(kind, cluster.properties), **own, "error_cb": troubles}, logger=logger)
    except KafkaException as error:
        text = cluster.redact(error.args[0].str())
        name = next((name for name in cluster.properties if name in text), None)
        raise SettingsError(f"{cluster.origins[name] if name else f'cluster {cluster.name}'}: {text}") from error


def is_lost(asked: Producer | Consumer, topic: str) -> bool:
    """Whether ``asked`` has no connection to any broker, nor one within half a second.

    librdkafka drops the brokers that a broker doesn't name, and one that stops may name none: then it can be left
    without any to connect to, for ever.
    """
    try:
        asked.list_topics(topic, timeout=LOST_S)
    except KafkaException as error:
        return bool(error.args[0].code() == Code._TRANSPORT)  # of a slow one it would be _TIMED_OUT
    return False


def _meant_for(kind: Callable[..., object], properties: Mapping[str, str]) -> dict[str, str]:
    """``properties`` but for those of the other kind of client, of which librdkafka would warn.

    Nor that which lets a producer write in transactions alone: we begin none, and each record would be refused.
    """
    foreign = PRODUCER - CONSUMER if kind is Consumer else CONSUMER - PRODUCER | {"transactional.id"}
    return {name: value for name, value in properties.items() if name not in foreign}


class _Redacting(logging.Filter):
    """librdkafka's lines, without the cluster's secrets."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.cluster = cluster

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self.cluster.redact(record.getMessage()), ()
        return True
