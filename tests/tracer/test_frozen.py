"""Processes that are frozen: the time in which they didn't run is no outage."""

import itertools
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.recording.system import running_time
from agentlog.recording.system.running_time import LARGEST_STEP_S, RunningClock, wait_while_running
from devkafka import eventually
from tests.conftest import TopicFactory
from tests.tracing import group_by_session, list_call_numbers, read_records, start_program

FROZEN = """
import os, signal, socket, sys, time
from agentlog import AgentTracer
cluster, topic, on_outage, spool = sys.argv[1:5]
tracer = AgentTracer("sess_1", agent_id="a", cluster=cluster, topic=topic, on_outage=on_outage, spool=spool, outage_s=4)
def cut_connections():
    port = int(cluster.rsplit(":", 1)[1])
    for name in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(name))) as copy:
                if copy.family == socket.AF_INET and copy.getpeername()[1] == port:
                    copy.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
def record(first, last):
    for n in range(first, last):
        tracer.track_tool_call("count", {"n": n, "text": "x" * 2_000}, str)
        time.sleep(0.0005)
"""
BUSY = """
record(0, 500)
assert tracer.flush(30)
record(500, 1_000)
cut_connections()
os.kill(os.getpid(), signal.SIGSTOP)
record(1_000, 2_000)
assert tracer.flush(30)
"""
IN_FLUSH = """
import threading
record(0, 100)
assert tracer.flush(30)
def freeze():
    time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGSTOP)
record(100, 1_900)
cut_connections()
record(1_900, 2_000)
threading.Thread(target=freeze).start()
assert tracer.flush(5)
"""
AT_THE_END = """
import atexit
record(0, 100)
assert tracer.flush(30)
cut_connections()
record(100, 2_000)
atexit.register(lambda: os.kill(os.getpid(), signal.SIGSTOP))
"""


def thaw_until_the_end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Freeze the process for longer than it calls an outage, each time that it stops itself."""

    def is_frozen() -> bool:
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state in "Tt"

    def has_ended() -> bool:
        if process.poll() is None and is_frozen():
            time.sleep(6)  # the length of the freeze is what is tested
            os.kill(process.pid, signal.SIGCONT)
        return process.poll() is not None

    eventually(has_ended, timeout=90)
    _, err = process.communicate(timeout=10)
    return process.returncode, err


@pytest.mark.parametrize(
    ("program", "on_outage"),
    [
        (BUSY, "raise"),
        (BUSY, "drop"),
        (BUSY, "spool"),
        (IN_FLUSH, "raise"),
        (AT_THE_END, "raise"),
        (AT_THE_END, "drop"),
    ],
)
def test_a_process_that_is_frozen_for_longer_than_an_outage_loses_nothing_and_raises_nothing(
    program: str, on_outage: str, kafka: str, topic: TopicFactory, tmp_path: Path
) -> None:
    name = topic()
    code, err = thaw_until_the_end(start_program(FROZEN + program, kafka, name, on_outage, str(tmp_path)))
    assert (code, err) == (0, "")
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert list_call_numbers(events) == list(range(2_000))


@given(st.lists(st.floats(0, 100)))
def test_the_running_time_advances_by_what_passed_between_two_looks_but_not_by_a_freeze(gaps: list[float]) -> None:
    now = list(itertools.accumulate(gaps, initial=1_000.0))
    with pytest.MonkeyPatch.context() as patch:
        times, get_real_time, thread = iter([now[0], *now]), time.monotonic, threading.get_ident()
        # The senders of earlier tests look at the clock too.
        patch.setattr(time, "monotonic", lambda: next(times) if threading.get_ident() == thread else get_real_time())
        clock = RunningClock()
        looks = [clock() for _ in now]
    assert looks == sorted(looks)
    assert looks[-1] - looks[0] == pytest.approx(sum(min(gap, LARGEST_STEP_S) for gap in gaps))


@pytest.mark.parametrize("timeout_s", [0.0, 0.3, 3.0])
def test_a_wait_lasts_its_running_time(timeout_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = [1_000.0], list[float]()
    monkeypatch.setattr(running_time.time, "monotonic", lambda: now[0])

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        now[0] += 60 if len(waits) == 1 else seconds  # frozen in the first one
        return False

    assert not wait_while_running(wait, timeout_s)
    assert sum(waits[1:]) == pytest.approx(max(0.0, timeout_s - LARGEST_STEP_S))
    assert wait_while_running(lambda _: True, 0)
