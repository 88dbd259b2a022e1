"""A Kafka cluster of one or several brokers in KRaft mode, on free ports, with its own folder."""

import base64
import secrets
import shlex
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from .broker import Broker, BrokerCommands
from .folder import create_run_folder
from .java import build_java_command, prepare
from .ports import get_port, reserve_port
from .process import Process
from .properties import Node, build_server_properties, format_properties
from .tls import Certificate, make_certificate


class KafkaCluster:
    """A cluster that lives as long as its `with` block, and never longer than our process.

    With `secure`, a second listener speaks TLS with SASL/SCRAM-SHA-512. It knows two users: `admin` may do anything,
    `stranger` has no rights until ACLs give it some. Clients of the plain listener may do anything.
    `properties` are added to the properties of each broker, for example {"connections.max.idle.ms": "2000"}.
    `misleading` adds plain listeners, for example {"REFUSED": "127.0.0.1:1"}. To a client of that listener the last
    broker gives this address as its own, as a wrong `advertised.listeners` does. The other brokers give their own.
    """

    def __init__(
        self,
        name: str = "dev",
        *,
        brokers: int = 1,
        secure: bool = False,
        properties: Mapping[str, str] | None = None,
        misleading: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.users = {user: secrets.token_hex(16) for user in ("admin", "stranger")} if secure else {}
        self.brokers: list[Broker] = []
        self._size = brokers
        self._properties = dict(properties or {})
        self.misleading = dict(misleading or {})
        self._nodes: list[Node] = []
        self._folder: Path | None = None
        self._certificate: Certificate | None = None
        self._exit_stack = ExitStack()

    @property
    def bootstrap(self) -> str:
        """The plain listeners of all brokers, as `127.0.0.1:port,...`."""
        return ",".join(f"127.0.0.1:{node.plain_port}" for node in self._nodes)

    @property
    def secure_bootstrap(self) -> str:
        """The TLS listeners of all brokers, as `127.0.0.1:port,...`."""
        return ",".join(f"127.0.0.1:{node.secure_port}" for node in self._nodes)

    def get_misleading_bootstrap(self, listener: str) -> str:
        """Return the addresses of the listener `listener` of `misleading`, of all brokers, as `127.0.0.1:port,...`."""
        return ",".join(f"127.0.0.1:{node.misled_ports[listener]}" for node in self._nodes)

    @property
    def ca_file(self) -> Path:
        """The PEM file of the authority that signed the brokers' certificate."""
        if self._certificate is None:
            raise ValueError(f"cluster {self.name} isn't secure, or not launched")
        return self._certificate.ca_file

    def client_properties(self, user: str | None = None) -> dict[str, str]:
        """Return librdkafka's properties for a connection: plain, or as one of `users` over TLS."""
        if user is None:
            return {"bootstrap.servers": self.bootstrap}
        return {
            "bootstrap.servers": self.secure_bootstrap,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.ca_file),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": self.users[user],
        }

    def __enter__(self) -> Self:
        """Start the brokers and wait until they answer. Raise NotInstalled or NotReady."""
        try:
            self.launch()
            self.wait_until_ready()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def launch(self) -> None:
        """Start the brokers without waiting for them. Raise NotInstalled if Java or the jars are missing."""
        prepare()
        self._folder = self._exit_stack.enter_context(create_run_folder(f"devkafka-{self.name}-"))
        self._nodes = [
            Node(
                id=number,
                plain_port=self._reserve_port(),
                controller_port=self._reserve_port(),
                secure_port=self._reserve_port(),
                misled_ports={name: self._reserve_port() for name in self.misleading},
                misled_to=self.misleading if number == self._size else {},
            )
            for number in range(1, self._size + 1)
        ]
        self._certificate = make_certificate(self._folder) if self.users else None
        self.brokers = [self._make_broker(node, self._folder / f"broker-{node.id}") for node in self._nodes]
        for broker in self.brokers:
            self._launch_process(broker)

    def wait_until_ready(self) -> None:
        """Wait until every broker answers. Raise NotReady if one doesn't."""
        for broker in self.brokers:
            broker.wait_until_ready()

    def recover(self) -> None:
        """Resume paused brokers, start stopped ones, and wait until all answer. Raise NotReady if one doesn't."""
        for broker in self.brokers:
            if broker.pid:
                broker.resume()
            else:
                broker.launch()
        self.wait_until_ready()

    def start_program(self, main_class: str, *arguments: str, heap: str = "512m") -> Process:
        """Start a program of Kafka, for example MirrorMaker 2. It ends with the cluster. Raise NotInstalled."""
        if self._folder is None:
            raise ValueError(f"cluster {self.name} isn't launched")
        name = f"{main_class.rpartition('.')[2]}-{uuid.uuid4().hex[:8]}"
        command = build_java_command(main_class, *arguments, heap=heap)
        program = Process(name, self._folder / name, f"exec {shlex.join(command)}")
        self._launch_process(program)
        return program

    def _launch_process(self, process: Process) -> None:
        self._exit_stack.callback(process.kill)
        process.launch()

    def end(self) -> None:
        """Kill the brokers and remove their folder. A second call does nothing."""
        self._exit_stack.close()

    def _reserve_port(self) -> int:
        return get_port(self._exit_stack.enter_context(reserve_port()))

    def _make_broker(self, node: Node, folder: Path) -> Broker:
        folder.mkdir()
        config = folder / "server.properties"
        base_properties = build_server_properties(node, self._nodes, self._certificate)
        config.write_text(format_properties({**base_properties, "log.dirs": str(folder / "data"), **self._properties}))
        scram = [f"SCRAM-SHA-512=[name={user},password={password}]" for user, password in self.users.items()]
        options = [part for each in scram for part in ("--add-scram", each)]
        storage = ["kafka.tools.StorageTool", "format", f"--cluster-id={self.id}", "--config", str(config), *options]
        commands = BrokerCommands(
            format=build_java_command(*storage), run=build_java_command("kafka.Kafka", str(config))
        )
        return Broker(self.name, node.id, f"127.0.0.1:{node.plain_port}", folder, commands)


@contextmanager
def run_clusters(*clusters: KafkaCluster) -> Iterator[tuple[KafkaCluster, ...]]:
    """Start several clusters at once, and end them together. Raise NotInstalled or NotReady."""
    with ExitStack() as exit_stack:
        for cluster in clusters:
            exit_stack.callback(cluster.end)
            cluster.launch()
        for cluster in clusters:
            cluster.wait_until_ready()
        yield clusters
