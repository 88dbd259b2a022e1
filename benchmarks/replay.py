"""kshark replay over 3,000,000 events, beside kcat and grep: `python -m benchmarks.replay [EVENTS]`."""

import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

from agentlog.event.partitioner import PARTITIONERS
from agentlog.log.writer import Outgoing, write
from agentlog.settings.clusters import Cluster
from devkafka import KafkaCluster, create_topic

from .measure import in_turn, show

PARTITIONS = 20
BEGAN = datetime(2026, 1, 15, tzinfo=UTC)
SESSION_EVENTS = 1_000
LARGE_EVENTS = 100_000
LARGE, WANTED = "sess_large", "sess_00000017"
KSHARK = f"{sys.executable} -m kshark"


def event(number: int, session: str) -> bytes:
    """An event of about 570 bytes."""
    at = BEGAN + timedelta(milliseconds=number * 20)
    note = f"step {number} of the nightly reconciliation, account {number % 977}, " * 4
    return (
        f'{{"event_id":"evt_{number:09}","session_id":"{session}","agent_id":"reconciler-v{number % 7}",'
        f'"timestamp":"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z","event_type":"tool_call",'
        f'"payload":{{"tool":"ledger.read","input":{{"account":{number % 977},"note":"{note}"}},'
        f'"output":{{"rows":{number % 41}}},"latency_ms":{number % 900}}},'
        f'"context":{{"reasoning":"next account","confidence":0.9}}}}'
    ).encode()


def records(count: int) -> Iterator[Outgoing]:
    """Sessions of 1,000 events, thirty of them at a time, and a large one all along."""
    every = max(count // LARGE_EVENTS, 2)
    for number in range(count):
        small = number // (30 * SESSION_EVENTS) * 30 + number % 30
        session = LARGE if number % every == 1 else f"sess_{small:08}"
        key = session.encode()
        timestamp = int(BEGAN.timestamp() * 1000) + number * 20
        yield Outgoing(PARTITIONERS["murmur2"](key, PARTITIONS), key, event(number, session), timestamp, ())


def main(count: int = 3_000_000) -> None:
    """Load the topic, then measure."""
    if shutil.which("kcat") is None:
        raise SystemExit("the peer is kcat: apt-get install kcat")
    with KafkaCluster("benchmark") as kafka:
        create_topic(kafka.bootstrap, "agent-events", partitions=PARTITIONS)
        show(f"writing {count:,} events of {len(event(count, WANTED))} bytes into {PARTITIONS} partitions, lz4")
        # In a process of its own: a child begins with its parent's memory in the kernel's books.
        writing = get_context("spawn").Process(target=load, args=(kafka.bootstrap, count))
        writing.start()
        writing.join()
        measure(kafka.bootstrap, count)


def load(bootstrap: str, count: int) -> None:
    """Write all events into the topic."""
    properties = {"bootstrap.servers": bootstrap, "compression.type": "lz4"}
    origins = dict.fromkeys(properties, "the benchmark")
    write(Cluster("benchmark", properties, origins, frozenset()), "agent-events", records(count))


def measure(bootstrap: str, count: int) -> None:
    """Each command five times, in turn."""
    last = BEGAN + timedelta(milliseconds=count * 20)
    near_end = f"{last - timedelta(seconds=30):%Y-%m-%dT%H:%M:%SZ}"
    final = f"sess_{(count - 1) // (30 * SESSION_EVENTS) * 30 + 2:08}"
    replay = f"{KSHARK} replay {{}} --cluster {bootstrap} --format {{}}"
    commands = {
        "python -c pass": f"{sys.executable} -c pass",
        "kshark --help": f"{KSHARK} --help",
        "one session": replay.format(WANTED, "ndjson"),
        "one session, --all-partitions": replay.format(WANTED, "ndjson") + " --all-partitions",
        "one session, --from near the end": replay.format(final, "text") + f" --from {near_end}",
        f"a session of {LARGE_EVENTS:,} events, text": replay.format(LARGE, "text"),
        f"a session of {LARGE_EVENTS:,} events, ndjson": replay.format(LARGE, "ndjson"),
        f"why, of {LARGE_EVENTS:,} events": f"{KSHARK} why {LARGE} --cluster {bootstrap} --format text",
        f"memory, of {LARGE_EVENTS:,} events": f"{KSHARK} memory {LARGE} --cluster {bootstrap} --format text",
    }
    kcat = f"kcat -b {bootstrap} -C -t agent-events -o beginning -e -q -f '%k\\t%s\\n' | grep -aF {WANTED}"
    figures = in_turn({"kcat | grep": kcat, **commands}, times=5)
    peers = {"kshark --help": "python -c pass", "python -c pass": None, "kcat | grep": None}
    for name, figure in figures.items():
        peer = peers.get(name, "kcat | grep")
        show(figure.line(figures[peer] if peer else None))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
