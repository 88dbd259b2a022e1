"""The benchmark of kafmirror beside MirrorMaker 2: copies of a million events, with and without gaps, and latency.

python -m benchmarks.mirror [copy|three|gaps|compacted|latency|all [RECORDS [RUNS]]]
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from devkafka import KafkaCluster, create_topic
from devkafka.client import SILENT_LOGGER

from .measure import print_line

TOPIC, PARTITIONS, TRANSACTION_RECORDS = "agent-events", 6, 50_000
WARM_UP_S = 20
EVENT = '{"event_id":"evt_%010d","session_id":"sess_%06d","agent_id":"invoice-generator-v2","timestamp":"2026-01-15T14:%02d:%02d.847Z","event_type":"tool_call","payload":{"tool":"stripe.create_invoice","input":{"customer_id":"cus_%08x","amount":%d},"output":{"invoice_id":"inv_%08x","status":"draft"},"latency_ms":%d},"context":{"parent_event_id":"evt_%010d","reasoning":"Customer requested an invoice for milestone %d, and the amount is within what the contract allows for it without another approval","model":"claude-sonnet-4-5","confidence":0.94}}'  # noqa: E501
PRODUCER_PROPERTIES = {"compression.type": "lz4", "linger.ms": 20, "enable.idempotence": True}
COMPACTED_TOPIC = {"cleanup.policy": "compact", "segment.bytes": str(1 << 20), "min.cleanable.dirty.ratio": "0.001"}
KAFMIRROR_PROCESSES = {"kafmirror": 1, "three at once": 3}
"""The number of kafmirror processes in each row."""
TUNED_SETTINGS = {
    "src.consumer.max.poll.records": "20000",
    "src.consumer.fetch.min.bytes": "100000",
    "src.consumer.max.partition.fetch.bytes": "4194304",
    "dst.producer.batch.size": "524288",
    "dst.producer.linger.ms": "20",
    "dst.producer.buffer.memory": "134217728",
    "dst.producer.compression.type": "lz4",
}


@dataclass(frozen=True)
class CopyRun:
    """One run: seconds to the first record, records a second after it, seconds of CPU, the largest process in MB."""

    first_s: float
    rate: float
    cpu_s: float
    memory_mb: float


def main() -> None:
    """Run the named part, or all of them."""
    part, records, runs = [*sys.argv[1:], *("all", "1000000", "3")[len(sys.argv) - 1 :]]
    parts: Mapping[str, Callable[[], None]] = {
        "copy": lambda: benchmark_copy(int(records), int(runs)),
        "three": lambda: benchmark_three_mirrors(int(records), int(runs)),
        "gaps": lambda: benchmark_gaps(int(records), int(runs)),
        "compacted": lambda: benchmark_compacted(int(records), int(runs)),
        "latency": benchmark_latency,
    }
    for name in parts if part == "all" else [part]:
        parts[name]()


def benchmark_copy(records: int, runs: int) -> None:
    """Measure a copy of whole batches, which aren't opened."""
    with KafkaCluster("us-east-1") as source:
        create_topic(source.bootstrap, TOPIC, partitions=PARTITIONS)
        fill_topic(source.bootstrap, records)
        print_line(f"{records:,} events, lz4, {PARTITIONS} partitions, {runs} runs each, medians")
        compare_mirrors(source, records, runs, ("kafmirror", "MirrorMaker 2", "MirrorMaker 2, tuned"))


def benchmark_three_mirrors(records: int, runs: int) -> None:
    """Measure three mirrors of one topic beside a single one. The first one writes, the others stand by."""
    with KafkaCluster("us-east-1") as source:
        create_topic(source.bootstrap, TOPIC, partitions=PARTITIONS)
        fill_topic(source.bootstrap, records)
        print_line(f"{records:,} events, lz4, {PARTITIONS} partitions, {runs} runs each, medians")
        compare_mirrors(source, records, runs, ("kafmirror", "three at once"))


def benchmark_gaps(records: int, runs: int) -> None:
    """Measure a topic written in transactions. Each marker is a gap, and batches behind a gap must be opened."""
    with KafkaCluster("us-east-1") as source:
        create_topic(source.bootstrap, TOPIC, partitions=PARTITIONS)
        fill_topic(source.bootstrap, records, in_transactions_of=TRANSACTION_RECORDS)
        transactions = f"in transactions of {TRANSACTION_RECORDS:,}"
        print_line(f"{records:,} events {transactions}, lz4, {PARTITIONS} partitions, {runs} runs each")
        compare_mirrors(source, records, runs, ("kafmirror", "MirrorMaker 2"))


def benchmark_compacted(records: int, runs: int) -> None:
    """Measure a compacted topic in batches of 16 KB, Java's size. Every fourth event replaces an earlier one."""
    broker_properties = {"log.cleaner.backoff.ms": "100", "log.initial.task.delay.ms": "100"}
    with KafkaCluster("us-east-1", properties=broker_properties) as source:
        create_topic(source.bootstrap, TOPIC, partitions=PARTITIONS, config=COMPACTED_TOPIC)
        producer = Producer({"bootstrap.servers": source.bootstrap, **PRODUCER_PROPERTIES, "batch.size": 16 << 10})
        write_events(producer, range(records), key_of=lambda n: n - 2 if n % 4 == 3 else n)
        producer.flush()
        remaining = wait_for_compaction(source.bootstrap, records)
        print_line(
            f"{records:,} events, compacted to {remaining:,}, lz4, {PARTITIONS} partitions, {runs} runs each, medians"
        )
        compare_mirrors(source, remaining, runs, ("kafmirror", "MirrorMaker 2"))


def compare_mirrors(source: KafkaCluster, records: int, runs: int, names: tuple[str, ...]) -> None:
    """Let the mirrors copy the source into new targets, in turn, and print the medians."""
    results: dict[str, list[CopyRun]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            results[name].append(measure_copy(source, name, records))
            print_line(f"  {format_row(name, results[name][-1:])}")
    for name in names:
        print_line(format_row(name, results[name], results["kafmirror"] if name != "kafmirror" else None))


def format_row(name: str, runs: Sequence[CopyRun], kafmirror_runs: Sequence[CopyRun] | None = None) -> str:
    """Format a row; with ``kafmirror_runs``, it also states how much faster and cheaper kafmirror is."""
    rate, cpu = median(each.rate for each in runs), median(each.cpu_s for each in runs)
    first, memory = median(each.first_s for each in runs), max(each.memory_mb for each in runs)
    row = f"{name:<22} {rate:9,.0f} records/s  first {first:5.2f} s  cpu {cpu:6.2f} s  {memory:4.0f} MB"
    if kafmirror_runs is None:
        return row
    faster = median(each.rate for each in kafmirror_runs) / rate
    cheaper = cpu / median(each.cpu_s for each in kafmirror_runs)
    return f"{row}   kafmirror: {faster:.1f} x the records/s, 1/{cheaper:.0f} of the CPU time"


def fill_topic(bootstrap: str, records: int, in_transactions_of: int | None = None) -> None:
    """Write events of about 570 bytes into the topic."""
    transactional = {"transactional.id": "benchmark"} if in_transactions_of else {}
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER_PROPERTIES, **transactional})
    if in_transactions_of:
        producer.init_transactions(60)
    for first in range(0, records, in_transactions_of or records):
        if in_transactions_of:
            producer.begin_transaction()
        write_events(producer, range(first, min(first + (in_transactions_of or records), records)))
        if in_transactions_of:
            producer.commit_transaction(60)
    producer.flush()


def write_events(producer: Producer, numbers: range, key_of: Callable[[int], int] = lambda n: n % 5000) -> None:
    """Give the events to the producer, as fast as it accepts them."""
    for n in numbers:
        value = EVENT % (n, n % 5000, n // 60 % 60, n % 60, n * 7919 % 2**32, n % 10_000, n, n % 3000, n - 1, n % 9)
        while True:
            try:
                producer.produce(TOPIC, value, f"sess_{key_of(n):06}", partition=key_of(n) % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)


def wait_for_compaction(bootstrap: str, written: int) -> int:
    """Wait until compaction is done, and return the number of records left."""
    previous, remaining = written, count_readable(bootstrap)
    while remaining == written or remaining < previous:
        time.sleep(5)
        previous, remaining = remaining, count_readable(bootstrap)
    return remaining


def count_readable(bootstrap: str) -> int:
    """Count the records that a consumer gets."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.partition.eof": True})
    consumer.assign([TopicPartition(TOPIC, n, 0) for n in range(PARTITIONS)])
    count = ended = 0
    while ended < PARTITIONS:
        errors = [each.error() is not None for each in consumer.consume(10_000, 0.05)]
        count, ended = count + errors.count(False), ended + errors.count(True)
    consumer.close()
    return count


def measure_copy(source: KafkaCluster, name: str, records: int) -> CopyRun:
    """Measure one run into a new target."""
    with KafkaCluster("eu-west-1") as target, start_mirror(source, target, name) as (pids, began):
        first_s, first_count = 0.0, 0
        with open_record_counter(target.bootstrap) as count_records:
            while (copied_count := count_records()) < records:
                if copied_count and not first_count:
                    first_s, first_count = time.monotonic() - began, copied_count
                time.sleep(0.01)
        took = time.monotonic() - began - first_s
        return CopyRun(first_s, (records - first_count) / took, *measure_usage(pids))


@contextmanager
def start_mirror(source: KafkaCluster, target: KafkaCluster, name: str) -> Iterator[tuple[list[int], float]]:
    """Run one or several mirrors between two clusters; yield their process ids and the time of their start."""
    began = time.monotonic()
    if count := KAFMIRROR_PROCESSES.get(name):
        endpoints = ["--source", source.bootstrap, "--target", target.bootstrap]
        command = [sys.executable, "-m", "kafmirror", "replicate", *endpoints]
        processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(count)]
        try:
            yield [each.pid for each in processes], began
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
                process.wait()
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder, "mm2.properties")
        settings.write_text(format_mirror_maker_settings(source, target, tuned="tuned" in name))
        mirror_maker = target.start_program("org.apache.kafka.connect.mirror.MirrorMaker", str(settings), heap="1g")
        mirror_maker.launch()
        yield [mirror_maker.pid or 0], began
        mirror_maker.kill()


def format_mirror_maker_settings(source: KafkaCluster, target: KafkaCluster, *, tuned: bool) -> str:
    """Format MirrorMaker's settings. Its own topics have one replica, because each cluster has one broker."""
    internal = ("config.storage", "offset.storage", "status.storage")
    lines = {
        "clusters": "src, dst",
        "src.bootstrap.servers": source.bootstrap,
        "dst.bootstrap.servers": target.bootstrap,
        "src->dst.enabled": "true",
        "src->dst.topics": TOPIC,
        "dst->src.enabled": "false",
        "replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
        "src->dst.consumer.auto.offset.reset": "earliest",
        "replication.factor": "1",
        **{f"{each}.replication.factor": "1" for each in (*internal, "offset-syncs.topic", "checkpoints.topic")},
        "heartbeats.topic.replication.factor": "1",
        **(TUNED_SETTINGS if tuned else {}),
    }
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


@contextmanager
def open_record_counter(bootstrap: str) -> Iterator[Callable[[], int]]:
    """Yield a function that counts the records of the target's topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"}, logger=SILENT_LOGGER)

    def count_records() -> int:
        try:
            if TOPIC not in consumer.list_topics(timeout=5).topics:
                return 0
            return sum(
                consumer.get_watermark_offsets(TopicPartition(TOPIC, n), timeout=5)[1] for n in range(PARTITIONS)
            )
        except KafkaException:
            return 0

    yield count_records
    consumer.close()


def measure_usage(pids: Sequence[int]) -> tuple[float, float]:
    """Return the seconds of CPU of all processes together, and the largest resident set of one of them in MB."""
    ticks, peaks = 0, list[int]()
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
        ticks += int(fields[11]) + int(fields[12])
        peaks += [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
    return ticks / os.sysconf("SC_CLK_TCK"), max(peaks) / 1024


def benchmark_latency(rate: int = 1000, seconds: int = 20) -> None:
    """Measure the time from the producer to a reader of the target, at an even rate, beside a reader of the source."""
    print_line(f"produced to readable at {rate:,} records/s for {seconds} s")
    for name in ("the source itself", "kafmirror", "MirrorMaker 2"):
        with KafkaCluster("us-east-1") as source, KafkaCluster("eu-west-1") as target:
            create_topic(source.bootstrap, TOPIC, partitions=PARTITIONS)
            if name == "the source itself":
                delays_s = measure_delays(source, source, rate, seconds)
            else:
                create_topic(target.bootstrap, TOPIC, partitions=PARTITIONS)
                with start_mirror(source, target, name):
                    delays_s = measure_delays(source, target, rate, seconds)
        cuts = [cut * 1000 for cut in quantiles(delays_s, n=1000)]
        print_line(
            f"{name:<22} median {cuts[499]:5.0f} ms  99th percentile {cuts[989]:5.0f} ms  99.9th {cuts[998]:5.0f} ms"
        )


def measure_delays(source: KafkaCluster, target: KafkaCluster, rate: int, seconds: int) -> list[float]:
    """Return the delay of each record from its producer to a reader of ``target``, without those of the warm-up."""
    consumer_properties = {"fetch.queue.backoff.ms": 1, "fetch.error.backoff.ms": 1, "fetch.wait.max.ms": 10}
    consumer = Consumer({"bootstrap.servers": target.bootstrap, "group.id": "unused", **consumer_properties})
    consumer.assign([TopicPartition(TOPIC, n, 0) for n in range(PARTITIONS)])
    writer = get_context("spawn").Process(target=write_evenly, args=(source.bootstrap, rate, WARM_UP_S + seconds))
    writer.start()
    delays_s: list[float] = []
    while len(delays_s) < rate * (WARM_UP_S + seconds):
        delays_s += [time.time() - float(each.value() or 0) for each in consumer.consume(1000, 0.005)]
    writer.join()
    consumer.close()
    return delays_s[rate * WARM_UP_S :]


def write_evenly(bootstrap: str, rate: int, seconds: int) -> None:
    """Write ``rate`` records a second; each holds the time at which it was produced."""
    producer = Producer({"bootstrap.servers": bootstrap})
    began = time.time()
    for number in range(rate * seconds):
        while (early := began + number / rate - time.time()) > 0:
            time.sleep(max(early, 0.002))
            producer.poll(0)
        producer.produce(TOPIC, str(time.time()), partition=number % PARTITIONS)
    producer.flush()


if __name__ == "__main__":
    main()
