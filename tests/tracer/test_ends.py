"""Processes that record and end, in whatever way: what the broker has of it afterwards."""

import os
import signal
from pathlib import Path

import pytest

from devkafka import eventually
from tests.conftest import TopicFactory
from tests.tracing import by_session, numbers, program, python, ran, stored

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
    code, out, err = ran(RECORD + ENDS[end], kafka, name)
    (events,) = by_session(stored(kafka, name)).values()
    assert numbers(events) == list(range(500)), err
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
    code, _, err = ran(RECORD + CHILDREN[kind], kafka, name)
    assert code == 0, err
    records = stored(kafka, name)
    assert len({record.event["event_id"] for record in records}) == len(records)
    processes = {}
    for record in records:
        processes.setdefault(record.headers["agentlog.process"], []).append(record.event)
    assert sorted(numbers(events) for events in processes.values()) == [
        list(range(200)),
        list(range(1000, 1100)),
        list(range(2000, 2100)),
    ]


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
    process = python(str(script), kafka, name, method)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    (events,) = by_session(stored(kafka, name)).values()
    tools = {event["event_id"]: event for event in events if event["event_type"] == "tool_call"}
    counts = {event["payload"]["input"]["n"]: event for event in tools.values() if event["payload"]["tool"] == "count"}
    assert sorted(counts) == list(range(21))
    assert tools[counts[20]["context"]["parent_event_id"]]["payload"]["tool"] == "outer"
    assert [event["event_type"] for event in events].count("session_end") == 1


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
    code, _, err = ran(RECORD + FORKED_INSIDE, kafka, name)
    assert code == 0, err
    (events,) = by_session(stored(kafka, name)).values()
    tools = [event["payload"] for event in events if event["event_type"] == "tool_call"]
    (outer,) = [tool for tool in tools if tool["tool"] == "outer"]
    assert "error" not in outer
    assert len(tools) == 201
    (end,) = [event["payload"] for event in events if event["event_type"] == "session_end"]
    assert end == {"status": "succeeded"}


def test_kill_9_loses_only_what_was_not_flushed_and_leaves_the_session_open(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    end = "tracer.__enter__(); record(0, 300); tracer.flush(); print('flushed', flush=True)\n"
    process = program(RECORD + end + "call = tracer.tool_call('slow').__enter__(); time.sleep(60)", kafka, name)
    assert process.stdout is not None
    assert process.stdout.readline() == "flushed\n"
    eventually(lambda: len(stored(kafka, name)) == 302, timeout=20)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (events,) = by_session(stored(kafka, name)).values()
    assert numbers(events) == list(range(300))
    assert events[-1]["event_type"] == "call_started"
    assert "session_end" not in {event["event_type"] for event in events}


def test_the_end_of_a_process_is_held_up_for_a_bounded_time_and_what_is_lost_is_told() -> None:
    nowhere = RECORD.replace("exit_s=10", "exit_s=0.5")
    code, _, err = ran(nowhere + "record(0, 5)", "127.0.0.1:1", "agent-events")
    assert code == 0
    assert err.count("not delivered to topic agent-events of cluster 127.0.0.1:1: 5 events; ") == 1
    assert "bootstrap.servers is from the program" in err
