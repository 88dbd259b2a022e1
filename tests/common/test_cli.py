"""The end of a command, whatever ends it."""

import subprocess
import sys

from agentlog.cli import new_app
from tests.running import call

SIGNAL_IN_C_CODE = """
import ctypes, itertools, operator, signal
from confluent_kafka import Producer
from agentlog.cli import new_app, run

app = new_app("")

@app.command()
def ask():
    kill = ctypes.CDLL(None)["raise"]
    list(itertools.starmap(operator.call, [(kill, signal.SIGINT), (Producer, {"client.id": "one"})]))

run(app)
"""
"""Nothing of Python's own runs between the signal and librdkafka's look at its settings, which meets its handler."""


def test_a_signal_that_comes_while_c_code_calls_python_ends_the_command_without_a_word() -> None:
    done = subprocess.run([sys.executable, "-c", SIGNAL_IN_C_CODE, "ask"], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_any_other_error_is_told_as_a_bug_without_a_traceback() -> None:
    app = new_app("")

    @app.command()
    def ask() -> None:
        raise LookupError("nothing there")

    done = call(app, "ask")
    assert (done.code, done.out) == (70, b"")
    assert done.err.startswith(b"kshark: a bug, LookupError: nothing there\n")
