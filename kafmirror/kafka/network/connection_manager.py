"""The manager of a cluster's connections: it tries all addresses of a name, and knows why a broker can't be reached."""

import os
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import kafka.errors as kafka_errors
from kafka.future import Future
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from .race import AllFailedError, race

NO_ANSWER = "no answer"


class ConnectionManager(KafkaConnectionManager):  # type: ignore[misc]
    """A manager of connections. Its connections are made in the thread of kafka-python's event loop.

    Attributes:
        failures: why a broker can't be reached, by its number, or by its place among the bootstrap addresses.
    """

    def __init__(self, net: Any, **config: Any) -> None:
        super().__init__(net, **config)
        self.failures: dict[int | str, str] = {}

    def get_connection(self, node_id: Any, *arguments: Any, **options: Any) -> Any:
        """Return the connection to a broker, a new one if there is none. Note why it can't be made."""
        connection = super().get_connection(node_id, *arguments, **options)
        if connection.initializing:
            connection.init_future.add_errback(partial(self._note_failure, node_id))
            connection.init_future.add_callback(lambda _: self.failures.pop(node_id, None))
        return connection

    def _note_failure(self, node_id: int | str, error: Exception) -> None:
        self.failures[node_id] = describe_failure(error)

    def describe_address(self, node_id: int | str) -> str:
        """Return a broker's host and port."""
        broker = self.cluster.broker_metadata(node_id)
        if broker is None:
            return f"broker {node_id}"
        return f"[{broker.host}]:{broker.port}" if ":" in broker.host else f"{broker.host}:{broker.port}"

    def choose_node(self) -> int | str | None:
        """Return the broker for a request that any broker answers: one that is connected, if there is one."""
        free = [node for node, connection in self._conns.items() if connection.connected and not connection.paused]
        if free:
            quietest: int | str = min(free, key=lambda node: len(self._conns[node].in_flight_requests))
            return quietest
        least_loaded: int | str | None = self.least_loaded_node()
        return least_loaded

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        """Connect to the first address of the broker's name that answers. kafka-python tries one after the other."""
        deadline = time.monotonic() + 30 if timeout_at is None else timeout_at
        addresses = await _resolve(self._net, node.host, node.port)
        ways = [partial(self._open_socket, address, deadline) for address in addresses]
        try:
            opened = await race(self._net, ways, socket.socket.close)
        except AllFailedError as error:
            raise kafka_errors.KafkaConnectionError(
                "; ".join(dict.fromkeys(map(describe_failure, error.errors)))
            ) from None
        return await self._shake_hands(node, opened)

    def _open_socket(self, address: Any, deadline: float) -> Awaitable[socket.socket]:
        opening: Awaitable[socket.socket] = KafkaNetSocket().connect(
            self._net, address, self.config["socket_options"], timeout_at=deadline
        )
        return opening

    async def _shake_hands(self, node: Any, opened: socket.socket) -> Any:
        if self.ssl_enabled:
            options = {name: value for name, value in self.config.items() if name.startswith("ssl_")}
            transport = KafkaSSLTransport(self._net, opened, host=node.host, **options)
        else:
            transport = KafkaTCPTransport(self._net, opened, host=node.host)
        try:
            await transport.handshake()
        except Exception as error:
            raise kafka_errors.KafkaConnectionError(f"Handshake failed: {error}") from error
        return transport


async def _resolve(net: Any, host: str, port: int) -> list[Any]:
    """Return the addresses of a name. A thread looks them up, so that a slow name server holds up no connection."""
    found: Future = Future()

    def look_up() -> None:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            failure = kafka_errors.KafkaConnectionError(f"the name {host} isn't known: {describe_failure(error)}")
            _call_in_loop(net, lambda: found.failure(failure))
        else:
            _call_in_loop(net, lambda: found.success(addresses))

    threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
    addresses: list[Any] = await found
    return addresses


def _call_in_loop(net: Any, function: Callable[[], object]) -> None:
    try:
        net.call_soon_threadsafe(function)
    except RuntimeError:  # the command has ended meanwhile
        return


def describe_failure(error: BaseException) -> str:
    """Return why a connection can't be made, without kafka-python's names."""
    if isinstance(error, kafka_errors.KafkaTimeoutError | kafka_errors.RequestTimedOutError | TimeoutError):
        return NO_ANSWER
    text = str(error.args[0] if isinstance(error, kafka_errors.KafkaError) and error.args else error)
    if isinstance(error, socket.gaierror):
        return error.strerror or text
    if number := re.fullmatch(r"(\d+) E[A-Z]+", text):
        return os.strerror(int(number[1])).lower()
    return text or type(error).__name__
