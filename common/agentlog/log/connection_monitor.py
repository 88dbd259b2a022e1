"""Whether the cluster answers while a topic is read live: looked at each second, and told when that changes."""

import time
from collections.abc import Callable

from ..errors import KafkaUnavailable, TopicNotFound
from .reader import KafkaReader

CHECK_INTERVAL_S = 1.0
CHECK_TIMEOUT_S = 0.5
RENEW_INTERVAL_S = 10.0
RENEW_TIMEOUT_S = 2.0
MISSING_TOLERANCE_S = 15.0
"""A topic that a broker doesn't know while it starts is there again by then; one that was deleted isn't."""


class ConnectionMonitor:
    """Looks once a second whether the cluster answers, and has a reader renewed that may find no way to it any more.

    Args:
        notify: is told when the cluster goes away and comes back.
    """

    def __init__(self, reader: KafkaReader, topic: str, notify: Callable[[str], None]) -> None:
        self._reader, self._topic, self._notify = reader, topic, notify
        self._next_check_at = time.monotonic() + CHECK_INTERVAL_S
        self._away_since: float | None = None
        self._missing_since: float | None = None
        self._next_renew_at = 0.0

    def check_connection(self) -> int | None:
        """How many partitions the topic has; None between two looks, and while there is no answer.

        Raises:
            KafkaError: the topic was deleted, or we are refused.
        """
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
            self._notify(f"{error}\nwaiting for it; what is recorded meanwhile comes then")

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
            self._notify(f"it answers again, after {time.monotonic() - self._away_since:.0f} s")
        self._away_since = self._missing_since = None
        self._reader.reset_failures()
