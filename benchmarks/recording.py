"""AgentTracer beside `orjson.dumps` + `Producer.produce` and OpenTelemetry: `python -m benchmarks.recording [EVENTS]`.

Events have 1 KB in and 1 KB out. The peers get the same values in the same run; what arrived is counted at the broker.
"""

import logging
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import orjson
from confluent_kafka import Producer
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from agentlog import AgentTracer
from agentlog.log.reader import KafkaReader
from agentlog.settings.clusters import Settings
from devkafka import KafkaCluster, create_topic

from .measure import show

WHY = "Customer requested invoice for milestone 2"
ROW = {"sku": "sku_10412", "text": "milestone two of the project", "n": 4500}
GIVEN = {"customer_id": "cus_xyz", "lines": [ROW] * 15}
FOUND = {"invoice_id": "inv_abc", "rows": [{"id": 7, "state": "open", "note": "created by the service"}] * 16}
EVENT = {
    "event_id": "evt_9x7k2m",
    "session_id": "sess_a1b2c3",
    "agent_id": "invoice-generator-v2",
    "timestamp": "2026-01-15T14:23:11.847Z",
    "event_type": "tool_call",
    "payload": {"tool": "stripe.create_invoice", "input": GIVEN, "output": FOUND, "latency_ms": 1240},
    "context": {"parent_event_id": "evt_8k3j1n", "reasoning": WHY},
}
ROUNDS, TURNS, THREADS = 25, 5, 4
SAFE = {"enable.idempotence": True, "acks": "all", "linger.ms": 5, "compression.type": "lz4"}

Record = Callable[[], None]
Make = Callable[[str, str], tuple[Record, Callable[[], object]]]


class Nowhere(SpanExporter):
    """An exporter that serialises each span, as any that sends has to."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Serialise, and forget."""
        for span in spans:
            span.to_json()
        return SpanExportResult.SUCCESS


def main(count: int = 200_000) -> None:
    """All of it."""
    logging.basicConfig(level=logging.ERROR)
    with KafkaCluster("benchmark") as kafka:
        for burst in (100, 2_000):
            on_the_callers_thread(kafka.bootstrap, burst)
        delivered(kafka.bootstrap, count)
        alone = multiprocessing.get_context("spawn").Process(target=memory, args=(kafka.bootstrap, 1_000_000))
        alone.start()
        alone.join()


def bare(bootstrap: str, topic: str) -> tuple[Record, Callable[[], object]]:
    """The loop that has no promise to keep."""
    producer = Producer({"bootstrap.servers": bootstrap, **SAFE})

    def record() -> None:
        while True:
            try:
                producer.produce(topic, orjson.dumps(EVENT), "sess_a1b2c3")
            except BufferError:
                producer.poll(0.01)
            else:
                producer.poll(0)
                return

    return record, producer.flush


def traced(bootstrap: str, topic: str) -> tuple[Record, Callable[[], object]]:
    """The same by AgentTracer."""
    tracer = AgentTracer(agent_id="invoice-generator-v2", cluster=bootstrap, topic=topic)

    def record() -> None:
        tracer.track_tool_call("stripe.create_invoice", GIVEN, lambda: FOUND, reasoning=WHY)

    return record, lambda: tracer.flush(600)


def spanned() -> tuple[Record, Callable[[], object]]:
    """The same by OpenTelemetry."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere(), max_queue_size=4_096))
    tracer = provider.get_tracer("benchmark")

    def record() -> None:
        with tracer.start_as_current_span("stripe.create_invoice") as span:
            span.set_attribute("input", orjson.dumps(GIVEN).decode())
            span.set_attribute("output", orjson.dumps(FOUND).decode())
            span.set_attribute("reasoning", WHY)

    return record, provider.force_flush


def on_the_callers_thread(bootstrap: str, burst: int) -> None:
    """What one event costs who records it, in bursts; the first round isn't counted."""
    topic = create_topic(bootstrap, partitions=6)
    os.environ["AGENTLOG_DISABLED"] = "1"
    disabled = traced(bootstrap, topic)
    del os.environ["AGENTLOG_DISABLED"]
    kinds = {
        "orjson.dumps + produce": bare(bootstrap, topic),
        "AgentTracer": traced(bootstrap, topic),
        "OpenTelemetry span": spanned(),
        "AgentTracer, disabled": disabled,
    }
    walls: dict[str, list[float]] = {name: [] for name in kinds}
    cpus: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(ROUNDS + 1):
        for name, (record, flush) in kinds.items():
            began, ran = time.perf_counter(), time.thread_time()
            for _ in range(burst):
                record()
            wall, cpu = time.perf_counter() - began, time.thread_time() - ran
            flush()
            if number:
                walls[name].append(wall / burst * 1e6)
                cpus[name].append(cpu / burst * 1e6)
    size = len(orjson.dumps(EVENT))
    show(f"on the caller's thread, an event of {size:,} bytes, median (and best) of {ROUNDS} bursts of {burst:,}")
    for name in kinds:
        show(f"  {name:<24} {_spread(walls[name])}   CPU {_spread(cpus[name])}")


def _spread(times: list[float]) -> str:
    return f"{median(times):6.1f} us ({min(times):.1f})"


def delivered(bootstrap: str, count: int) -> None:
    """Events a second from the first call to the last acknowledgement, by several threads; in turns, because a broker
    gets faster for minutes after its start."""
    kinds = {"orjson.dumps + produce": bare, "AgentTracer": traced}
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(TURNS):
        for name, make in kinds.items():
            rates[name].append(_rate(bootstrap, make, count))
    show(f"{THREADS} threads, {count:,} events that arrived, in {TURNS} turns, a second")
    for name, found in rates.items():
        show(f"  {name:<24} {median(found):10,.0f}   {', '.join(f'{rate:,.0f}' for rate in found)}")


def _rate(bootstrap: str, make: Make, count: int) -> float:
    topic = create_topic(bootstrap, partitions=6)
    record, flush = make(bootstrap, topic)
    threads = [threading.Thread(target=_many, args=(record, count // THREADS)) for _ in range(THREADS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flush()
    took = time.perf_counter() - began
    arrived = at_broker(bootstrap, topic)
    if arrived != count:
        raise RuntimeError(f"{arrived:,} events arrived of {count:,}")
    return count / took


def _many(record: Record, count: int) -> None:
    for _ in range(count):
        record()


def at_broker(bootstrap: str, topic: str) -> int:
    """How many records the topic has."""
    with KafkaReader(Settings({}, None).cluster(bootstrap)) as reader:
        bounds = reader.bounds(topic, range(reader.partition_count(topic)))
    return sum(high - low for low, high in bounds.values())


def memory(bootstrap: str, count: int) -> None:
    """The resident memory over a million events, of a process that does nothing else."""
    topic = create_topic(bootstrap, partitions=6, config={"retention.bytes": "100000000"})
    record, flush = traced(bootstrap, topic)
    sizes = []
    for _ in range(5):
        _many(record, count // 5)
        flush()
        sizes.append(f"{memory_mb('VmRSS'):.0f}")
    told = f"{', '.join(sizes)} MB; peak {memory_mb('VmHWM'):.0f} MB"
    show(f"memory after each {count // 5:,} of {count:,} events: {told}")


def memory_mb(kind: str) -> float:
    """What the process has in memory, VmRSS, or had at most, VmHWM, in MB; getrusage would tell its parent's peak."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(kind)) / 1024


if __name__ == "__main__":
    main(*(int(argument.replace(",", "")) for argument in sys.argv[1:]))
