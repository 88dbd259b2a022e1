"""Forks that Python doesn't know of, made in C, as uWSGI makes its workers."""

from collections import Counter
from pathlib import Path

import pytest

from agentlog.recording.system import fork_hooks
from agentlog.recording.system.fork_hooks import ForkHooks
from tests.conftest import TopicFactory
from tests.tracing import list_call_numbers, read_file_events, read_records, run_program

START = """
import ctypes, os, sys, time
from agentlog import AgentTracer
fork = ctypes.PyDLL(None).fork
def record(first, last):
    for n in range(first, last):
        tracer.track_tool_call("count", {"n": n}, lambda: None)
def wait():
    code = os.waitstatus_to_exitcode(os.wait()[1])
    assert code == 0, code
"""
TO_KAFKA = (
    START + 'tracer = AgentTracer("sess_1", agent_id="agent", cluster=sys.argv[1], topic=sys.argv[2], exit_s=10)\n'
)
TO_FILE = START + 'tracer = AgentTracer("sess_1", agent_id="agent", file=sys.argv[1], exit_s=30)\n'


def test_children_record_each_as_a_process_of_its_own(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    code, _, err = run_program(
        TO_KAFKA
        + """
record(0, 100)
for child in (1, 2):
    if fork() == 0:
        record(child * 1000, child * 1000 + 100)
        assert tracer.flush(20)
        os._exit(0)
record(100, 200)
wait()
wait()
""",
        kafka,
        name,
    )
    assert (code, err) == (0, "")
    read = read_records(kafka, name)
    assert sorted(list_call_numbers([record.event for record in read])) == [
        *range(200),
        *range(1000, 1100),
        *range(2000, 2100),
    ]
    assert sorted(Counter(record.headers["agentlog.process"] for record in read).values()) == [100, 100, 200]
    assert max(Counter(record.event["event_id"] for record in read).values()) == 1


CHILDREN = {
    "records nothing": "sys.exit(0)",
    "flushes nothing": "assert tracer.flush(20); os._exit(0)",
    "asks for counts": "assert tracer.stats().recorded == 0, tracer.stats(); os._exit(0)",
    "gets SIGTERM": "import signal; signal.signal(signal.SIGALRM, lambda *_: os._exit(1))\n"
    "    signal.alarm(20); os.kill(os.getpid(), signal.SIGTERM)",
    "ends the parent's session": "tracer.end(); os._exit(0 if tracer.flush(20) else 1)",
    "leaves the parent's call": "call.__exit__(None, None, None); os._exit(0 if tracer.flush(20) else 1)",
    "hands on the parent's call": "tracer.headers(); os._exit(0 if tracer.flush(20) else 1)",
}


@pytest.mark.parametrize("child", CHILDREN)
def test_a_child_leaves_what_is_its_parents_and_ends_at_once_if_it(child: str, tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    code, _, err = run_program(
        TO_FILE
        + f"""
tracer.start()
call = tracer.tool_call("mail.send")
call.__enter__()
tracer.user_message("hello")
if fork() == 0:
    {CHILDREN[child]}
began = time.monotonic()
status = os.waitstatus_to_exitcode(os.wait()[1])
assert status in (0, -15), status
assert time.monotonic() - began < 15
call.__exit__(None, None, None)
tracer.end()
""",
        str(path),
    )
    assert (code, err) == (0, "")
    assert [event["event_type"] for event in read_file_events(path)] == [
        "session_start",
        "call_started",
        "user_message",
        "tool_call",
        "session_end",
    ]


RECORDERS = {
    "a message": 'tracer.user_message("hello")',
    "a call": "record(0, 1)",
    "a block": 'with tracer.tool_call("mail.send"): pass',
    "a session of its own": 'with AgentTracer("sess_2", agent_id="agent", file=sys.argv[1]) as other: pass',
}


@pytest.mark.parametrize("what", RECORDERS)
def test_ids_of_children_differ_when_the_first_thing_that_they_record_is(what: str, tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    code, _, err = run_program(
        TO_FILE
        + f"""
tracer.user_message("parent")
for _ in range(3):
    if fork() == 0:
        {RECORDERS[what]}
        os._exit(0 if tracer.flush(20) else 1)
    wait()
""",
        str(path),
    )
    assert (code, err) == (0, "")
    events = read_file_events(path)
    own = [event["event_id"] for event in events if event["payload"].get("text") != "parent"]
    assert len(own) >= 3
    assert max(Counter(own).values()) == 1


def test_a_child_that_records_first_in_its_event_loop_keeps_the_loop(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    code, _, err = run_program(
        TO_FILE
        + """
import asyncio
async def main():
    tracer.user_message("hello")
    await asyncio.sleep(0.01)
    return asyncio.get_running_loop() is not None
if fork() == 0:
    os._exit(0 if asyncio.run(main()) and tracer.flush(20) else 1)
wait()
""",
        str(path),
    )
    assert (code, err) == (0, "")
    assert len(read_file_events(path)) == 1


def test_a_childs_child_is_noticed_too_and_a_fork_by_python_counts_once(tmp_path: Path) -> None:
    code, out, err = run_program(
        START
        + """
from agentlog.recording.system.fork_hooks import ForkHooks
hooks = ForkHooks()
hooks.add(lambda: print(end="hook "))
for make_child in (fork, os.fork, fork):
    hooks.check()
    if make_child() != 0:
        wait()
        break
    hooks.check()
    hooks.check()
    print(end="child ", flush=True)
os._exit(0)
"""
    )
    assert (code, err) == (0, "")
    assert out == "hook child " * 3


def test_a_fork_is_noticed_where_the_system_cant_wipe_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_hooks, "MADV_WIPEONFORK", 10_000)  # an advice that no system knows
    hooks, calls = ForkHooks(), list[int]()
    hooks.add(lambda: calls.append(1))
    hooks.check()
    assert not calls
    monkeypatch.setattr("os.getpid", lambda: -1)  # what a child would see
    hooks.check()
    hooks.check()
    assert calls == [1]
