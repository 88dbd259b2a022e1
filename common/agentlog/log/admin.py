"""Administration of topics: create them, read their settings and their identity."""

import logging
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource
from confluent_kafka.cimpl import NewTopic

from ..errors import KafkaRefused, KafkaUnavailable, TopicNotFound
from ..settings.clusters import Cluster
from .connection.client import ClientErrors, LibrdkafkaError, create_client, get_topic_id
from .reader import KafkaReader

NOT_AUTHORISED = (LibrdkafkaError.TOPIC_AUTHORIZATION_FAILED, LibrdkafkaError.CLUSTER_AUTHORIZATION_FAILED)
_log = logging.getLogger("agentlog.kafka")


class TopicIdentity(NamedTuple):
    """The ids of a cluster and of a topic. A topic that is deleted and created again gets another id."""

    cluster_id: str
    topic_id: str


class TopicIdentityRequest:
    """A request for a topic's identity. It is sent at once, so that its caller can connect to the topic meanwhile."""

    def __init__(self, cluster: Cluster, topic: str, timeout_s: float) -> None:
        self._cluster, self._topic, self._timeout_s = cluster, topic, timeout_s
        self._client_errors = ClientErrors(cluster)
        self._admin = create_client(AdminClient, cluster, {}, self._client_errors)
        self._topic_future = self._admin.describe_topics(TopicCollection([topic]), request_timeout=timeout_s)[topic]
        self._cluster_future = self._admin.describe_cluster(request_timeout=timeout_s)

    def wait_for_identity(self) -> TopicIdentity | None:
        """Return the ids, or None if the cluster doesn't tell them; clusters before Kafka 2.8 don't."""
        self._wait_for_answers()
        try:
            cluster_id = self._cluster_future.result(0).cluster_id
            topic_id = get_topic_id(self._topic_future.result(0))
        except (KafkaException, TimeoutError) as error:
            _log.info("cluster %s doesn't tell its id and that of topic %s: %s", self._cluster.name, self._topic, error)
            return None
        return TopicIdentity(cluster_id, topic_id) if cluster_id and topic_id else None

    def _wait_for_answers(self) -> None:
        """Wait for both answers, but no longer than until all brokers are known to be out of reach."""
        deadline = time.monotonic() + self._timeout_s
        while not (self._cluster_future.done() and self._topic_future.done()):
            self._admin.poll(0.01)  # librdkafka reports its errors here
            if self._client_errors.is_final or time.monotonic() > deadline:
                return


def read_topic_settings(cluster: Cluster, topic: str) -> dict[str, str]:
    """Return the settings of ``topic``, including Kafka's defaults.

    Raises:
        TopicNotFound: there is no such topic.
        KafkaError: the cluster can't be reached, or refuses.
    """
    with KafkaReader(cluster) as reader:
        reader.partition_count(topic)
    admin = create_client(AdminClient, cluster, {}, ClientErrors(cluster))
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    right = f"topic {topic}: the right DESCRIBE_CONFIGS is needed to see its settings"
    entries = _wait_for_result(cluster, admin.describe_configs([resource])[resource], right)
    return {name: entry.value for name, entry in entries.items()}


def ensure_topic(cluster: Cluster, topic: str, partition_count: int, config: Mapping[str, str]) -> dict[str, str]:
    """Create ``topic`` with ``config`` if it doesn't exist. Return its settings; for a new topic, these are ``config``.

    Raises:
        KafkaError: the cluster can't be reached, or refuses.
    """
    try:
        return read_topic_settings(cluster, topic)
    except TopicNotFound:
        admin = create_client(AdminClient, cluster, {}, ClientErrors(cluster))
        new_topic = NewTopic(topic, partition_count, config=dict(config))
        right = f"topic {topic}: the right CREATE on it is needed to create it"
        _wait_for_result(cluster, admin.create_topics([new_topic])[topic], right)
        with KafkaReader(cluster) as reader:
            _wait_until_known(reader, topic)
        return dict(config)


def _wait_until_known(reader: KafkaReader, topic: str) -> None:
    """Wait until the brokers know a new topic. They learn of it only after its creation."""
    deadline = time.monotonic() + reader.timeout_s
    while True:
        try:
            reader.partition_count(topic)
            return
        except (TopicNotFound, KafkaUnavailable):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _wait_for_result(cluster: Cluster, future: Any, right: str) -> Any:
    """Return the result of a request. ``right`` is the sentence for a user who isn't allowed to make it."""
    try:
        return future.result(timeout=30)
    except KafkaException as error:
        if error.args[0].code() in NOT_AUTHORISED:
            raise KafkaRefused(f"cluster {cluster.name}: not authorised on {right}") from error
        raise KafkaRefused(f"cluster {cluster.name}: {error.args[0].str()}") from error
    except TimeoutError as error:
        raise KafkaUnavailable(f"cluster {cluster.name} gave no answer within 30 s") from error
