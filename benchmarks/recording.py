"""The benchmark of AgentTracer beside its peers: `python -m benchmarks.recording [EVENTS]`.

The peers are `orjson.dumps` + `Producer.produce`, and OpenTelemetry. They get the same values in the same run. Each
event has 1 KB of input and 1 KB of output. The broker counts the events that arrived.
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

from .measure import print_line

REASONING = "Customer requested invoice for milestone 2"
ROW = {"sku": "sku_10412", "text": "milestone two of the project", "n": 4500}
TOOL_INPUT = {"customer_id": "cus_xyz", "lines": [ROW] * 15}
TOOL_OUTPUT = {"invoice_id": "inv_abc", "rows": [{"id": 7, "state": "open", "note": "created by the service"}] * 16}
EVENT = {
    "event_id": "evt_9x7k2m",
    "session_id": "sess_a1b2c3",
    "agent_id": "invoice-generator-v2",
    "timestamp": "2026-01-15T14:23:11.847Z",
    "event_type": "tool_call",
    "payload": {"tool": "stripe.create_invoice", "input": TOOL_INPUT, "output": TOOL_OUTPUT, "latency_ms": 1240},
    "context": {"parent_event_id": "evt_8k3j1n", "reasoning": REASONING},
}
ROUNDS, TURNS, THREADS = 25, 5, 4
PRODUCER_PROPERTIES = {"enable.idempotence": True, "acks": "all", "linger.ms": 5, "compression.type": "lz4"}

RecordFunction = Callable[[], None]
RecorderFactory = Callable[[str, str], tuple[RecordFunction, Callable[[], object]]]


class DiscardingExporter(SpanExporter):
    """An exporter that serialises each span, as every sending exporter must."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Serialise the spans, and discard them."""
        for span in spans:
            span.to_json()
        return SpanExportResult.SUCCESS


def main(count: int = 200_000) -> None:
    """Run all parts."""
    logging.basicConfig(level=logging.ERROR)
    with KafkaCluster("benchmark") as kafka:
        for burst in (100, 2_000):
            benchmark_caller_thread(kafka.bootstrap, burst)
        benchmark_delivery(kafka.bootstrap, count)
        memory_process = multiprocessing.get_context("spawn").Process(
            target=benchmark_memory, args=(kafka.bootstrap, 1_000_000)
        )
        memory_process.start()
        memory_process.join()


def make_bare_recorder(bootstrap: str, topic: str) -> tuple[RecordFunction, Callable[[], object]]:
    """Make the bare peer: `orjson.dumps` and `produce`, without any guarantee."""
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER_PROPERTIES})

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


def make_traced_recorder(bootstrap: str, topic: str) -> tuple[RecordFunction, Callable[[], object]]:
    """Make the recorder that uses AgentTracer."""
    tracer = AgentTracer(agent_id="invoice-generator-v2", cluster=bootstrap, topic=topic)

    def record() -> None:
        tracer.track_tool_call("stripe.create_invoice", TOOL_INPUT, lambda: TOOL_OUTPUT, reasoning=REASONING)

    return record, lambda: tracer.flush(600)


def make_span_recorder() -> tuple[RecordFunction, Callable[[], object]]:
    """Make the peer that uses OpenTelemetry."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(DiscardingExporter(), max_queue_size=4_096))
    tracer = provider.get_tracer("benchmark")

    def record() -> None:
        with tracer.start_as_current_span("stripe.create_invoice") as span:
            span.set_attribute("input", orjson.dumps(TOOL_INPUT).decode())
            span.set_attribute("output", orjson.dumps(TOOL_OUTPUT).decode())
            span.set_attribute("reasoning", REASONING)

    return record, provider.force_flush


def benchmark_caller_thread(bootstrap: str, burst: int) -> None:
    """Measure the cost of an event on the caller's thread, in bursts. The first round isn't counted."""
    topic = create_topic(bootstrap, partitions=6)
    os.environ["AGENTLOG_DISABLED"] = "1"
    disabled = make_traced_recorder(bootstrap, topic)
    del os.environ["AGENTLOG_DISABLED"]
    kinds = {
        "orjson.dumps + produce": make_bare_recorder(bootstrap, topic),
        "AgentTracer": make_traced_recorder(bootstrap, topic),
        "OpenTelemetry span": make_span_recorder(),
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
    print_line(f"on the caller's thread, an event of {size:,} bytes, median (and best) of {ROUNDS} bursts of {burst:,}")
    for name in kinds:
        print_line(f"  {name:<24} {_format_spread(walls[name])}   CPU {_format_spread(cpus[name])}")


def _format_spread(times: list[float]) -> str:
    return f"{median(times):6.1f} us ({min(times):.1f})"


def benchmark_delivery(bootstrap: str, count: int) -> None:
    """Measure the events a second from the first call to the last acknowledgement, recorded by several threads.

    The recorders take turns, because a broker gets faster for minutes after its start.
    """
    kinds = {"orjson.dumps + produce": make_bare_recorder, "AgentTracer": make_traced_recorder}
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(TURNS):
        for name, make in kinds.items():
            rates[name].append(_measure_rate(bootstrap, make, count))
    print_line(f"{THREADS} threads, {count:,} events that arrived, in {TURNS} turns, a second")
    for name, measured in rates.items():
        print_line(f"  {name:<24} {median(measured):10,.0f}   {', '.join(f'{rate:,.0f}' for rate in measured)}")


def _measure_rate(bootstrap: str, make: RecorderFactory, count: int) -> float:
    topic = create_topic(bootstrap, partitions=6)
    record, flush = make(bootstrap, topic)
    threads = [threading.Thread(target=_record_many, args=(record, count // THREADS)) for _ in range(THREADS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flush()
    took = time.perf_counter() - began
    arrived = count_records(bootstrap, topic)
    if arrived != count:
        raise RuntimeError(f"{arrived:,} events arrived of {count:,}")
    return count / took


def _record_many(record: RecordFunction, count: int) -> None:
    for _ in range(count):
        record()


def count_records(bootstrap: str, topic: str) -> int:
    """Count the records of the topic."""
    with KafkaReader(Settings({}, None).get_cluster(bootstrap)) as reader:
        bounds = reader.fetch_bounds(topic, range(reader.partition_count(topic)))
    return sum(high - low for low, high in bounds.values())


def benchmark_memory(bootstrap: str, count: int) -> None:
    """Measure the resident memory of a process that records a million events."""
    topic = create_topic(bootstrap, partitions=6, config={"retention.bytes": "100000000"})
    record, flush = make_traced_recorder(bootstrap, topic)
    sizes = []
    for _ in range(5):
        _record_many(record, count // 5)
        flush()
        sizes.append(f"{read_memory_mb('VmRSS'):.0f}")
    sizes_text = f"{', '.join(sizes)} MB; peak {read_memory_mb('VmHWM'):.0f} MB"
    print_line(f"memory after each {count // 5:,} of {count:,} events: {sizes_text}")


def read_memory_mb(kind: str) -> float:
    """Return the memory of this process in MB: VmRSS is its current size, VmHWM its peak.

    getrusage would return the peak of its parent.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(kind)) / 1024


if __name__ == "__main__":
    main(*(int(argument.replace(",", "")) for argument in sys.argv[1:]))
