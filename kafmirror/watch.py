"""Watching the lag: says when a partition falls too far behind, since when, and when it has caught up. Pure."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from .known import Partition
from .lag import Lag, Threshold
from .standing import Standing, lag_text

SAID_AGAIN_S = 30.0

_log = logging.getLogger("kafmirror")


@dataclass
class _Over:
    lag: Lag
    since: float
    said: float


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
                self._exceeds(each, now)
            elif over := self.over.pop(each.source, None):
                _log.warning("%s is within %s again, after %.0f s", each.source, self.threshold, now - over.since)

    def _exceeds(self, standing: Standing, now: float) -> None:
        known = self.over.get(standing.source)
        if known is None:
            known = self.over[standing.source] = _Over(standing.lag, now, now)
            _log.warning("%s is behind by %s, over %s", standing.source, lag_text(standing.lag), self.threshold)
        known.lag = standing.lag
        if now - known.said >= SAID_AGAIN_S:
            known.said = now
            _log.warning("%s", self._complaint(standing.source, known, now))

    def _complaint(self, partition: Partition, over: _Over, now: float) -> str:
        return f"{partition} is over {self.threshold} since {now - over.since:.0f} s: behind by {lag_text(over.lag)}"

    def complaints(self, now: float) -> list[str]:
        """A sentence for each partition that is over it."""
        return [self._complaint(partition, over, now) for partition, over in self.over.items()]
