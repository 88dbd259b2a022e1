"""A program that ends with the run, and that can be paused, stopped and killed before."""

import os
import shlex
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from .errors import NotReady


class Process:
    """A program, as a shell script, in a process group of its own.

    `folder`, made when it isn't there, lies in the run's folder, which so knows the group; `log_file` gets all output.
    """

    def __init__(self, name: str, folder: Path, script: str) -> None:
        folder.mkdir(exist_ok=True)
        self.name = name
        self.log_file = folder / "log"
        self._pid_file = folder / "pid"
        self._script = f"echo $$ > {shlex.quote(str(self._pid_file))} && {script}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None while it doesn't run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def launch(self) -> None:
        """Start it, unless it runs, without waiting for anything."""
        if self.pid:
            return
        command = ["sh", "-c", self._script]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, timeout: float = 30.0) -> None:
        """Let it finish (SIGTERM), and kill it when that takes longer than `timeout` seconds."""
        if self._process and self.pid:
            self.resume()
            self._send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL); what it wrote to files stays."""
        if self._process:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._pid_file.unlink(missing_ok=True)
            self._process = None

    def pause(self) -> None:
        """Stop its clock (SIGSTOP), and return once it stands: connections stay open, and nothing is answered."""
        self.resume()  # so that this stop is a new one, which the system tells of
        self._send_signal(signal.SIGSTOP)
        if pid := self.pid:
            os.waitpid(pid, os.WUNTRACED)  # threads on other cores run on for a moment

    def resume(self) -> None:
        """Let it go on after a pause (SIGCONT); does nothing when it isn't paused."""
        self._send_signal(signal.SIGCONT)

    def describe_end(self) -> str:
        """Say that it doesn't run, with the end of its log."""
        return f"{self.name} ended; {self.read_log_tail()}"

    def read_log_tail(self) -> str:
        """Return the last lines of its log, for a message."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        return "\n  ".join(["the end of its log:", *lines[-25:]])

    def _send_signal(self, number: signal.Signals) -> None:
        if self.pid is None:
            raise NotReady(f"{self.name} doesn't run, so it can't get {number.name}")
        os.killpg(self.pid, number)
