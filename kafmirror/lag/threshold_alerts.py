"""The alerts on the log when a partition falls too far behind, stays behind, and catches up. Pure."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from ..kafka.metadata import Partition
from .lag import Threshold
from .partition_status import PartitionStatus, describe_wait, format_lag

LOG_AGAIN_S = 30.0
"""The time between two lines on the log about the same partition."""

_log = logging.getLogger("kafmirror")


@dataclass
class _Alert:
    threshold: Threshold
    status: PartitionStatus
    since: float
    last_logged: float

    def describe(self, partition: Partition, now: float) -> str:
        """Return a sentence about the alert."""
        is_unknown, wait_text = self.threshold.measure(self.status.lag) is None, describe_wait(self.status)
        lag_text = format_lag(self.status.lag) + (f" ({wait_text})" if wait_text else "")
        if now > self.since:
            verb = "has counted as" if is_unknown else "has been"
            return f"{partition} {verb} over {self.threshold} for {now - self.since:.0f} s: {lag_text}"
        return f"{partition} {'counts as' if is_unknown else 'is'} over {self.threshold}: {lag_text}"


@dataclass
class ThresholdAlerts:
    """The partitions that are over the threshold. Times are in seconds, of the clock that ``update`` gets."""

    threshold: Threshold | None
    alerts: dict[Partition, _Alert] = field(default_factory=dict)

    def update(self, statuses: Iterable[PartitionStatus], now: float) -> None:
        """Update the alerts with the status of all partitions, and log the changes."""
        if self.threshold is None:
            return
        for each in statuses:
            if self.threshold.is_exceeded(each.lag):
                self._raise_alert(each, self.threshold, now)
            elif alert := self.alerts.pop(each.source, None):
                _log.warning("%s is within %s again, after %.0f s", each.source, self.threshold, now - alert.since)

    def _raise_alert(self, status: PartitionStatus, threshold: Threshold, now: float) -> None:
        alert = self.alerts.setdefault(status.source, _Alert(threshold, status, now, -inf))
        alert.status = status
        if now - alert.last_logged >= LOG_AGAIN_S:
            alert.last_logged = now
            _log.warning("%s", alert.describe(status.source, now))

    def describe_alerts(self, now: float) -> list[str]:
        """Return a sentence for each partition that is over the threshold."""
        return [alert.describe(partition, now) for partition, alert in self.alerts.items()]
