"""The metrics and health checks of a running mirror."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..lag.partition_status import PartitionStatus

if TYPE_CHECKING:
    from prometheus_client.core import Metric

MAX_SILENCE_S = 30.0
"""The time without an update after which the mirror isn't healthy."""

_LABELS = ("topic", "partition", "target_topic")

Value = Callable[[PartitionStatus], float | None]


@dataclass(eq=False)
class StatusPage:
    """The newest state of the mirror, which the server's threads read.

    Attributes:
        statuses: the status of each partition.
        alerts: a sentence for each partition over the threshold.
        waits: a sentence for each problem that the mirror waits for.
        updated_at: the time of the last update, in seconds of the monotonic clock; None before the first.
    """

    statuses: Sequence[PartitionStatus] = ()
    alerts: Sequence[str] = ()
    waits: Sequence[str] = ()
    updated_at: float | None = None

    def update(self, statuses: Sequence[PartitionStatus], alerts: Sequence[str], waits: Sequence[str]) -> None:
        """Replace the state by the present one."""
        self.statuses, self.alerts, self.waits = statuses, alerts, waits
        self.updated_at = time.monotonic()

    def check_health(self) -> tuple[int, str]:
        """Return 503 and why while a partition is over the threshold or updates have stopped; else 200."""
        if self.updated_at is not None and (silence_s := time.monotonic() - self.updated_at) > MAX_SILENCE_S:
            return 503, f"the mirror has not reported its state for {silence_s:.0f} s"
        return (503, "\n".join([*self.alerts, *self.waits])) if self.alerts else (200, "ok")

    def check_readiness(self) -> tuple[int, str]:
        """Return 200 once the position of every partition is known; else 503 and the partitions."""
        unknown_partitions = [str(each.source) for each in self.statuses if each.position is None]
        if not self.statuses or unknown_partitions:
            return 503, f"position not known yet: {', '.join(unknown_partitions) or 'every partition'}"
        return 200, "ok"

    def collect(self) -> "Iterator[Metric]":
        """Yield the metrics for the Prometheus client. Unknown values are NaN."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415  an extra

        gauges: dict[str, tuple[str, Value]] = {
            "lag_records": ("Records of the source that aren't mirrored", lambda each: each.lag.records),
            "lag_seconds": ("How long the first record that isn't mirrored has waited", lambda each: each.lag.seconds),
            "first_record_age_seconds": (
                "Age of the first record that isn't mirrored by its timestamp, below 0 when that is ahead of our clock",
                lambda each: each.age.stamped if each.is_behind else None,
            ),
            "position": ("Offset of the source up to which it is mirrored", lambda each: each.position),
            "source_end": ("End of the source's partition", lambda each: each.source_end),
            "target_end": ("End of the target's partition", lambda each: each.target_end),
        }
        for name, (text, value) in gauges.items():
            gauge = GaugeMetricFamily(f"kafmirror_{name}", text, labels=_LABELS)
            for each in self.statuses:
                gauge.add_metric(_list_labels(each), _to_number(value(each)))
            yield gauge
        counters: dict[str, tuple[str, Value]] = {
            "records": ("Records copied by this process", lambda each: each.records),
            "bytes": ("Bytes sent by this process and acknowledged", lambda each: each.sent_bytes),
            "records_lost": ("Offsets whose records were lost, as accepted", lambda each: each.offsets_lost),
        }
        for name, (text, value) in counters.items():
            counter = CounterMetricFamily(f"kafmirror_{name}", text, labels=_LABELS)
            for each in self.statuses:
                counter.add_metric(_list_labels(each), value(each) or 0)
            yield counter
        yield _build_gauge("waiting", "Problems that the mirror waits for", len(self.waits))
        yield _build_gauge("over_threshold", "Partitions over the threshold", len(self.alerts))


def _build_gauge(name: str, text: str, value: float) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  an extra

    return GaugeMetricFamily(f"kafmirror_{name}", text, value=value)


def _list_labels(status: PartitionStatus) -> list[str]:
    return [status.source.topic, str(status.source.number), status.target.topic]


def _to_number(value: float | None) -> float:
    return float("nan") if value is None else value
