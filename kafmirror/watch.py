"""Watching the lag: says when a partition falls too far behind, since when, and when it has caught up. Pure."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from .known import Partition
from .lag import Threshold
from .standing import Standing, lag_text

_log = logging.getLogger("kafmirror")


@dataclass
class Watch:
    """What is over the threshold, and since when, in seconds of the clock that ``look`` is given."""

    threshold: Threshold | None
    over: dict[Partition, float] = field(default_factory=dict)

    def look(self, standings: Iterable[Standing], now: float) -> None:
        """Take notice of where all partitions stand."""
        if self.threshold is None:
            return
        for each in standings:
            exceeded = self.threshold.is_exceeded(each.lag)
            if exceeded and each.source not in self.over:
                self.over[each.source] = now
                _log.warning("%s is behind by %s, over %s", each.source, lag_text(each.lag), self.threshold)
            elif not exceeded and each.source in self.over:
                _log.warning(
                    "%s is within %s again, after %.0f s", each.source, self.threshold, now - self.over.pop(each.source)
                )

    def complaints(self, now: float) -> list[str]:
        """A sentence for each partition that is over it."""
        return [
            f"{partition} is over {self.threshold} since {now - since:.0f} s" for partition, since in self.over.items()
        ]
