"""kshark sessions over 1,000,000 events, beside kcat and jq: `python -m benchmarks.sessions [EVENTS]`."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from agentlog.event.partitioner import PARTITIONERS
from agentlog.log.writer import Outgoing, write
from agentlog.settings.clusters import Cluster
from devkafka import KafkaCluster, create_topic

from .measure import Figure, in_turn, once, show
from .replay import KSHARK

PARTITIONS = 6
AT_ONCE = 30
TIMES = 3
BEGAN = datetime(2026, 1, 15, tzinfo=UTC)
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
SIZE = 570
SUMS = """
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


def event(number: int, session: str, step: int, last: int) -> bytes:
    """An event of 570 bytes, the session's first, last, or one of those between."""
    at = BEGAN + timedelta(milliseconds=number * 20)
    told = START if step == 0 else END if step == last else STEPS[step % len(STEPS)]
    parent = f'"parent_event_id":"evt_{number - AT_ONCE:09}",' if step else ""
    head = (
        f'{{"event_id":"evt_{number:09}","session_id":"{session}","agent_id":"reconciler-v{session[-1]}",'
        f'"timestamp":"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",{told}'
    )
    tail = f'"}},"context":{{{parent}"reasoning":"the next account is due","confidence":0.9}}}}'
    note = f"step {step} of the nightly reconciliation, account {number % 977}, " * 9
    return (head + note[: SIZE - len(head) - len(tail)] + tail).encode()


def records(count: int, length: int) -> Iterator[Outgoing]:
    """Sessions of ``length`` events, thirty of them at a time."""
    for number in range(count):
        session = f"sess_{number // (AT_ONCE * length) * AT_ONCE + number % AT_ONCE:08}"
        key, step = session.encode(), number // AT_ONCE % length
        timestamp = int(BEGAN.timestamp() * 1000) + number * 20
        value = event(number, session, step, length - 1)
        yield Outgoing(PARTITIONERS["murmur2"](key, PARTITIONS), key, value, timestamp, ())


def load(bootstrap: str, topic: str, count: int, length: int) -> None:
    """Write all events into the topic."""
    properties = {"bootstrap.servers": bootstrap, "compression.type": "lz4"}
    origins = dict.fromkeys(properties, "the benchmark")
    write(Cluster("benchmark", properties, origins, frozenset()), topic, records(count, length))


def loaded(bootstrap: str, count: int, length: int) -> str:
    """A topic of so many events in sessions of ``length``."""
    topic = create_topic(bootstrap, partitions=PARTITIONS)
    # In a process of its own: a child begins with its parent's memory in the kernel's books.
    writing = get_context("spawn").Process(target=load, args=(bootstrap, topic, count, length))
    writing.start()
    writing.join()
    return topic


def main(count: int = 1_000_000) -> None:
    """Load the topics, then measure."""
    for peer in ("kcat", "jq"):
        if shutil.which(peer) is None:
            raise SystemExit(f"the peer is kcat with jq: apt-get install {peer}")
    with KafkaCluster("benchmark") as kafka, tempfile.TemporaryDirectory() as folder:
        show(f"{count:,} events of {SIZE} bytes, {PARTITIONS} partitions, lz4")
        long, short = (loaded(kafka.bootstrap, count, length) for length in (100, 10))
        measure(kafka.bootstrap, long, short, count, Path(folder))


def measure(bootstrap: str, long: str, short: str, count: int, folder: Path) -> None:
    """Each command several times, in turn, but for the peer: for all events it takes longer than all of them."""
    new = f"XDG_CACHE_HOME=$(mktemp -d -p {folder}) {KSHARK}"
    known = f"XDG_CACHE_HOME={folder} {KSHARK}"
    sessions = f"sessions --cluster {bootstrap} --topic {long} --format text"
    many = f"sessions --cluster {bootstrap} --topic {short} --format text"
    program = folder / "sums.jq"
    program.write_text(SUMS)
    some = count // 10
    jq = f"kcat -b {bootstrap} -C -t {long} -o beginning -c {some} -q -f '%s\\n' | jq -n -c -f {program}"
    show(_row(Figure(f"kcat | jq, {some:,} of the events", [once(jq)]), some))
    commands = {
        f"first, {count // 100:,} sessions": f"{new} {sessions}",
        f"--no-catalog, {count // 100:,} sessions": f"{known} {sessions} --no-catalog",
        "again, nothing new": f"{known} {sessions}",
        "a known session's replay": f"{known} replay sess_00000017 --cluster {bootstrap} --topic {long} --format text",
        f"first, {count // 10:,} sessions": f"{new} {many}",
        f"again, {count // 10:,} sessions": f"{known} {many}",
    }
    for name, figure in in_turn(commands, TIMES).items():
        show(_row(figure, count if name.startswith(("first", "--no-catalog")) else None))


def _row(figure: Figure, records: int | None) -> str:
    """A line for a person; where all records were read, how many a second."""
    return figure.line() + (f"  {records / figure.wall_s:9,.0f} events/s" if records else "")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
