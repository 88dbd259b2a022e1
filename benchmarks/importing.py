"""The benchmark of kshark import, 1,000,000 events, beside kcat -P: `python -m benchmarks.importing [EVENTS]`."""

import shutil
import sys
import tempfile
from pathlib import Path

from agentlog.capture_format.capture import write_line
from agentlog.event.event import Place
from devkafka import KafkaCluster, create_topic

from .measure import Figure, Run, print_line, run_once
from .replay import KSHARK, make_event

PARTITIONS = 6
ROUNDS = 3


def write_capture_file(path: Path, count: int) -> None:
    """Write events of about 570 bytes in sessions of 1,000, with their places, as `kshark export` writes them."""
    with path.open("wb") as file:
        for number in range(count):
            session = f"sess_{number // 30_000 * 30 + number % 30:08}"
            place = Place("agent-events", number % PARTITIONS, number, 1_768_435_200_000 + number * 20)
            file.write(write_line(make_event(number, session), place))


def write_keyed_file(path: Path, count: int) -> None:
    """Write the same events in kcat's form: the key, a tab, the value."""
    with path.open("wb") as file:
        for number in range(count):
            session = f"sess_{number // 30_000 * 30 + number % 30:08}"
            file.write(session.encode() + b"\t" + make_event(number, session) + b"\n")


def main(count: int = 1_000_000) -> None:
    """Write the files, then import them into new topics in turn."""
    if shutil.which("kcat") is None:
        raise SystemExit("the peer is kcat: apt-get install kcat")
    with tempfile.TemporaryDirectory() as folder, KafkaCluster("benchmark") as kafka:
        capture, keyed = Path(folder, "run.ndjson"), Path(folder, "run.keyed")
        write_capture_file(capture, count)
        write_keyed_file(keyed, count)
        size = capture.stat().st_size // count
        print_line(f"importing {count:,} events, {size} bytes a line, into {PARTITIONS} partitions, lz4")
        measure_import(kafka.bootstrap, capture, keyed)


def measure_import(bootstrap: str, capture: Path, keyed: Path) -> None:
    """Measure each peer several times, in turn, each time with a new topic."""
    kcat = "kcat -P -b {} -t {} -K '\\t' -l -X partitioner=murmur2_random -X compression.type=lz4 -X linger.ms=20 "
    runs: dict[str, list[Run]] = {"kcat -P": [], "kshark import": [], "kshark import, all there": []}
    for _ in range(ROUNDS):
        topic, other = (create_topic(bootstrap, partitions=PARTITIONS) for _ in range(2))
        import_command = f"{KSHARK} import {capture} --cluster {bootstrap} --topic {other}"
        runs["kcat -P"].append(run_once(kcat.format(bootstrap, topic) + str(keyed)))
        runs["kshark import"].append(run_once(import_command))
        runs["kshark import, all there"].append(run_once(import_command))
    peer = Figure("kcat -P", runs["kcat -P"])
    for name, command_runs in runs.items():
        print_line(Figure(name, command_runs).format_line(None if name == peer.name else peer))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
