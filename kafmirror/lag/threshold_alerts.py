"""Watching the lag: says when a partition falls too far behind, since when, and when it has caught up. Pure."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from ..kafka.metadata import Partition
from .lag import Lag, Threshold
from .partition_status import PartitionStatus, format_lag

LOG_AGAIN_S = 30.0

_log = logging.getLogger("kafmirror")


@dataclass
class _Alert:
    threshold: Threshold
    lag: Lag
    since: float
    last_logged: float

    def describe(self, partition: Partition, now: float) -> str:
        """A sentence about it."""
        verb = "counts as" if self.threshold.measure(self.lag) is None else "is"
        since = f" since {now - self.since:.0f} s" if now > self.since else ""
        return f"{partition} {verb} over {self.threshold}{since}: {format_lag(self.lag)}"


@dataclass
class ThresholdAlerts:
    """What is over the threshold; times are seconds of the clock that ``update`` is given."""

    threshold: Threshold | None
    alerts: dict[Partition, _Alert] = field(default_factory=dict)

    def update(self, statuses: Iterable[PartitionStatus], now: float) -> None:
        """Take notice of where all partitions stand."""
        if self.threshold is None:
            return
        for each in statuses:
            if self.threshold.is_exceeded(each.lag):
                self._raise_alert(each, self.threshold, now)
            elif alert := self.alerts.pop(each.source, None):
                _log.warning("%s is within %s again, after %.0f s", each.source, self.threshold, now - alert.since)

    def _raise_alert(self, status: PartitionStatus, threshold: Threshold, now: float) -> None:
        alert = self.alerts.setdefault(status.source, _Alert(threshold, status.lag, now, -inf))
        alert.lag = status.lag
        if now - alert.last_logged >= LOG_AGAIN_S:
            alert.last_logged = now
            _log.warning("%s", alert.describe(status.source, now))

    def describe_alerts(self, now: float) -> list[str]:
        """A sentence for each partition that is over it."""
        return [alert.describe(partition, now) for partition, alert in self.alerts.items()]
