"""One broker as a process that can be killed, paused and restarted."""

import os
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from .client import QUIET
from .errors import NotReady


@dataclass(frozen=True)
class Commands:
    """The command that formats a broker's folder, once, and the one that runs it."""

    format: list[str]
    run: list[str]


class Broker:
    """One broker of a cluster, in its own folder under the run's folder."""

    def __init__(self, node_id: int, bootstrap: str, folder: Path, commands: Commands) -> None:
        self.id = node_id
        self.bootstrap = bootstrap
        self.log_file = folder / "broker.log"
        self._folder = folder
        self._commands = commands
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None while it doesn't run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def launch(self) -> None:
        """Start the process without waiting for it to answer."""
        pid, formatted = self._folder / "pid", self._folder / "data" / "meta.properties"
        script = (
            f"echo $$ > {shlex.quote(str(pid))} && "
            f"{{ test -e {shlex.quote(str(formatted))} || {shlex.join(self._commands.format)}; }} && "
            f"exec {shlex.join(self._commands.run)}"
        )
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def wait_until_ready(self, timeout: float = 90.0) -> None:
        """Wait until the broker answers a metadata request and is in it; raises NotReady after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        quick = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200, "topic.metadata.refresh.interval.ms": -1}
        admin = AdminClient({"bootstrap.servers": self.bootstrap, **quick}, logger=QUIET)
        while not self._answers(admin):
            if self.pid is None:
                raise NotReady(self.ended())
            if time.monotonic() > deadline:
                raise NotReady(
                    f"broker {self.id} at {self.bootstrap} didn't answer within {timeout:g} s; {self._log_tail()}"
                )

    def _answers(self, admin: AdminClient) -> bool:
        try:
            return self.id in admin.list_topics(timeout=0.5).brokers
        except KafkaException:
            return False

    def ended(self) -> str:
        """Say that it doesn't run, with the end of its log."""
        return f"broker {self.id} at {self.bootstrap} ended; {self._log_tail()}"

    def _log_tail(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()
        return "\n  ".join(["the end of its log:", *lines[-25:]])

    def start(self) -> None:
        """Start it and wait until it answers; raises NotReady."""
        self.launch()
        self.wait_until_ready()

    def stop(self, timeout: float = 30.0) -> None:
        """Let it finish (SIGTERM), and kill it when that takes longer than `timeout` seconds."""
        if self._process and self.pid:
            self._signal(signal.SIGTERM)
            self.resume()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL); what it acknowledged stays in its folder."""
        if self._process:
            if self._process.poll() is None:
                self._signal(signal.SIGKILL)
            self._process.wait()
            (self._folder / "pid").unlink(missing_ok=True)
            self._process = None

    def pause(self) -> None:
        """Stop its clock (SIGSTOP): connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused broker go on (SIGCONT); does nothing to one that isn't paused."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop it if it runs, start it with what its folder holds, and wait until it answers."""
        self.stop()
        self.start()

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is None:
            raise NotReady(f"broker {self.id} doesn't run, so it can't get {number.name}")
        os.killpg(self.pid, number)
