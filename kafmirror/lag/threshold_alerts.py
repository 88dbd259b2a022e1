"""Watching the lag: says when a partition falls too far behind, since when, and when it has caught up. Pure."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from ..kafka.metadata import Partition
from .lag import Lag, Threshold
from .partition_status import Standing, lag_text

SAID_AGAIN_S = 30.0

_log = logging.getLogger("kafmirror")


@dataclass
class _Over:
    threshold: Threshold
    lag: Lag
    since: float
    said: float

    def told(self, partition: Partition, now: float) -> str:
        """A sentence about it."""
        verb = "counts as" if self.threshold.measure(self.lag) is None else "is"
        since = f" since {now - self.since:.0f} s" if now > self.since else ""
        return f"{partition} {verb} over {self.threshold}{since}: {lag_text(self.lag)}"


@dataclass
class Watch:
    """What is over the threshold; times are seconds of the clock that ``look`` is given."""

    threshold: Threshold | None
    over: dict[Partition, _Over] = field(default_factory=dict)

    def look(self, standings: Iterable[Standing], now: float) -> None:
        """Take notice of where all partitions stand."""
        if self.threshold is None:
            return
        for each in standings:
            if self.threshold.is_exceeded(each.lag):
                self._exceeds(each, self.threshold, now)
            elif over := self.over.pop(each.source, None):
                _log.warning("%s is within %s again, after %.0f s", each.source, self.threshold, now - over.since)

    def _exceeds(self, standing: Standing, threshold: Threshold, now: float) -> None:
        over = self.over.setdefault(standing.source, _Over(threshold, standing.lag, now, -inf))
        over.lag = standing.lag
        if now - over.said >= SAID_AGAIN_S:
            over.said = now
            _log.warning("%s", over.told(standing.source, now))

    def complaints(self, now: float) -> list[str]:
        """A sentence for each partition that is over it."""
        return [over.told(partition, now) for partition, over in self.over.items()]
