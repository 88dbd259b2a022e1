"""A program that ends with the run and can be paused, stopped and killed."""

import os
import shlex
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from .errors import NotReady


class Process:
    """A program, run by a shell script in its own process group.

    `folder` is in the run's folder, whose watchdog finds the process group there; it is created if it is missing.
    `log_file` gets all output.
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
        """The process id, or None while it doesn't run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def launch(self) -> None:
        """Start it if it doesn't run, without waiting for it."""
        if self.pid:
            return
        command = ["sh", "-c", self._script]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, timeout: float = 30.0) -> None:
        """Let it finish (SIGTERM), and kill it if that takes longer than `timeout` seconds."""
        if self._process and self.pid:
            self.resume()
            self._send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """Kill it at once (SIGKILL). Its files stay."""
        if self._process:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._pid_file.unlink(missing_ok=True)
            self._process = None

    def pause(self) -> None:
        """Pause it (SIGSTOP), and return when it has stopped. Its connections stay open, and it answers nothing."""
        self.resume()  # so that this is a new stop, which the system reports
        self._send_signal(signal.SIGSTOP)
        if pid := self.pid:
            os.waitpid(pid, os.WUNTRACED)  # threads on other cores run on for a moment

    def resume(self) -> None:
        """Let it continue after a pause (SIGCONT). This does nothing if it isn't paused."""
        self._send_signal(signal.SIGCONT)

    def describe_end(self) -> str:
        """Return a message that it doesn't run, with the last lines of its log."""
        return f"{self.name} ended; {self.read_log_tail()}"

    def read_log_tail(self) -> str:
        """Return the last 25 lines of its log, for a message."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        return "\n  ".join(["the end of its log:", *lines[-25:]])

    def _send_signal(self, number: signal.Signals) -> None:
        if self.pid is None:
            raise NotReady(f"{self.name} doesn't run, so it can't get {number.name}")
        os.killpg(self.pid, number)
