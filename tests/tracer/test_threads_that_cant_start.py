"""Threads that can't be started: a container's limit of processes, and the end of the interpreter."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentlog import AgentTracer
from agentlog.payloads import resolve
from agentlog.recording.delivery.worker import Worker
from agentlog.recording.prepare.thread_pool import WorkerPool
from agentlog.recording.system.wakeup import Wakeup
from devkafka import eventually
from tests.conftest import TopicFactory
from tests.tracing import Recording, group_by_session, list_call_numbers, read_file_events, read_records, run_program

TOO_LARGE = 1 << 46
"""A stack of so many bytes fits into no memory, so the system starts no thread with it."""


@contextmanager
def no_threads() -> Iterator[None]:
    threading.stack_size(TOO_LARGE)
    try:
        yield
    finally:
        threading.stack_size(0)


def test_the_agents_call_runs_and_the_next_event_starts_the_thread(recording: Recording) -> None:
    with no_threads():
        assert recording.tracer.track_tool_call("report.send", {}, lambda: "sent") == "sent"
        with recording.tracer.tool_call("report.check"):
            pass
    recording.tracer.user_message("later")
    eventually(lambda: recording.tracer.stats().delivered == 3)
    assert [event["event_type"] for event in read_file_events(recording.path)] == [
        "tool_call",
        "tool_call",
        "user_message",
    ]


def test_counts_are_right_and_flush_and_the_block_deliver_without_a_thread(
    recording: Recording, tmp_path: Path
) -> None:
    with no_threads():
        recording.tracer.user_message("hello")
        stats = recording.tracer.stats()
        assert (stats.recorded, stats.queued, stats.delivered) == (1, 1, 0)
        assert recording.tracer.flush(10)
        assert recording.tracer.stats().delivered == 1
        with AgentTracer("sess_2", agent_id="agent", file=tmp_path / "2.ndjson") as tracer:
            tracer.user_message("hello")
    assert len(read_file_events(tmp_path / "2.ndjson")) == 3


def test_several_that_flush_at_once_without_a_thread_share_the_work(recording: Recording) -> None:
    results = list[bool]()

    def record_and_flush() -> None:
        started.wait()
        for n in range(50):
            recording.tracer.track_tool_call("count", {"n": n}, str)
        results.append(recording.tracer.flush(30))

    started = threading.Event()
    threads = [threading.Thread(target=record_and_flush) for _ in range(4)]
    for thread in threads:
        thread.start()
    with no_threads():
        started.set()
        for thread in threads:
            thread.join()
    assert results == [True] * 4
    assert sorted(list_call_numbers(read_file_events(recording.path))) == sorted([*range(50)] * 4)


def test_a_full_memory_is_emptied_by_the_callers_where_there_is_no_thread(tmp_path: Path) -> None:
    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "run.ndjson", queue_mb=0.05)
    with no_threads():
        for n in range(500):
            tracer.track_tool_call("count", {"n": n}, str)
        assert tracer.flush(10)
    assert list_call_numbers(read_file_events(tmp_path / "run.ndjson")) == list(range(500))


def test_large_values_are_stored_without_threads(tmp_path: Path) -> None:
    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "run.ndjson", payloads=tmp_path / "payloads")
    with no_threads():
        tracer.track_tool_call("page.read", {}, lambda: "x" * 50_000)
        assert tracer.flush(10)
    (event,) = read_file_events(tmp_path / "run.ndjson")
    assert resolve(event["payload"]["output"]) == b"x" * 50_000


def test_a_store_that_is_away_is_asked_once_where_nobody_else_could_send_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "payloads").write_text("not a folder")
    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "run.ndjson", payloads=tmp_path / "payloads")
    with no_threads():
        tracer.track_tool_call("page.read", {}, lambda: "x" * 50_000)
        assert tracer.flush(10)
    assert tracer.stats().shortened == 1


def test_a_pool_starts_the_threads_that_it_lacks_with_its_next_task() -> None:
    with no_threads():
        pool = WorkerPool(2, "pool")
        assert pool.submit(threading.get_ident).result(0) == threading.get_ident()
    assert pool.submit(threading.get_ident).result(10) != threading.get_ident()
    eventually(lambda: sum(thread.name.startswith("pool-") for thread in threading.enumerate()) == 2)


def test_a_worker_goes_on_after_any_error_and_has_one_thread() -> None:
    threads, done = set[int](), Wakeup()

    def run_round() -> None:
        threads.add(threading.get_ident())
        if len(rounds) < 3:
            rounds.append(1)
            raise SystemExit
        done.set()
        time.sleep(0.01)

    rounds = list[int]()
    worker = Worker(run_round, "worker")
    worker.start()
    worker.has_thread = False  # as Ctrl-C in the midst of the start would leave it
    worker.start()
    assert worker.wait_for(done, 10)
    assert worker.wait_for(done, 10)
    assert len(threads) == 1


START = """
import atexit, ctypes, logging, os, sys, threading, time
from agentlog import AgentTracer
logging.basicConfig()
def no_threads():
    threading.stack_size(1 << 46)
def no_native_threads(size=1 << 46):
    attributes = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None)
    libc.pthread_getattr_default_np(attributes)
    libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(size))
    assert libc.pthread_setattr_default_np(attributes) == 0
"""

SHORTAGES = {
    "of all threads, when the tracer is made": """
no_native_threads(); no_threads()
tracer = AgentTracer("sess_1", agent_id="agent", cluster=sys.argv[1], topic=sys.argv[2])
record(0, 10)
no_native_threads(1 << 23); threading.stack_size(0)
record(10, 20)
""",
    "of all threads, after a fork": """
tracer = AgentTracer("sess_1", agent_id="agent", cluster=sys.argv[1], topic=sys.argv[2])
record(0, 5)
if os.fork() == 0:
    os._exit(0)
os.wait()
no_native_threads(); no_threads()
record(5, 10)
no_native_threads(1 << 23); threading.stack_size(0)
record(10, 20)
""",
    "of our own threads, also in a fork and until the end": """
no_threads()
tracer = AgentTracer("sess_1", agent_id="agent", cluster=sys.argv[1], topic=sys.argv[2])
record(0, 10)
if os.fork() == 0:
    record(10, 20)
    assert tracer.flush(20)
    os._exit(0)
assert os.wait()[1] == 0
""",
}


@pytest.mark.parametrize("shortage", SHORTAGES)
def test_events_reach_kafka_after_a_shortage(shortage: str, kafka: str, topic: TopicFactory) -> None:
    name = topic()
    record = """
def record(first, last):
    for n in range(first, last):
        tracer.track_tool_call("count", {"n": n}, lambda: None)
"""
    code, _, err = run_program(START + record + SHORTAGES[shortage], kafka, name)
    assert code == 0, err
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert sorted(list_call_numbers(events)) == list(range(20)), err


LAST = (
    START
    + """
TARGET = {"file": sys.argv[1]} if sys.argv[2] == "file" else {
    "cluster": "127.0.0.1:1", "on_outage": "spool", "spool": sys.argv[1], "exit_s": 0.5}
STARTS_THREADS = sys.argv[3] == "threads"  # since Python 3.12 an interpreter that ends starts none
def last():
    if not STARTS_THREADS:
        no_threads()
    with AgentTracer("sess_late", agent_id="agent", goal="last", **TARGET) as tracer:
        tracer.user_message("bye")
    done.set()
class Deleted:
    def __init__(self):
        self.tracer = AgentTracer("sess_late", agent_id="agent", goal="last", **TARGET)
    def __del__(self):
        self.tracer.user_message("bye")
        self.tracer.end()
def record_late():
    threading.main_thread().join()
    last()
done = threading.Event()
"""
)
LAST_MOMENTS = {
    "a function at exit, before the first tracer": "atexit.register(last)\n"
    'AgentTracer("sess_main", agent_id="agent", file=os.devnull).user_message("hello")',
    "a function at exit that makes the first tracer": "atexit.register(last)",
    "a function before the threads end": "threading._register_atexit(last)",
    "a thread that outlives the main one": "threading.Thread(target=record_late).start()",
    "a daemon thread": "threading.Thread(target=record_late, daemon=True).start(); atexit.register(done.wait, 30)",
    "an object that is deleted last": "deleted = Deleted()",
    "an object that is deleted last and recorded before": "deleted = Deleted(); deleted.tracer.start()",
    "an object in a circle": "deleted = Deleted(); deleted.itself = deleted",
}


@pytest.mark.parametrize("threads", ["threads", "no threads"])
@pytest.mark.parametrize("moment", LAST_MOMENTS)
def test_what_is_recorded_last_is_there_by(moment: str, threads: str, tmp_path: Path) -> None:
    path = tmp_path / "late.ndjson"
    code, _, err = run_program(LAST + LAST_MOMENTS[moment], str(path), "file", threads)
    assert code == 0, err
    assert [event["event_type"] for event in read_file_events(path)] == ["session_start", "user_message", "session_end"]


@pytest.mark.parametrize("moment", ["a function at exit, before the first tracer", "an object that is deleted last"])
def test_what_is_recorded_last_waits_in_the_spool_while_kafka_is_away_by(moment: str, tmp_path: Path) -> None:
    code, _, err = run_program(LAST + LAST_MOMENTS[moment], str(tmp_path / "spool"), "kafka", "no threads")
    assert code == 0, err
    (path,) = (tmp_path / "spool").iterdir()
    assert [event["event_type"] for event in read_file_events(path)] == ["session_start", "user_message", "session_end"]
