"""The monitor of a live reader: it checks each second whether the cluster answers and the topic is still the same."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from confluent_kafka import TopicCollection

from ..errors import AgentlogError, KafkaUnavailable, TopicNotFound
from ..settings.clusters import Cluster
from ..text.coverage_text import describe_partitions
from .connection.client import ClientErrors, KafkaException, create_client, get_topic_id
from .reader import KafkaReader

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

CHECK_INTERVAL_S = 1.0
CHECK_TIMEOUT_S = 0.5
RENEW_INTERVAL_S = 10.0
"""How often a new consumer is tried while the cluster is away."""
RENEW_TIMEOUT_S = 2.0
MISSING_TOLERANCE_S = 15.0
"""A broker that starts may not know a topic for a moment. A topic that is missing for longer was deleted."""
LEADERLESS_TOLERANCE_S = 10.0
"""While a broker stops or starts, its partitions may have no leader for seconds. Only a longer time is told."""
IDENTITY_TIMEOUT_S = 5.0

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
            self._future = self._admin.describe_topics(topics, request_timeout=IDENTITY_TIMEOUT_S)[self._topic]
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
        topic_id, self.partition_count = get_topic_id(description), len(description.partitions)
        if topic_id is None:
            return False
        known_id, self._known_id = self._known_id, topic_id
        if known_id not in (None, self._known_id):
            return True
        self.confirmed_at = self._asked_at
        return False

    def renew_client(self) -> None:
        """Use a new client from now on, because the old one may have lost all brokers while the cluster was away."""
        self._admin = self._future = None


class ConnectionMonitor:
    """A monitor that checks once a second whether the cluster answers, and renews a reader that may be cut off.

    Args:
        notify: receives a message when the cluster goes away and when it comes back.

    Attributes:
        has_another_topic: whether the topic was deleted and created again.
    """

    def __init__(self, reader: KafkaReader, topic: str, notify: Callable[[str], None]) -> None:
        self._reader, self._topic, self._notify = reader, topic, notify
        self._next_check_at = time.monotonic() + CHECK_INTERVAL_S
        self._away_since: float | None = None
        self._missing_since: float | None = None
        self._next_renew_at = 0.0
        self._leaderless_since: dict[int, float] = {}
        self._told_leaderless: set[int] = set()
        self._watch = TopicWatch(reader.cluster, topic)
        self._watch.ask()
        self.has_another_topic = False

    @property
    def confirmed_at(self) -> float | None:
        """When it was last asked whether the topic is the same, with the answer yes; None if that isn't told."""
        return self._watch.confirmed_at

    def accept_topic(self) -> int:
        """Take the new topic for the known one, and return its number of partitions."""
        self.has_another_topic = False
        return self._watch.partition_count

    def check_connection(self) -> int | None:
        """Check the connection if a check is due. Return the topic's number of partitions, or None without an answer.

        Raises:
            KafkaError: the topic was deleted, or the cluster refuses us.
        """
        self.has_another_topic = self.has_another_topic or self._watch.is_another_topic()
        if time.monotonic() < self._next_check_at:
            return None
        count = None
        try:
            count = self._reader.partition_count(self._topic, CHECK_TIMEOUT_S)
        except TopicNotFound as error:
            self._handle_away(error)
            self._handle_missing(error)
        except KafkaUnavailable as error:
            self._handle_away(error)
            self._renew_when_due()
        else:
            self._handle_available()
        self._next_check_at = time.monotonic() + CHECK_INTERVAL_S
        return count

    def _handle_away(self, error: TopicNotFound | KafkaUnavailable) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._next_renew_at = self._away_since + RENEW_INTERVAL_S
            self._notify(f"{error}\nwaiting for the cluster; events recorded until then will be shown")

    def _handle_missing(self, error: TopicNotFound) -> None:
        now = time.monotonic()
        self._missing_since = self._missing_since or now
        if now - self._missing_since > MISSING_TOLERANCE_S:
            raise error

    def _renew_when_due(self) -> None:
        self._missing_since = None
        if time.monotonic() >= self._next_renew_at:
            self._reader.renew(self._topic, RENEW_TIMEOUT_S)
            self._next_renew_at = time.monotonic() + RENEW_INTERVAL_S

    def _handle_available(self) -> None:
        if self._away_since is not None:
            self._notify(f"the cluster answers again, after {time.monotonic() - self._away_since:.0f} s")
            self._watch.renew_client()
        self._away_since = self._missing_since = None
        self._watch.ask()
        self._reader.reset_failures()
        self._check_leaders()

    def _check_leaders(self) -> None:
        """Tell which partitions have no leader for longer than a moment, and which have one again."""
        now, leaderless = time.monotonic(), self._reader.leaderless
        self._leaderless_since = {p: self._leaderless_since.get(p, now) for p in leaderless}
        lasting = {p for p, since in self._leaderless_since.items() if now - since >= LEADERLESS_TOLERANCE_S}
        if new := lasting - self._told_leaderless:
            self._notify(f"{describe_partitions(new)} no leader, so nothing of them is shown until they have one")
        if recovered := self._told_leaderless - leaderless:
            self._notify(f"{describe_partitions(recovered)} a leader again")
        self._told_leaderless = (self._told_leaderless | lasting) & leaderless
