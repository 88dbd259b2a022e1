"""The benchmark of kshark replay, 3,000,000 events, beside kcat and grep: `python -m benchmarks.replay [EVENTS]`."""

import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

from agentlog.event.partitioner import PARTITIONERS
from agentlog.log.writer import OutgoingRecord, write_records
from agentlog.settings.clusters import Cluster
from devkafka import KafkaCluster, create_topic

from .measure import print_line, run_in_turn
from .texts import make_text

PARTITIONS = 20
START_TIME = datetime(2026, 1, 15, tzinfo=UTC)
SESSION_EVENTS = 1_000
LARGE_EVENTS = 100_000
LARGE_SESSION, SMALL_SESSION = "sess_large", "sess_00000017"
KSHARK = f"{sys.executable} -m kshark"


def make_event(number: int, session: str) -> bytes:
    """Make an event of about 570 bytes."""
    timestamp = START_TIME + timedelta(milliseconds=number * 20)
    note = make_text(number, 240)
    return (
        f'{{"event_id":"evt_{number:09}","session_id":"{session}","agent_id":"reconciler-v{number % 7}",'
        f'"timestamp":"{timestamp:%Y-%m-%dT%H:%M:%S}.{timestamp.microsecond // 1000:03}Z","event_type":"tool_call",'
        f'"payload":{{"tool":"ledger.read","input":{{"account":{number % 977},"note":"{note}"}},'
        f'"output":{{"rows":{number % 41}}},"latency_ms":{number % 900}}},'
        f'"context":{{"reasoning":"next account","confidence":0.9}}}}'
    ).encode()


def make_records(count: int) -> Iterator[OutgoingRecord]:
    """Yield sessions of 1,000 events, thirty at a time, and a large one from start to end."""
    every = max(count // LARGE_EVENTS, 2)
    for number in range(count):
        session_number = number // (30 * SESSION_EVENTS) * 30 + number % 30
        session = LARGE_SESSION if number % every == 1 else f"sess_{session_number:08}"
        key = session.encode()
        timestamp = int(START_TIME.timestamp() * 1000) + number * 20
        yield OutgoingRecord(PARTITIONERS["murmur2"](key, PARTITIONS), key, make_event(number, session), timestamp, ())


def main(count: int = 3_000_000) -> None:
    """Load the topic, then measure."""
    if shutil.which("kcat") is None:
        raise SystemExit("the peer is kcat: apt-get install kcat")
    with KafkaCluster("benchmark") as kafka:
        create_topic(kafka.bootstrap, "agent-events", partitions=PARTITIONS)
        size = len(make_event(count, SMALL_SESSION))
        print_line(f"writing {count:,} events of {size} bytes into {PARTITIONS} partitions, lz4")
        # Load in another process, because a measured child begins with its parent's peak of memory.
        loader = get_context("spawn").Process(target=load_topic, args=(kafka.bootstrap, count))
        loader.start()
        loader.join()
        measure_replay(kafka.bootstrap, count)


def load_topic(bootstrap: str, count: int) -> None:
    """Write all events into the topic."""
    properties = {"bootstrap.servers": bootstrap, "compression.type": "lz4"}
    origins = dict.fromkeys(properties, "the benchmark")
    write_records(Cluster("benchmark", properties, origins, frozenset()), "agent-events", make_records(count))


def measure_replay(bootstrap: str, count: int) -> None:
    """Measure each command five times, in turn."""
    last = START_TIME + timedelta(milliseconds=count * 20)
    near_end = f"{last - timedelta(seconds=30):%Y-%m-%dT%H:%M:%SZ}"
    final = f"sess_{(count - 1) // (30 * SESSION_EVENTS) * 30 + 2:08}"
    replay = f"{KSHARK} replay {{}} --cluster {bootstrap} --format {{}}"
    commands = {
        "python -c pass": f"{sys.executable} -c pass",
        "kshark --help": f"{KSHARK} --help",
        "one session": replay.format(SMALL_SESSION, "ndjson"),
        "one session, --all-partitions": replay.format(SMALL_SESSION, "ndjson") + " --all-partitions",
        "one session, --from near the end": replay.format(final, "text") + f" --from {near_end}",
        f"a session of {LARGE_EVENTS:,} events, text": replay.format(LARGE_SESSION, "text"),
        f"a session of {LARGE_EVENTS:,} events, ndjson": replay.format(LARGE_SESSION, "ndjson"),
        f"why, of {LARGE_EVENTS:,} events": f"{KSHARK} why {LARGE_SESSION} --cluster {bootstrap} --format text",
        f"memory, of {LARGE_EVENTS:,} events": f"{KSHARK} memory {LARGE_SESSION} --cluster {bootstrap} --format text",
    }
    kcat = f"kcat -b {bootstrap} -C -t agent-events -o beginning -e -q -f '%k\\t%s\\n' | grep -aF {SMALL_SESSION}"
    figures = run_in_turn({"kcat | grep": kcat, **commands}, times=5)
    peers = {"kshark --help": "python -c pass", "python -c pass": None, "kcat | grep": None}
    for name, figure in figures.items():
        peer = peers.get(name, "kcat | grep")
        print_line(figure.format_line(figures[peer] if peer else None))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
