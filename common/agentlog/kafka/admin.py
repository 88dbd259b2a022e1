"""Topics of a cluster, made and described."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource
from confluent_kafka.cimpl import NewTopic

from ..clusters import Cluster
from ..errors import KafkaRefused, KafkaUnavailable, TopicNotFound
from .client import Troubles, client
from .reader import KafkaReader


class Identity(NamedTuple):
    """What a topic is called by for as long as it lives, and no other topic ever is."""

    cluster_id: str
    topic_id: str


def identity(cluster: Cluster, topic: str, timeout_s: float) -> Identity | None:
    """The ids of a cluster and its topic; None where the cluster doesn't tell them, as those before Kafka 2.8."""
    admin = client(AdminClient, cluster, {}, Troubles(cluster))
    asked = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout_s)[topic]
    of_cluster = admin.describe_cluster(request_timeout=timeout_s)
    try:
        cluster_id, topic_id = of_cluster.result(timeout_s).cluster_id, asked.result(timeout_s).topic_id
    except (KafkaException, TimeoutError):
        return None
    has_id = topic_id.get_most_significant_bits() or topic_id.get_least_significant_bits()
    return Identity(cluster_id, str(topic_id)) if cluster_id and has_id else None


def ensure_topic(cluster: Cluster, topic: str, partitions: int, config: Mapping[str, str]) -> dict[str, str] | None:
    """Create ``topic`` when it isn't there; None when it was made, else the settings that it has.

    Raises:
        KafkaError: the cluster can't be reached, or refuses.
    """
    admin = client(AdminClient, cluster, {}, Troubles(cluster))
    with KafkaReader(cluster) as reader:
        try:
            reader.partition_count(topic)
        except TopicNotFound:
            _result(cluster, admin.create_topics([NewTopic(topic, partitions, config=dict(config))])[topic])
            _wait_until_known(reader, topic)
            return None
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    described = _result(cluster, admin.describe_configs([resource])[resource])
    return {name: entry.value for name, entry in described.items()}


def _wait_until_known(reader: KafkaReader, topic: str) -> None:
    """A topic is created before the brokers that are asked for it have heard of it."""
    deadline = time.monotonic() + reader.timeout_s
    while True:
        try:
            reader.partition_count(topic)
            return
        except (TopicNotFound, KafkaUnavailable):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _result(cluster: Cluster, future: Any) -> Any:
    try:
        return future.result(timeout=30)
    except KafkaException as error:
        raise KafkaRefused(f"cluster {cluster.name}: {error.args[0].str()}") from error
    except TimeoutError as error:
        raise KafkaUnavailable(f"cluster {cluster.name} gave no answer within 30 s") from error
