"""A page for Prometheus and for health checks, about a running mirror."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from agentlog.errors import UsageError

from .standing import Standing

if TYPE_CHECKING:
    from prometheus_client.core import Metric

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
    told: threading.Event = field(default_factory=threading.Event)

    def tell(self, standings: Sequence[Standing], complaints: Sequence[str], troubles: Sequence[str]) -> None:
        """Take up how things stand now."""
        self.standings, self.complaints, self.troubles = standings, complaints, troubles
        self.told.set()

    def health(self) -> tuple[int, str]:
        """503 while a partition is over the threshold."""
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


@contextmanager
def serving(address: str | None) -> Iterator[Page]:
    """Serve a page at ``HOST:PORT`` while the block runs; without an address it is only kept.

    Raises:
        UsageError: the address can't be had, or the extra isn't installed.
    """
    page = Page()
    if address is None:
        yield page
        return
    server = _server(address, page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield page
    finally:
        server.shutdown()
        server.server_close()


def _server(address: str, page: Page) -> ThreadingHTTPServer:
    try:
        from prometheus_client import CollectorRegistry  # noqa: PLC0415  an extra
    except ImportError:
        raise UsageError("--metrics needs the Prometheus client: pip install 'agentlog[metrics]'") from None
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    registry.register(page)
    handler = type("Handler", (_Handler,), {"page": page, "registry": registry})
    try:
        return ThreadingHTTPServer((host.strip("[]"), int(port)), handler)
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(f"--metrics {address[:60]!r} can't be served, it is HOST:PORT: {error}") from None


class _Handler(BaseHTTPRequestHandler):
    page: Page
    registry: Any

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == "/metrics":
            from prometheus_client.exposition import choose_encoder  # noqa: PLC0415  an extra

            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, encode(self.registry), kind)
        elif self.path == "/healthz":
            code, text = self.page.health()
            self._answer(code, f"{text}\n".encode(), "text/plain; charset=utf-8")
        elif self.path == "/readyz":
            code, text = self.page.readiness()
            self._answer(code, f"{text}\n".encode(), "text/plain; charset=utf-8")
        else:
            self._answer(404, b"there are /metrics, /healthz and /readyz\n", "text/plain; charset=utf-8")

    def _answer(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the library's
        """Requests aren't logged."""
