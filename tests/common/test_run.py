"""The end of a command: by itself, by an error, by a signal."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentlog.terminal.command import new_app
from tests.running import make_environment, run_in_process


def python(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run Python, which finds modules in ``path`` before all others."""
    env = make_environment() if path is None else make_environment(PYTHONPATH=str(path))
    return subprocess.run([sys.executable, *arguments], capture_output=True, check=False, timeout=60, env=env)


SIGNAL_IN_C_CODE = """
import ctypes, itertools, operator, signal
from confluent_kafka import Producer
from agentlog.terminal.command import new_app
from agentlog.terminal.run import run

def ask():
    kill = ctypes.CDLL(None)["raise"]
    list(itertools.starmap(operator.call, [(kill, signal.SIGINT), (Producer, {"client.id": "one"})]))

run(new_app("", ask))
"""
"""No Python code runs between the signal and librdkafka's call of Python, which runs the signal's handler."""


def test_a_signal_that_comes_while_c_code_calls_python_ends_the_command_without_a_word() -> None:
    done = python("-c", SIGNAL_IN_C_CODE, "ask")
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


SIGNAL_IN_AN_IMPORT = """
import time
from agentlog.terminal.command import new_app
from agentlog.terminal.run import run

def ask():
    import loaded_now
    time.sleep(60)

run(new_app("", ask))
"""


def test_a_signal_that_comes_while_code_is_loaded_ends_the_command_when_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "loaded_now.py").write_text("import signal; signal.raise_signal(signal.SIGTERM); print('loaded')")
    done = python("-c", SIGNAL_IN_AN_IMPORT, "ask", path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (143, b"loaded\n", b"")


@pytest.mark.parametrize("tool", ["kshark", "kdiff", "kafmirror"])
def test_ctrl_c_before_a_tool_is_loaded_ends_it_without_a_word(tool: str, tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import signal; signal.raise_signal(signal.SIGINT)")
    done = python("-m", tool, "--help", path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_any_other_error_is_told_as_a_bug_without_a_traceback() -> None:
    def ask() -> None:
        raise LookupError("nothing there")

    done = run_in_process(new_app("", ask), "ask")
    assert (done.code, done.out) == (70, b"")
    assert done.err.startswith(b"kshark: a bug, LookupError: nothing there\n")
