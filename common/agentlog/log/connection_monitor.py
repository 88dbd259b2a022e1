"""Whether the cluster answers while a topic is read live: looked at each second, and told when that changes."""

import time
from collections.abc import Callable

from ..errors import KafkaUnavailable, TopicNotFound
from .reader import KafkaReader

LOOK_EVERY_S = 1.0
LOOK_FOR_S = 0.5
RENEW_EVERY_S = 10.0
RENEW_FOR_S = 2.0
MISSING_FOR_S = 15.0
"""A topic that a broker doesn't know while it starts is there again by then; one that was deleted isn't."""


class Watch:
    """Looks once a second whether the cluster answers, and has a reader renewed that may find no way to it any more.

    Args:
        say: is told when the cluster goes away and comes back.
    """

    def __init__(self, reader: KafkaReader, topic: str, say: Callable[[str], None]) -> None:
        self._reader, self._topic, self._say = reader, topic, say
        self._look_at = time.monotonic() + LOOK_EVERY_S
        self._away_since: float | None = None
        self._missing_since: float | None = None
        self._renew_at = 0.0

    def look(self) -> int | None:
        """How many partitions the topic has; None between two looks, and while there is no answer.

        Raises:
            KafkaError: the topic was deleted, or we are refused.
        """
        if time.monotonic() < self._look_at:
            return None
        count = None
        try:
            count = self._reader.partition_count(self._topic, LOOK_FOR_S)
        except TopicNotFound as error:
            self._is_away(error)
            self._is_missing(error)
        except KafkaUnavailable as error:
            self._is_away(error)
            self._may_be_lost()
        else:
            self._is_there()
        self._look_at = time.monotonic() + LOOK_EVERY_S
        return count

    def _is_away(self, error: TopicNotFound | KafkaUnavailable) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._renew_at = self._away_since + RENEW_EVERY_S
            self._say(f"{error}\nwaiting for it; what is recorded meanwhile comes then")

    def _is_missing(self, error: TopicNotFound) -> None:
        now = time.monotonic()
        self._missing_since = self._missing_since or now
        if now - self._missing_since > MISSING_FOR_S:
            raise error

    def _may_be_lost(self) -> None:
        self._missing_since = None
        if time.monotonic() >= self._renew_at:
            self._reader.renew(self._topic, RENEW_FOR_S)
            self._renew_at = time.monotonic() + RENEW_EVERY_S

    def _is_there(self) -> None:
        if self._away_since is not None:
            self._say(f"it answers again, after {time.monotonic() - self._away_since:.0f} s")
        self._away_since = self._missing_since = None
        self._reader.is_well()
