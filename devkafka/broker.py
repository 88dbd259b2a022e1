"""One broker of a cluster, as a process."""

import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from .client import SILENT_LOGGER
from .errors import NotReady
from .process import Process


@dataclass(frozen=True)
class BrokerCommands:
    """The command that formats a broker's data folder once, and the command that runs the broker."""

    format: list[str]
    run: list[str]


class Broker(Process):
    """One broker of a cluster. Acknowledged records survive its being killed."""

    def __init__(self, cluster: str, node_id: int, bootstrap: str, folder: Path, commands: BrokerCommands) -> None:
        marker = shlex.quote(str(folder / "formatted"))
        format_once = f"test -e {marker} || {{ {shlex.join(commands.format)} && touch {marker}; }}"
        script = f"{{ {format_once}; }} && exec {shlex.join(commands.run)}"
        super().__init__(f"broker {node_id} of {cluster} at {bootstrap}", folder, script)
        self.id = node_id
        self.bootstrap = bootstrap

    def wait_until_ready(self, timeout: float = 240.0) -> None:
        """Wait until the broker answers a metadata request and lists itself; raise NotReady after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self._is_answering():
            if self.pid is None:
                raise NotReady(self.describe_end())
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} didn't answer within {timeout:g} s; {self.read_log_tail()}")

    def _is_answering(self) -> bool:
        """Ask with a new client, because a client that knows brokers no longer asks its bootstrap address."""
        quick = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200}
        admin = AdminClient({"bootstrap.servers": self.bootstrap, **quick}, logger=SILENT_LOGGER)
        try:
            return self.id in admin.list_topics(timeout=2).brokers
        except KafkaException:
            return False

    def start(self) -> None:
        """Start it and wait until it answers. Raise NotReady if it doesn't."""
        self.launch()
        self.wait_until_ready()

    def restart(self) -> None:
        """Stop it if it runs, start it with its old data, and wait until it answers. Raise NotReady if it doesn't."""
        self.stop()
        self.start()
