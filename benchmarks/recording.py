"""The benchmark of AgentTracer beside its peers: `python -m benchmarks.recording [EVENTS]`.

The peers are `orjson.dumps` + `Producer.produce`, with the same compression, and OpenTelemetry. They get the same
values in the same run. A large event has 1 KB of input and 1 KB of output, a small one has 0.4 KB in all. The broker
counts the events that arrived. It gets faster for minutes after its start, so it is warmed up first.
"""

import contextlib
import logging
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

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


class Work(NamedTuple):
    """What each event records: the input and the output of a tool."""

    tool_input: dict[str, Any]
    tool_output: dict[str, Any]

    @property
    def event(self) -> dict[str, Any]:
        """The event as the bare peer writes it."""
        call = {"tool": "stripe.create_invoice", "input": self.tool_input, "output": self.tool_output}
        return {
            "event_id": "evt_9x7k2m",
            "session_id": "sess_a1b2c3",
            "agent_id": "invoice-generator-v2",
            "timestamp": "2026-01-15T14:23:11.847Z",
            "event_type": "tool_call",
            "payload": {**call, "latency_ms": 1240},
            "context": {"parent_event_id": "evt_8k3j1n", "reasoning": REASONING},
        }

    @property
    def size(self) -> int:
        """The size of the event in bytes."""
        return len(orjson.dumps(self.event))


LARGE = Work(
    {"customer_id": "cus_xyz", "lines": [ROW] * 15},
    {"invoice_id": "inv_abc", "rows": [{"id": 7, "state": "open", "note": "created by the service"}] * 16},
)
SMALL = Work({"customer_id": "cus_xyz", "sku": "sku_10412", "n": 4500}, {"invoice_id": "inv_abc", "state": "open"})
ROUNDS, TURNS = 25, 5
WARM_UP_S = 180.0
"""How long the broker is warmed up, in seconds."""
PRODUCER_PROPERTIES = {"enable.idempotence": True, "acks": "all", "linger.ms": 5, "compression.type": "lz4"}

RecordFunction = Callable[[], None]
RecorderFactory = Callable[[str, str, Work], tuple[RecordFunction, Callable[[], object]]]


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
        benchmark_further_tracers(kafka.bootstrap)
        warm_up(kafka.bootstrap)
        for work in (SMALL, LARGE):
            for threads in (1, 4):
                benchmark_delivery(kafka.bootstrap, work, threads, count)
        memory_process = multiprocessing.get_context("spawn").Process(
            target=benchmark_memory, args=(kafka.bootstrap, 1_000_000)
        )
        memory_process.start()
        memory_process.join()


def make_bare_recorder(bootstrap: str, topic: str, work: Work) -> tuple[RecordFunction, Callable[[], object]]:
    """Make the bare peer: `orjson.dumps` and `produce`, without any guarantee."""
    producer, event = Producer({"bootstrap.servers": bootstrap, **PRODUCER_PROPERTIES}), work.event

    def record() -> None:
        while True:
            try:
                producer.produce(topic, orjson.dumps(event), "sess_a1b2c3")
            except BufferError:
                producer.poll(0.01)
            else:
                producer.poll(0)
                return

    return record, producer.flush


def make_traced_recorder(bootstrap: str, topic: str, work: Work) -> tuple[RecordFunction, Callable[[], object]]:
    """Make the recorder that uses AgentTracer."""
    tracer, (tool_input, tool_output) = (
        AgentTracer(agent_id=work.event["agent_id"], cluster=bootstrap, topic=topic),
        work,
    )

    def record() -> None:
        tracer.track_tool_call("stripe.create_invoice", tool_input, lambda: tool_output, reasoning=REASONING)

    return record, lambda: tracer.flush(600)


def make_span_recorder() -> tuple[RecordFunction, Callable[[], object]]:
    """Make the peer that uses OpenTelemetry."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(DiscardingExporter(), max_queue_size=4_096))
    tracer = provider.get_tracer("benchmark")

    def record() -> None:
        with tracer.start_as_current_span("stripe.create_invoice") as span:
            span.set_attribute("input", orjson.dumps(LARGE.tool_input).decode())
            span.set_attribute("output", orjson.dumps(LARGE.tool_output).decode())
            span.set_attribute("reasoning", REASONING)

    return record, provider.force_flush


def benchmark_caller_thread(bootstrap: str, burst: int) -> None:
    """Measure the cost of an event on the caller's thread, in bursts. The first round isn't counted."""
    topic = create_topic(bootstrap, partitions=6)
    os.environ["AGENTLOG_DISABLED"] = "1"
    disabled = make_traced_recorder(bootstrap, topic, LARGE)
    del os.environ["AGENTLOG_DISABLED"]
    kinds = {
        "orjson.dumps + produce": make_bare_recorder(bootstrap, topic, LARGE),
        "AgentTracer": make_traced_recorder(bootstrap, topic, LARGE),
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
    what = f"an event of {LARGE.size:,} bytes, median (and best) of {ROUNDS} bursts of {burst:,}"
    print_line(f"on the caller's thread, {what}")
    for name in kinds:
        print_line(f"  {name:<24} {_format_spread(walls[name])}   CPU {_format_spread(cpus[name])}")


def _format_spread(times: list[float]) -> str:
    return f"{median(times):6.1f} us ({min(times):.1f})"


def benchmark_further_tracers(bootstrap: str) -> None:
    """Measure a further tracer beside one with the same options, with a settings file and without."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "agentlog.toml").write_text(f'[clusters.local]\n"bootstrap.servers" = "{bootstrap}"\n')
        time.sleep(1)  # a file that has just changed isn't remembered
        for name, cluster in (("the settings' cluster", None), ("cluster=", bootstrap)):
            with contextlib.chdir(folder):
                AgentTracer(agent_id="a", cluster=cluster)
                took = []
                for _ in range(ROUNDS):
                    ran = time.thread_time()
                    for _ in range(100):
                        AgentTracer(agent_id="a", cluster=cluster)
                    took.append((time.thread_time() - ran) / 100 * 1e6)
            print_line(f"a further AgentTracer(), {name:<22} CPU {_format_spread(took)}")


def warm_up(bootstrap: str) -> None:
    """Send events for ``WARM_UP_S``, because a broker gets faster for minutes after its start."""
    topic = create_topic(bootstrap, partitions=6, config={"retention.bytes": "100000000"})
    record, flush = make_bare_recorder(bootstrap, topic, LARGE)
    end = time.monotonic() + WARM_UP_S
    while time.monotonic() < end:
        _record_many(record, 10_000)
        flush()


class Rate(NamedTuple):
    """How many events arrived a second, and the CPU of the recording process for an event, in microseconds."""

    events: float
    cpu_us: float


def benchmark_delivery(bootstrap: str, work: Work, threads: int, count: int) -> None:
    """Measure the events a second from the first call to the last acknowledgement, recorded by ``threads``.

    The recorders take turns, each in a process of its own.
    """
    bare, traced = [], []
    for _ in range(TURNS):
        bare.append(_measure_rate(bootstrap, "bare", work, threads, count))
        traced.append(_measure_rate(bootstrap, "traced", work, threads, count))
    shares = [ours.events / theirs.events for ours, theirs in zip(traced, bare, strict=True)]
    print_line(f"events of {work.size:,} bytes, {threads} threads, {count:,} that arrived, in {TURNS} turns, a second")
    for name, rates in (("orjson.dumps + produce", bare), ("AgentTracer", traced)):
        each = ", ".join(f"{rate.events:,.0f}" for rate in rates)
        cpu = median(rate.cpu_us for rate in rates)
        print_line(f"  {name:<24} {median(rate.events for rate in rates):10,.0f}   CPU {cpu:5.1f} us an event   {each}")
    print_line(f"  share {median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})")


def _measure_rate(bootstrap: str, kind: str, work: Work, threads: int, count: int) -> Rate:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.SimpleQueue[Rate] = context.SimpleQueue()
    topic = create_topic(bootstrap, partitions=6)
    process = context.Process(target=_record_rate, args=(bootstrap, topic, kind, work, threads, count, results))
    process.start()
    rate = results.get()
    process.join()
    arrived = count_records(bootstrap, topic)
    if arrived < count:  # a call that took long is announced besides
        raise RuntimeError(f"{arrived:,} events arrived of {count:,}")
    return rate


def _record_rate(  # noqa: PLR0913, PLR0917  the arguments of a process
    bootstrap: str, topic: str, kind: str, work: Work, threads: int, count: int, results: Any
) -> None:
    """Record events in a process of its own, and put the rate into ``results``."""
    make: RecorderFactory = make_bare_recorder if kind == "bare" else make_traced_recorder
    record, flush = make(bootstrap, topic, work)
    recording = [threading.Thread(target=_record_many, args=(record, count // threads)) for _ in range(threads)]
    began, ran = time.perf_counter(), time.process_time()
    for thread in recording:
        thread.start()
    for thread in recording:
        thread.join()
    flush()
    took, cpu = time.perf_counter() - began, time.process_time() - ran
    results.put(Rate(count / took, cpu / count * 1e6))


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
    record, flush = make_traced_recorder(bootstrap, topic, LARGE)
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
