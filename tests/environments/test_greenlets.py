"""gevent and eventlet: nothing of ours holds up the other greenlets, whenever Python was patched."""

from pathlib import Path

import pytest

from tests.conftest import TopicFactory
from tests.tracing import group_by_session, list_call_numbers, read_records, run_program

GEVENT = """
import gevent
from gevent import monkey
patch, sleep, spawn, wait = monkey.patch_all, gevent.sleep, gevent.spawn, gevent.joinall
"""
EVENTLET = """
import warnings
warnings.simplefilter("ignore")  # eventlet asks its users to leave it
import eventlet
patch, sleep, spawn = eventlet.monkey_patch, eventlet.sleep, eventlet.spawn
def wait(greenlets):
    for greenlet in greenlets: greenlet.wait()
"""
IMPORT = "import logging, os, signal, sys, time\nimport agentlog\nfrom agentlog import AgentTracer\n"
WORLDS = {
    "gevent that patches first": GEVENT + "patch()\n" + IMPORT,
    "gevent that patches after our import": GEVENT + IMPORT + "patch()\n",
    "gevent that patches nothing": GEVENT + IMPORT,
    "eventlet that patches first": EVENTLET + "patch()\n" + IMPORT,
    "eventlet that patches after our import": EVENTLET + IMPORT + "patch()\n",
    "eventlet that patches nothing": EVENTLET + IMPORT,
}
FIRST = [world for world in WORLDS if "first" in world]

# The other greenlet counts how often it ran. What holds up the hub for a second leaves it at 0.
OTHER = """
runs = [0]
def run():
    while True:
        sleep(0.01)
        runs[0] += 1
spawn(run)
def must_let_run(name, call):
    before = runs[0]
    try:
        call()
    except agentlog.KafkaUnavailable:
        pass
    if runs[0] - before < 10:
        sys.exit(f"{name} held up the others, which ran {runs[0] - before} times")
"""
AWAY = """
tracer = AgentTracer("sess_1", agent_id="a", goal="g", cluster="127.0.0.1:1", topic="t", outage_s=0.5, exit_s=1,
                     on_outage=sys.argv[1], spool=sys.argv[2], queue_mb=0.3)
def record_much():
    for n in range(200):
        tracer.track_tool_call("count", {"n": n, "text": "x" * 3000}, lambda: sleep(0.001))
must_let_run("many calls", record_much)
must_let_run("flush", lambda: tracer.flush(0.5) and sleep(0.5))  # True if nothing waits any more
must_let_run("close", lambda: (tracer.close(0.5), sleep(0.5)))
"""


@pytest.mark.parametrize(
    ("world", "on_outage"),
    [*((world, "spool") for world in WORLDS), *(("gevent that patches first", each) for each in ("raise", "drop"))],
)
def test_other_greenlets_run_while_kafka_is_away(world: str, on_outage: str, tmp_path: Path) -> None:
    code, _, err = run_program(WORLDS[world] + OTHER + AWAY, on_outage, str(tmp_path / "spool"))
    assert code == 0, err


SESSIONS = """
@agentlog.current().tool
def count(n):
    sleep(0.01)
def handle(number):
    with AgentTracer(f"sess_{number}", agent_id="a", goal="g", cluster=sys.argv[1], topic=sys.argv[2]):
        for n in range(20):
            count(n)
"""


@pytest.mark.parametrize("world", WORLDS)
def test_each_greenlets_session_is_recorded_whole(world: str, kafka: str, topic: TopicFactory) -> None:
    name = topic()
    handle_all = "wait([spawn(handle, number) for number in range(8)])\n"
    code, _, err = run_program(WORLDS[world] + SESSIONS + handle_all, kafka, name)
    assert (code, err) == (0, "")
    sessions = group_by_session(read_records(kafka, name))
    assert sorted(sessions) == [f"sess_{number}" for number in range(8)]
    for events in sessions.values():
        assert list_call_numbers(events) == list(range(20))
        assert events[-1]["event_type"] == "session_end"


@pytest.mark.parametrize("world", FIRST)
def test_everything_arrives_at_sigterm(world: str, kafka: str, topic: TopicFactory) -> None:
    name = topic()
    end = "spawn(handle, 1).{}()\nos.kill(os.getpid(), signal.SIGTERM)\nsleep(60)\n"
    join = end.format("join" if "gevent" in world else "wait")
    code, _, err = run_program(WORLDS[world] + SESSIONS + join, kafka, name)
    assert code == -15, err
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert list_call_numbers(events) == list(range(20))


# A log handler that lets other greenlets run keeps its lock meanwhile. Our thread then meets the lock.
LOGS = """
said = []
class Handler(logging.Handler):
    def emit(self, record):
        sleep(0.02)
        said.append(record.getMessage())
logging.getLogger().addHandler(Handler())
def log():
    while True:
        logging.warning("hello")
        sleep(0.001)
for _ in range(3):
    spawn(log)
tracer = AgentTracer("sess_1", agent_id="a", goal="g", cluster="127.0.0.1:1", topic="t", outage_s=0.2, exit_s=1,
                     on_outage="drop")
while not any("can't be recorded" in text for text in said):
    tracer.track_tool_call("count", {"n": 1}, lambda: sleep(0.01))
before = len(said)
while len(said) < before + 20:
    tracer.track_tool_call("count", {"n": 1}, lambda: sleep(0.01))
"""


@pytest.mark.parametrize("world", FIRST)
def test_what_our_thread_logs_meets_a_log_handler_that_is_busy(world: str) -> None:
    code, _, err = run_program(WORLDS[world] + LOGS)
    assert code == 0, err
