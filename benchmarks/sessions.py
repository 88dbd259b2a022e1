"""The benchmark of kshark sessions beside kcat, jq and awk: `python -m benchmarks.sessions [EVENTS]`.

There are 1,000,000 events in 100,000 sessions of ten: once with thirty sessions at a time, once with all at once.
"""

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

from .measure import Figure, print_line, run_in_turn
from .replay import KSHARK
from .texts import make_text

PARTITIONS = 6
PARALLEL_SESSIONS = 30
SESSION_EVENTS = 10
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
[.session_id, .timestamp, .event_type, .agent_id, .payload.tool, .payload.status, .payload.error,
  .payload.cost_usd, .payload.input_tokens, .payload.output_tokens] | @tsv
"""
AWK_PROGRAM = """
BEGIN { FS = "\\t" }
{
  if (!($1 in events) || $2 < started[$1]) started[$1] = $2
  if ($2 > ended[$1]) ended[$1] = $2
  events[$1]++; agents[$1, $4] = 1; errors[$1] += $7 != ""
  if ($3 == "tool_call") { tool_calls[$1]++; tools[$1, $5]++ }
  else if ($3 == "llm_call") llm_calls[$1]++
  else if ($3 == "session_end") status[$1] = $6
  cost[$1] += $8; input[$1] += $9; output[$1] += $10
}
END {
  for (id in events)
    print id, started[id], ended[id], status[id], events[id], tool_calls[id], llm_calls[id], errors[id], cost[id], \
      input[id], output[id]
}
"""


def make_event(number: int, session: str, step: int, last: int) -> bytes:
    """Make an event of about 580 bytes: the session's first, its last, or one between."""
    timestamp = START_TIME + timedelta(milliseconds=number * 20)
    body = START if step == 0 else END if step == last else STEPS[step % len(STEPS)]
    parent = f'"parent_event_id":"evt_{session[5:]}_{step - 1}",' if step else ""
    head = (
        f'{{"event_id":"evt_{session[5:]}_{step}","session_id":"{session}","agent_id":"reconciler-v{session[-1]}",'
        f'"timestamp":"{timestamp:%Y-%m-%dT%H:%M:%S}.{timestamp.microsecond // 1000:03}Z",{body}'
    )
    tail = f'"}},"context":{{{parent}"reasoning":"the next account is due","confidence":0.9}}}}'
    return (head + make_text(number, EVENT_BYTES - len(head) - len(tail)) + tail).encode()


def make_records(count: int, parallel: int) -> Iterator[OutgoingRecord]:
    """Yield sessions of ten events, ``parallel`` at a time."""
    for number in range(count):
        session = f"sess_{number // (parallel * SESSION_EVENTS) * parallel + number % parallel:08}"
        key, step = session.encode(), number // parallel % SESSION_EVENTS
        timestamp = int(START_TIME.timestamp() * 1000) + number * 20
        value = make_event(number, session, step, SESSION_EVENTS - 1)
        yield OutgoingRecord(PARTITIONERS["murmur2"](key, PARTITIONS), key, value, timestamp, ())


def load_topic(bootstrap: str, topic: str, count: int, parallel: int) -> None:
    """Write all events into the topic."""
    properties = {"bootstrap.servers": bootstrap, "compression.type": "lz4"}
    origins = dict.fromkeys(properties, "the benchmark")
    write_records(Cluster("benchmark", properties, origins, frozenset()), topic, make_records(count, parallel))


def create_loaded_topic(bootstrap: str, count: int, parallel: int) -> str:
    """Create a topic with ``count`` events, ``parallel`` sessions at a time, and return its name."""
    topic = create_topic(bootstrap, partitions=PARTITIONS)
    # Load in another process, because a measured child begins with its parent's peak of memory.
    loader = get_context("spawn").Process(target=load_topic, args=(bootstrap, topic, count, parallel))
    loader.start()
    loader.join()
    return topic


def main(count: int = 1_000_000) -> None:
    """Load the topics, then measure."""
    for peer in ("kcat", "jq", "awk"):
        if shutil.which(peer) is None:
            raise SystemExit(f"the peer is kcat with jq and awk: apt-get install {peer}")
    with KafkaCluster("benchmark") as kafka, tempfile.TemporaryDirectory() as folder:
        sessions = count // SESSION_EVENTS
        print_line(f"{count:,} events in {sessions:,} sessions, {PARTITIONS} partitions, lz4")
        few, all_at_once = (create_loaded_topic(kafka.bootstrap, count, n) for n in (PARALLEL_SESSIONS, sessions))
        measure_sessions(kafka.bootstrap, few, all_at_once, count, Path(folder))


def measure_sessions(bootstrap: str, few: str, all_at_once: str, count: int, folder: Path) -> None:
    """Measure each command several times, in turn."""
    cold_kshark = f"XDG_CACHE_HOME=$(mktemp -d -p {folder}) {KSHARK}"
    warm_kshark = f"XDG_CACHE_HOME={folder} {KSHARK}"
    sessions = f"sessions --cluster {bootstrap} --topic {few} --format text"
    replay = f"replay sess_00000017 --cluster {bootstrap} --topic {few} --format text"
    programs = {"events.jq": JQ_PROGRAM, "sums.awk": AWK_PROGRAM}
    for name, program in programs.items():
        Path(folder, name).write_text(program)
    jq_and_awk = f"jq -r -f {folder}/events.jq | awk -f {folder}/sums.awk"
    commands = {
        "kcat | jq | awk": f"kcat -b {bootstrap} -C -t {few} -o beginning -e -q -f '%s\\n' | {jq_and_awk}",
        "for the first time": f"{cold_kshark} {sessions}",
        "for the first time, all sessions at once": f"{cold_kshark} {sessions.replace(few, all_at_once)}",
        "--no-catalog": f"{warm_kshark} {sessions} --no-catalog",
        "again, nothing new": f"{warm_kshark} {sessions}",
        "a known session's replay": f"{warm_kshark} {replay}",
        "python -c pass": f"{sys.executable} -c pass",
    }
    figures = run_in_turn(commands, ROUNDS)
    for name, figure in figures.items():
        has_read_all = name.startswith(("kcat", "for the first", "--no-catalog"))
        print_line(_format_row(figure, figures["kcat | jq | awk"], count if has_read_all else None))


def _format_row(figure: Figure, peer: Figure, records: int | None) -> str:
    """Format a row; with ``records``, it also states the events a second."""
    return figure.format_line(peer) + (f"  {records / figure.wall_s:9,.0f} events/s" if records else "")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
