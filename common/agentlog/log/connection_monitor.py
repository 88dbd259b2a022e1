"""The monitor of a live reader's connection: it checks each second whether the cluster answers."""

import time
from collections.abc import Callable

from ..errors import KafkaUnavailable, TopicNotFound
from .reader import KafkaReader
from .topic_watch import TopicWatch

CHECK_INTERVAL_S = 1.0
CHECK_TIMEOUT_S = 0.5
RENEW_INTERVAL_S = 10.0
"""How often a new consumer is tried while the cluster is away."""
RENEW_TIMEOUT_S = 2.0
MISSING_TOLERANCE_S = 15.0
"""A broker that starts may not know a topic for a moment. A topic that is missing for longer was deleted."""


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
