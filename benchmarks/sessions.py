"""The benchmark of kshark sessions, 1,000,000 events, beside kcat and jq: `python -m benchmarks.sessions [EVENTS]`."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from agentlog.event.partitioner import PARTITIONERS
from agentlog.log.writer import OutgoingRecord, write_records
from agentlog.settings.clusters import Cluster
from devkafka import KafkaCluster, create_topic

from .measure import Figure, print_line, run_in_turn, run_once
from .replay import KSHARK

PARTITIONS = 6
PARALLEL_SESSIONS = 30
ROUNDS = 3
START_TIME = datetime(2026, 1, 15, tzinfo=UTC)
STEPS = (
    '"event_type":"llm_call","payload":{"model":"claude-sonnet-4-5","input_tokens":2310,"output_tokens":184,'
    '"cost_usd":0.00969,"latency_ms":1240,"output":"',
    '"event_type":"decision","payload":{"action":"read the next account","alternatives":["stop here"],"note":"',
    '"event_type":"tool_call","payload":{"tool":"ledger.read","latency_ms":210,"output":"',
    '"event_type":"tool_call","payload":{"tool":"ledger.write","latency_ms":90,"output":"',
    '"event_type":"tool_call","payload":{"tool":"ledger.read","latency_ms":95,"error":"rate_limit","output":"',
)
START = '"event_type":"session_start","payload":{"goal":"reconcile the ledger","request":"'
END = '"event_type":"session_end","payload":{"status":"succeeded","result":"'
EVENT_BYTES = 570
JQ_PROGRAM = """
reduce inputs as $e ({}; .[$e.session_id] |= (
  .started = ([.started // $e.timestamp, $e.timestamp] | min) | .ended = ([.ended // "", $e.timestamp] | max)
  | .agents[$e.agent_id] = 1 | .events += 1
  | if $e.event_type == "tool_call" then .tool_calls += 1 | .tools[$e.payload.tool] += 1
    elif $e.event_type == "llm_call" then .llm_calls += 1
    elif $e.event_type == "session_end" then .status = $e.payload.status else . end
  | if $e.payload.error then .errors += 1 else . end | .cost_usd += $e.payload.cost_usd
  | .input_tokens += $e.payload.input_tokens | .output_tokens += $e.payload.output_tokens
)) | to_entries[]
"""


def make_event(number: int, session: str, step: int, last: int) -> bytes:
    """Make an event of 570 bytes: the session's first, its last, or one between."""
    timestamp = START_TIME + timedelta(milliseconds=number * 20)
    body = START if step == 0 else END if step == last else STEPS[step % len(STEPS)]
    parent = f'"parent_event_id":"evt_{number - PARALLEL_SESSIONS:09}",' if step else ""
    head = (
        f'{{"event_id":"evt_{number:09}","session_id":"{session}","agent_id":"reconciler-v{session[-1]}",'
        f'"timestamp":"{timestamp:%Y-%m-%dT%H:%M:%S}.{timestamp.microsecond // 1000:03}Z",{body}'
    )
    tail = f'"}},"context":{{{parent}"reasoning":"the next account is due","confidence":0.9}}}}'
    note = f"step {step} of the nightly reconciliation, account {number % 977}, " * 9
    return (head + note[: EVENT_BYTES - len(head) - len(tail)] + tail).encode()


def make_records(count: int, length: int) -> Iterator[OutgoingRecord]:
    """Yield sessions of ``length`` events, thirty at a time."""
    for number in range(count):
        session = f"sess_{number // (PARALLEL_SESSIONS * length) * PARALLEL_SESSIONS + number % PARALLEL_SESSIONS:08}"
        key, step = session.encode(), number // PARALLEL_SESSIONS % length
        timestamp = int(START_TIME.timestamp() * 1000) + number * 20
        value = make_event(number, session, step, length - 1)
        yield OutgoingRecord(PARTITIONERS["murmur2"](key, PARTITIONS), key, value, timestamp, ())


def load_topic(bootstrap: str, topic: str, count: int, length: int) -> None:
    """Write all events into the topic."""
    properties = {"bootstrap.servers": bootstrap, "compression.type": "lz4"}
    origins = dict.fromkeys(properties, "the benchmark")
    write_records(Cluster("benchmark", properties, origins, frozenset()), topic, make_records(count, length))


def create_loaded_topic(bootstrap: str, count: int, length: int) -> str:
    """Create a topic with ``count`` events in sessions of ``length``, and return its name."""
    topic = create_topic(bootstrap, partitions=PARTITIONS)
    # Load in another process, because a measured child begins with its parent's peak of memory.
    loader = get_context("spawn").Process(target=load_topic, args=(bootstrap, topic, count, length))
    loader.start()
    loader.join()
    return topic


def main(count: int = 1_000_000) -> None:
    """Load the topics, then measure."""
    for peer in ("kcat", "jq"):
        if shutil.which(peer) is None:
            raise SystemExit(f"the peer is kcat with jq: apt-get install {peer}")
    with KafkaCluster("benchmark") as kafka, tempfile.TemporaryDirectory() as folder:
        print_line(f"{count:,} events of {EVENT_BYTES} bytes, {PARTITIONS} partitions, lz4")
        long, short = (create_loaded_topic(kafka.bootstrap, count, length) for length in (100, 10))
        measure_sessions(kafka.bootstrap, long, short, count, Path(folder))


def measure_sessions(bootstrap: str, long: str, short: str, count: int, folder: Path) -> None:
    """Measure each command several times, in turn. The peer runs once, on a sample, because it is slow."""
    cold_kshark = f"XDG_CACHE_HOME=$(mktemp -d -p {folder}) {KSHARK}"
    warm_kshark = f"XDG_CACHE_HOME={folder} {KSHARK}"
    sessions = f"sessions --cluster {bootstrap} --topic {long} --format text"
    replay = f"replay sess_00000017 --cluster {bootstrap} --topic {long} --format text"
    many_sessions = f"sessions --cluster {bootstrap} --topic {short} --format text"
    program = folder / "sums.jq"
    program.write_text(JQ_PROGRAM)
    sample_size = count // 10
    jq = f"kcat -b {bootstrap} -C -t {long} -o beginning -c {sample_size} -q -f '%s\\n' | jq -n -c -f {program}"
    print_line(_format_row(Figure(f"kcat | jq, {sample_size:,} of the events", [run_once(jq)]), sample_size))
    commands = {
        f"first, {count // 100:,} sessions": f"{cold_kshark} {sessions}",
        f"--no-catalog, {count // 100:,} sessions": f"{warm_kshark} {sessions} --no-catalog",
        "again, nothing new": f"{warm_kshark} {sessions}",
        "a known session's replay": f"{warm_kshark} {replay}",
        f"first, {count // 10:,} sessions": f"{cold_kshark} {many_sessions}",
        f"again, {count // 10:,} sessions": f"{warm_kshark} {many_sessions}",
    }
    for name, figure in run_in_turn(commands, ROUNDS).items():
        print_line(_format_row(figure, count if name.startswith(("first", "--no-catalog")) else None))


def _format_row(figure: Figure, records: int | None) -> str:
    """Format a row; with ``records``, it also states the events a second."""
    return figure.format_line() + (f"  {records / figure.wall_s:9,.0f} events/s" if records else "")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
