"""Programs that run agents, each started for a test: web servers, workers of a queue, and the queue's own server."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from devkafka import eventually
from tests.tracing import ROOT, StoredRecord, group_by_session, list_call_numbers, read_records


class Host:
    """A program that runs agents. Its processes are a group of their own."""

    def __init__(self, folder: Path, *command: str, **variables: str) -> None:
        paths = os.pathsep.join(map(str, (ROOT / "common", ROOT, folder)))
        program = Path(sys.executable).with_name(command[0])
        self._log_path = folder / "log"
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [str(program) if program.exists() else command[0], *command[1:]],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What the program has written so far."""
        return self._log_path.read_text(errors="replace")

    def stop(self) -> None:
        """Ask the program to end, and wait until it has ended."""
        self.process.terminate()
        self.process.wait(timeout=60)

    def kill(self) -> None:
        """Kill whatever the program has left."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=60)


@contextmanager
def run_host(folder: Path, *command: str, **variables: str) -> Iterator[Host]:
    """Run a program in ``folder``, whose modules it can import. Kill it at the end if it still runs."""
    host = Host(folder, *command, **variables)
    try:
        yield host
    finally:
        host.kill()


@contextmanager
def run_redis(folder: Path) -> Iterator[Path]:
    """Run a Redis server, and yield the path of its socket."""
    folder.mkdir()
    path = folder / "redis.sock"
    with run_host(folder, "redis-server", "--port", "0", "--unixsocket", str(path), "--save", "") as redis:
        eventually(path.exists)
        yield path
        redis.stop()


def request(address: str) -> str:
    """Return the answer to a GET request. Ask again until the server answers."""

    def ask() -> str | None:
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return None

    return eventually(ask, timeout=60) or ""


def find_whole_sessions(bootstrap: str, topic: str, calls: int) -> set[str]:
    """Return the sessions whose calls and end are all there, once and in order."""
    records: list[StoredRecord] = read_records(bootstrap, topic)
    return {
        session
        for session, events in group_by_session(records).items()
        if list_call_numbers(events) == list(range(calls)) and events[-1]["event_type"] == "session_end"
    }
