"""The watch over a topic's id: it tells when the topic was deleted and created again."""

import logging
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, TopicCollection

from ..errors import AgentlogError
from ..settings.clusters import Cluster
from .client import ClientErrors, create_client

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

REQUEST_TIMEOUT_S = 5.0

_log = logging.getLogger("agentlog.kafka")


class TopicWatch:
    """A watch that asks for a topic's id again and again, and never waits for the answer.

    A cluster that doesn't tell the id (before Kafka 2.8, or without the right) never has another topic.

    Attributes:
        partition_count: the number of partitions in the last answer.
        confirmed_at: when the last request was sent whose answer gave the known id, by the monotonic clock, or None.
    """

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self.partition_count = 0
        self.confirmed_at: float | None = None
        self._cluster, self._topic = cluster, topic
        self._known_id: str | None = None
        self._admin: AdminClient | None = None
        self._future: Future[Any] | None = None
        self._asked_at = 0.0

    def ask(self) -> None:
        """Ask for the id, unless a request is under way."""
        if self._future is not None:
            return
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415  only live views need it

        try:
            self._admin = self._admin or create_client(AdminClient, self._cluster, {}, ClientErrors(self._cluster))
            self._asked_at = time.monotonic()
            topics = TopicCollection([self._topic])
            self._future = self._admin.describe_topics(topics, request_timeout=REQUEST_TIMEOUT_S)[self._topic]
        except (AgentlogError, KafkaException) as error:
            _log.info("cluster %s doesn't tell the id of topic %s: %s", self._cluster.name, self._topic, error)

    def is_another_topic(self) -> bool:
        """Return whether an answer has come that gives another id than before. From then on, that is the known id."""
        if self._future is None or not self._future.done():
            return False
        future, self._future = self._future, None
        try:
            description = future.result()
        except KafkaException as error:
            _log.info("cluster %s doesn't tell the id of topic %s: %s", self._cluster.name, self._topic, error)
            return False
        topic_id, self.partition_count = description.topic_id, len(description.partitions)
        if not (topic_id.get_most_significant_bits() or topic_id.get_least_significant_bits()):
            return False
        known_id, self._known_id = self._known_id, str(topic_id)
        if known_id not in (None, self._known_id):
            return True
        self.confirmed_at = self._asked_at
        return False

    def renew_client(self) -> None:
        """Use a new client from now on, because the old one may have lost all brokers while the cluster was away."""
        self._admin = self._future = None
