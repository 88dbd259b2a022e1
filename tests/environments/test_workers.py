"""Workers of queues, and other programs that end or freeze an agent's process: its session is whole all the same."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devkafka import eventually
from tests.conftest import TopicFactory
from tests.hosts import find_whole_sessions, run_host, run_redis
from tests.tracing import run_program, start_program

JOBS = """
import os
from agentlog import AgentTracer

def work(number):
    with AgentTracer(f"sess_{number}", agent_id="worker", goal="work", cluster=os.environ["CLUSTER"],
                     topic=os.environ["TOPIC"]) as tracer:
        for n in range(10):
            tracer.track_tool_call("count", {"n": n}, lambda: None)
    with open("done", "a") as done:
        done.write("x")
"""
CELERY = """
from celery import Celery
import jobs

app = Celery("tasks", broker="redis+socket://{path}")
work = app.task(jobs.work, name="work")
"""
POOLS = {
    "a child for each task": "--pool prefork --concurrency 2 --max-tasks-per-child 1",
    "children for many tasks": "--pool prefork --concurrency 2",
    "threads": "--pool threads --concurrency 2",
    "gevent": "--pool gevent --concurrency 2",
    "no pool": "--pool solo",
}
SESSIONS = {f"sess_{number}" for number in range(6)}


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with run_redis(tmp_path_factory.mktemp("redis") / "server") as path:
        yield path


def enqueue(text: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", text], cwd=folder, check=True, timeout=60)


@pytest.mark.parametrize("pool", POOLS)
def test_the_session_of_each_celery_task_is_whole_with(
    pool: str, redis: Path, kafka: str, topic: TopicFactory, tmp_path: Path
) -> None:
    name = topic()
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "tasks.py").write_text(CELERY.format(path=redis))
    enqueue("import tasks\nfor n in range(6): tasks.work.delay(n)", tmp_path)
    command = f"celery --app tasks worker --loglevel warning {POOLS[pool]}".split()
    with run_host(tmp_path, *command, CLUSTER=kafka, TOPIC=name) as worker:
        eventually(lambda: count_done(tmp_path) == 6, timeout=60)
        worker.stop()
        assert find_whole_sessions(kafka, name, 10) == SESSIONS, worker.log


def count_done(folder: Path) -> int:
    path = folder / "done"
    return len(path.read_text()) if path.exists() else 0


def test_the_session_of_each_rq_job_is_whole(redis: Path, kafka: str, topic: TopicFactory, tmp_path: Path) -> None:
    name = topic()
    (tmp_path / "jobs.py").write_text(JOBS)
    queue = f"redis.Redis(unix_socket_path={str(redis)!r})"
    enqueue(
        f"import jobs, redis, rq\nqueue = rq.Queue(connection={queue})\nfor n in range(6): queue.enqueue(jobs.work, n)",
        tmp_path,
    )
    command = ("rq", "worker", "--burst", "--url", f"unix://{redis}")
    with run_host(tmp_path, *command, CLUSTER=kafka, TOPIC=name) as worker:
        worker.process.wait(timeout=60)
        assert find_whole_sessions(kafka, name, 10) == SESSIONS, worker.log


BILLIARD = """
import os, sys
os.environ |= {"CLUSTER": sys.argv[1], "TOPIC": sys.argv[2]}
os.chdir(sys.argv[3])
sys.path.insert(0, ".")
import jobs
from billiard.pool import Pool
pool = Pool(2, maxtasksperchild=1)
pool.map(jobs.work, range(6))
pool.terminate()
"""


def test_the_session_of_each_task_of_billiards_pool_is_whole(kafka: str, topic: TopicFactory, tmp_path: Path) -> None:
    name = topic()
    (tmp_path / "jobs.py").write_text(JOBS)
    process = start_program(BILLIARD, kafka, name, str(tmp_path))
    _, err = process.communicate(timeout=60)
    assert find_whole_sessions(kafka, name, 10) == SESSIONS, err


FUNCTION = """
import os, sys
os.environ |= {"CLUSTER": sys.argv[1], "TOPIC": sys.argv[2]}
os.chdir(sys.argv[3])
sys.path.insert(0, ".")
import jobs
for number in map(int, sys.stdin):
    jobs.work(number)
    print("returned", flush=True)
"""


def test_a_function_of_lambda_is_whole_when_it_returns_and_goes_on_after_it_was_frozen(
    kafka: str, topic: TopicFactory, tmp_path: Path
) -> None:
    """Lambda freezes a process when its function returns, and may kill it while it is frozen."""
    name = topic()
    (tmp_path / "jobs.py").write_text(JOBS)
    function = start_program(FUNCTION, kafka, name, str(tmp_path), AWS_LAMBDA_RUNTIME_API="127.0.0.1:9001")
    assert function.stdin is not None
    assert function.stdout is not None
    for number in range(3):
        function.send_signal(signal.SIGCONT)
        print(number, file=function.stdin, flush=True)
        assert function.stdout.readline() == "returned\n"
        function.send_signal(signal.SIGSTOP)
    function.kill()
    function.communicate(timeout=60)
    assert find_whole_sessions(kafka, name, 10) == {"sess_0", "sess_1", "sess_2"}


HANDLED_IN_C = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.signal(signal.SIGTERM, ctypes.cast(libc._exit, ctypes.c_void_p))  # a handler that ends with the signal's number
from agentlog import AgentTracer
tracer = AgentTracer("sess_1", agent_id="a", file=sys.argv[1])
tracer.track_tool_call("count", {"n": 1}, lambda: None)
tracer.flush()
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_handler_of_sigterm_that_a_server_has_written_in_c_stays(tmp_path: Path) -> None:
    code, _, err = run_program(HANDLED_IN_C, str(tmp_path / "run.ndjson"))
    assert code == signal.SIGTERM, err
