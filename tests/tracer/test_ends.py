"""The end of recording processes, in many ways, and the events that the broker has afterwards."""

import os
import signal
import time
from pathlib import Path

import pytest

from devkafka import eventually
from tests.conftest import TopicFactory
from tests.tracing import (
    group_by_session,
    list_call_numbers,
    read_file_events,
    read_records,
    run_program,
    start_program,
    start_python,
)

RECORD = """
import os, signal, sys, threading, time
from agentlog import AgentTracer
tracer = AgentTracer("sess_1", agent_id="agent", cluster=sys.argv[1], topic=sys.argv[2], exit_s=10)
def record(first, last):
    for n in range(first, last):
        tracer.track_tool_call("count", {"n": n}, lambda: None)
"""
ENDS = {
    "runs_to_its_end": "record(0, 500)",
    "exits": "record(0, 500); sys.exit(0)",
    "exits_from_an_open_session": "tracer.__enter__(); record(0, 500); sys.exit(0)",
    "gets_sigterm": "record(0, 500); os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
    "has_a_sigterm_handler_that_exits": (
        "signal.signal(signal.SIGTERM, lambda *_: (print('mine'), sys.exit(3)))\n"
        "record(0, 500); os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)"
    ),
    "has_an_asyncio_handler_of_its_own": (
        "import asyncio\n"
        "async def main():\n"
        "    ended = asyncio.Event()\n"
        "    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)\n"
        "    record(0, 500)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    await ended.wait()\n"
        "    print('mine')\n"
        "asyncio.run(main())"
    ),
    "raises": "record(0, 500); raise ValueError",
    "records_in_a_thread": "t = threading.Thread(target=record, args=(0, 500)); t.start()",
}


@pytest.mark.parametrize("end", ENDS)
def test_everything_arrives_from_a_process_that(end: str, kafka: str, topic: TopicFactory) -> None:
    name = topic(partitions=2)
    code, out, err = run_program(RECORD + ENDS[end], kafka, name)
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert list_call_numbers(events) == list(range(500)), err
    if end == "gets_sigterm":
        assert code == -signal.SIGTERM
    if end == "has_a_sigterm_handler_that_exits":
        assert (code, out) == (3, "mine\n")
    if end == "has_an_asyncio_handler_of_its_own":
        assert (code, out) == (0, "mine\n")


CHILDREN = {
    "os.fork": """
record(0, 100)
for child in (1, 2):
    if os.fork() == 0:
        record(child * 1000, child * 1000 + 100)
        tracer.flush()
        os._exit(0)
record(100, 200)
for _ in range(2):
    os.wait()
""",
    "os.fork_and_sys.exit": """
record(0, 100)
for child in (1, 2):
    if os.fork() == 0:
        record(child * 1000, child * 1000 + 100)
        sys.exit(0)
record(100, 200)
for _ in range(2):
    os.wait()
""",
    "multiprocessing": """
import multiprocessing
context = multiprocessing.get_context("fork")
record(0, 100)
children = [context.Process(target=record, args=(n * 1000, n * 1000 + 100)) for n in (1, 2)]
for child in children: child.start()
record(100, 200)
for child in children: child.join()
""",
}


@pytest.mark.parametrize("kind", CHILDREN)
def test_forked_children_record_too_each_as_a_process_of_its_own(kind: str, kafka: str, topic: TopicFactory) -> None:
    name = topic()
    code, _, err = run_program(RECORD + CHILDREN[kind], kafka, name)
    assert code == 0, err
    records = read_records(kafka, name)
    assert len({record.event["event_id"] for record in records}) == len(records)
    processes = {}
    for record in records:
        processes.setdefault(record.headers["agentlog.process"], []).append(record.event)
    assert sorted(list_call_numbers(events) for events in processes.values()) == [
        list(range(200)),
        list(range(1000, 1100)),
        list(range(2000, 2100)),
    ]


FORKED_WHILE_SENDING = """
import os
def tell():
    names = [open(f"/proc/self/task/{thread}/comm").read().strip() for thread in os.listdir("/proc/self/task")]
    print("at the fork:", [name for name in names if name.startswith("rdk:")])
os.register_at_fork(before=tell)  # the first one registered is the last one called
"""
FORKS = """
for child in (1, 2, 3):
    if os.fork() == 0:
        os._exit(0)
    record(child * 1000, child * 1000 + 100)
    os.wait()
    if child == 2:
        tracer.flush()
"""


def test_no_thread_of_librdkafkas_runs_at_a_fork_whose_locks_the_child_would_wait_for(
    kafka: str, topic: TopicFactory
) -> None:
    name = topic()
    code, out, err = run_program(FORKED_WHILE_SENDING + RECORD + FORKS, kafka, name)
    assert (code, out) == (0, "at the fork: []\n" * 3), err
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert list_call_numbers(events) == [n for child in (1, 2, 3) for n in range(child * 1000, child * 1000 + 100)]


FORKS_WITHOUT_END = """
for n in range(300):
    record(n, n + 1)
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    time.sleep(0.05)
    if tracer.stats().delivered > 3:
        sys.exit(0)
sys.exit("nothing was delivered")
"""


def test_a_process_that_forks_all_the_time_delivers_all_the_same(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    code, _, err = run_program(RECORD + FORKS_WITHOUT_END, kafka, name)
    assert code == 0, err
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert list_call_numbers(events) == list(range(len(events)))


SIGTERM_AT_A_FORK = """
import logging, os, signal  # logging holds its lock at a fork, and is to do so after this
os.register_at_fork(before=lambda: os.kill(os.getpid(), signal.SIGTERM))
"""


def test_everything_arrives_from_a_process_that_gets_sigterm_while_it_forks(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    code, _, err = run_program(SIGTERM_AT_A_FORK + RECORD + "record(0, 500); os.fork(); time.sleep(60)", kafka, name)
    assert code == -signal.SIGTERM, err
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert list_call_numbers(events) == list(range(500))


STARTED = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from agentlog import AgentTracer
tracer = AgentTracer("sess_1", agent_id="agent", cluster=sys.argv[1], topic=sys.argv[2])
def record(n):
    tracer.track_tool_call("count", {"n": n}, lambda: None)
def join(headers, n):
    child = AgentTracer.from_headers(headers, agent_id="child", cluster=sys.argv[1], topic=sys.argv[2])
    child.track_tool_call("count", {"n": n}, lambda: None)
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[3])
    with tracer:
        with ProcessPoolExecutor(2, context) as pool:
            list(pool.map(record, range(20)))
        with tracer.tool_call("outer"):
            child = context.Process(target=join, args=(tracer.headers(), 20))
            child.start()
            child.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_that_multiprocessing_starts_record_too(
    method: str, kafka: str, topic: TopicFactory, tmp_path: Path
) -> None:
    name, script = topic(), tmp_path / "agent.py"
    script.write_text(STARTED)
    process = start_python(str(script), kafka, name, method)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    (events,) = group_by_session(read_records(kafka, name)).values()
    tools = {event["event_id"]: event for event in events if event["event_type"] == "tool_call"}
    counts = {event["payload"]["input"]["n"]: event for event in tools.values() if event["payload"]["tool"] == "count"}
    assert sorted(counts) == list(range(21))
    assert tools[counts[20]["context"]["parent_event_id"]]["payload"]["tool"] == "outer"
    assert [event["event_type"] for event in events].count("session_end") == 1


FIRST_IN_A_THREAD = """
import threading
from agentlog import AgentTracer
first = threading.Thread(target=lambda: AgentTracer(agent_id="agent", file="/dev/null"))
first.start()
first.join()
"""


def test_everything_arrives_at_sigterm_from_a_process_whose_first_tracer_was_made_by_a_thread(
    kafka: str, topic: TopicFactory
) -> None:
    name = topic()
    code, _, err = run_program(FIRST_IN_A_THREAD + RECORD + ENDS["gets_sigterm"], kafka, name)
    assert code == -signal.SIGTERM
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert list_call_numbers(events) == list(range(500)), err


FORKED_INSIDE = """
with tracer, tracer.tool_call("outer"):
    if os.fork() == 0:
        record(1000, 1100)
        sys.exit(0)
    record(0, 100)
    os.wait()
"""


def test_a_forked_child_that_leaves_what_its_parent_began_does_not_end_it(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    code, _, err = run_program(RECORD + FORKED_INSIDE, kafka, name)
    assert code == 0, err
    (events,) = group_by_session(read_records(kafka, name)).values()
    tools = [event["payload"] for event in events if event["event_type"] == "tool_call"]
    (outer,) = [tool for tool in tools if tool["tool"] == "outer"]
    assert "error" not in outer
    assert len(tools) == 201
    (end,) = [event["payload"] for event in events if event["event_type"] == "session_end"]
    assert end == {"status": "succeeded"}


def test_kill_9_loses_only_what_was_not_flushed_and_leaves_the_session_open(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    end = "tracer.__enter__(); record(0, 300); tracer.flush(); print('flushed', flush=True)\n"
    process = start_program(RECORD + end + "call = tracer.tool_call('slow').__enter__(); time.sleep(60)", kafka, name)
    assert process.stdout is not None
    assert process.stdout.readline() == "flushed\n"
    eventually(lambda: len(read_records(kafka, name)) == 302, timeout=20)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert list_call_numbers(events) == list(range(300))
    assert events[-1]["event_type"] == "call_started"
    assert "session_end" not in {event["event_type"] for event in events}


def test_the_end_of_a_process_is_held_up_for_a_bounded_time_and_what_is_lost_is_told() -> None:
    nowhere = RECORD.replace("exit_s=10", "exit_s=0.5")
    code, _, err = run_program(nowhere + "record(0, 5)", "127.0.0.1:1", "agent-events")
    assert code == 0
    assert err.count("not delivered to topic agent-events of cluster 127.0.0.1:1: 5 events; ") == 1
    assert "Connection refused" in err
    assert "bootstrap.servers is from the program" in err


BEFORE = "import atexit\natexit.register(lambda: record(400, 500))\n"
LATE = {
    "a_function_called_at_the_end": BEFORE + RECORD + "record(0, 400)",
    "a_thread_of_a_child": RECORD
    + """
import multiprocessing
from multiprocessing.util import Finalize
delivered = threading.Event()
def late():
    while threading.main_thread().is_alive() and not delivered.wait(0.01):
        pass  # since Python 3.13 a child waits for its threads before it delivers
    record(400, 500)
def work():
    Finalize(None, delivered.set, exitpriority=1)
    record(0, 400)
    threading.Thread(target=late).start()
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
""",
}


@pytest.mark.parametrize("who", LATE)
def test_what_is_recorded_when_all_else_is_delivered_arrives_too_by(who: str, kafka: str, topic: TopicFactory) -> None:
    name = topic()
    code, _, err = run_program(LATE[who], kafka, name)
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert list_call_numbers(events) == list(range(500)), err
    assert code == 0


def test_the_end_of_a_process_is_held_up_for_a_bounded_time_by_what_is_recorded_late() -> None:
    nowhere = (BEFORE + RECORD).replace("exit_s=10", "exit_s=0.5")
    began = time.monotonic()
    code, _, err = run_program(nowhere + "record(0, 5)", "127.0.0.1:1", "agent-events")
    assert time.monotonic() - began < 8
    assert code == 0
    assert "not delivered to topic agent-events of cluster 127.0.0.1:1: 1 event; " in err


IMPATIENT = """
import atexit, signal, sys
from agentlog import AgentTracer
tracer = AgentTracer(agent_id="agent", cluster="127.0.0.1:1", on_outage="spool", spool=sys.argv[1], exit_s=50)
signal.signal(signal.SIGALRM, signal.default_int_handler)  # as Ctrl-C's
atexit.register(signal.setitimer, signal.ITIMER_REAL, 0.5)
tracer.user_message("hello")
"""


def test_ctrl_c_at_the_end_of_a_process_ends_the_waiting_and_not_the_promise(tmp_path: Path) -> None:
    began = time.monotonic()
    code, _, err = run_program(IMPATIENT, str(tmp_path))
    assert time.monotonic() - began < 20
    assert code == 0
    (file,) = tmp_path.iterdir()
    assert [event["payload"] for event in read_file_events(file)] == [{"text": "hello"}], err


HELD_UP = """
import sys, time
from agentlog import AgentTracer
tracer = AgentTracer("sess_1", agent_id="agent", file=sys.argv[1], redact=lambda event: time.sleep(3600), exit_s=0.5)
for _ in range(5):
    tracer.user_message("hello")
"""


def test_what_a_redact_function_that_never_returns_holds_up_is_told_at_the_end(tmp_path: Path) -> None:
    code, _, err = run_program(HELD_UP, str(tmp_path / "run.ndjson"))
    assert code == 0
    assert err.count("run.ndjson: 5 events; the thread that sends them is held up: ") == 1


SIGNALLED = """
import faulthandler, signal, sys, time
from agentlog import AgentTracer
tracer = AgentTracer("sess_1", agent_id="agent", file=sys.argv[1], exit_s=3, queue_mb=0.1)
faulthandler.dump_traceback_later(30, exit=True)
ends = time.monotonic() + 1.5
"""
SIGNALS = {
    "flushes": """
def again(*_):
    tracer.flush(0)
    signal.setitimer(signal.ITIMER_REAL, 0.0002)
signal.signal(signal.SIGALRM, again)
again()
while time.monotonic() < ends:
    tracer.user_message("hello")
    for _ in range(10):
        tracer.flush(0)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
""",
    "raises": """
def stop(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, stop)
while time.monotonic() < ends:
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        while True:
            tracer.user_message("hello")
    except KeyboardInterrupt:
        pass
""",
}


@pytest.mark.parametrize("handler", SIGNALS)
def test_nothing_stands_still_or_is_lost_where_a_signals_handler(handler: str, tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    code, out, err = run_program(
        SIGNALLED + SIGNALS[handler] + "print(tracer.flush(20), tracer.stats().recorded)", str(file)
    )
    assert (code, err) == (0, "")
    assert out == f"True {len(read_file_events(file))}\n"


STRUCK = """
import faulthandler, signal, sys
from agentlog import AgentTracer
faulthandler.dump_traceback_later(50, exit=True)
lines = set()

def handler(*_):
    global armed
    armed = False
    tracer.user_message("signal")
    tracer.flush(0.05)
    AgentTracer("sess_2", agent_id="agent", file=sys.argv[1])

def strike(frame, event, _):
    line = frame.f_code.co_filename, frame.f_lineno
    if armed and event == "line" and ("agentlog" in line[0] or "threading" in line[0]) and line not in lines:
        lines.add(line)
        signal.raise_signal(signal.SIGUSR1)
    return strike

signal.signal(signal.SIGUSR1, handler)
before, recorded = -1, 0
tracer = AgentTracer("sess_1", agent_id="agent", file=sys.argv[1])
while before < len(lines):
    before = len(lines)
    for _ in range(5):
        armed = True
        sys.settrace(strike)
        tracer = AgentTracer("sess_1", agent_id="agent", file=sys.argv[1], exit_s=1 + recorded / 1000)
        tracer.track_tool_call("work", {}, str)
        sys.settrace(None)
        recorded += 1
        assert tracer.flush(10)
print(recorded, len(lines))
"""


def test_a_signals_handler_may_record_and_flush_wherever_it_strikes(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    code, out, err = run_program(STRUCK, str(path))
    assert code == 0, err
    calls, signals = map(int, out.split())
    kinds = [event["event_type"] for event in read_file_events(path)]
    assert (kinds.count("tool_call"), kinds.count("user_message")) == (calls, signals)
