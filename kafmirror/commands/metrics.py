"""What Prometheus and health checks are told of a running mirror."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..lag.partition_status import Standing

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SILENT_S = 30.0

_LABELS = ("topic", "partition", "target_topic")

Value = Callable[[Standing], float | None]


@dataclass(eq=False)
class Page:
    """What was last told; read by the threads of the server.

    Attributes:
        complaints: partitions over the threshold.
        troubles: what the mirror waits for.
    """

    standings: Sequence[Standing] = ()
    complaints: Sequence[str] = ()
    troubles: Sequence[str] = ()
    told_at: float | None = None

    def tell(self, standings: Sequence[Standing], complaints: Sequence[str], troubles: Sequence[str]) -> None:
        """Take up how things stand now."""
        self.standings, self.complaints, self.troubles = standings, complaints, troubles
        self.told_at = time.monotonic()

    def health(self) -> tuple[int, str]:
        """503 while a partition is over the threshold, or when the mirror no longer tells where it stands."""
        if self.told_at is not None and (silent := time.monotonic() - self.told_at) > SILENT_S:
            return 503, f"the mirror hasn't told for {silent:.0f} s where it stands"
        return (503, "\n".join([*self.complaints, *self.troubles])) if self.complaints else (200, "ok")

    def readiness(self) -> tuple[int, str]:
        """200 once it is known where every partition stands."""
        unknown = [str(each.source) for each in self.standings if each.position is None]
        if not self.standings or unknown:
            return 503, f"not known yet: {', '.join(unknown) or 'every partition'}"
        return 200, "ok"

    def collect(self) -> "Iterator[Metric]":
        """The metrics, for the client library; what isn't known is NaN."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415  an extra

        gauges: dict[str, tuple[str, Value]] = {
            "lag_records": ("Records of the source that aren't mirrored", lambda each: each.lag.records),
            "lag_seconds": ("Age of the first record that isn't mirrored", lambda each: each.lag.seconds),
            "position": ("Offset of the source up to which it is mirrored", lambda each: each.position),
            "source_end": ("End of the source's partition", lambda each: each.end),
            "target_end": ("End of the target's partition", lambda each: each.target_end),
        }
        for name, (text, value) in gauges.items():
            gauge = GaugeMetricFamily(f"kafmirror_{name}", text, labels=_LABELS)
            for each in self.standings:
                gauge.add_metric(_labels(each), _number(value(each)))
            yield gauge
        counters: dict[str, tuple[str, Value]] = {
            "records": ("Records copied by this process", lambda each: each.records),
            "bytes": ("Bytes sent by this process and acknowledged", lambda each: each.sent_bytes),
        }
        for name, (text, value) in counters.items():
            counter = CounterMetricFamily(f"kafmirror_{name}", text, labels=_LABELS)
            for each in self.standings:
                counter.add_metric(_labels(each), value(each) or 0)
            yield counter
        yield _single("waiting", "Troubles that the mirror waits for", len(self.troubles))
        yield _single("over_threshold", "Partitions over the threshold", len(self.complaints))


def _single(name: str, text: str, value: float) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  an extra

    return GaugeMetricFamily(f"kafmirror_{name}", text, value=value)


def _labels(standing: Standing) -> list[str]:
    return [standing.source.topic, str(standing.source.number), standing.target.topic]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
