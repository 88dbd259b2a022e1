"""Addresses of this machine that give no answer."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

PENDING_CONNECTIONS = 4
"""More than a queue of length 0 takes, on each system that we know."""


@contextmanager
def drop_connections() -> Iterator[str]:
    """Yield an address at which a new connection is neither taken nor refused, as behind a firewall."""
    with ExitStack() as exit_stack:
        listener = exit_stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(PENDING_CONNECTIONS):
            pending = exit_stack.enter_context(socket.socket())
            pending.setblocking(False)
            pending.connect_ex(listener.getsockname())
        yield _name_address(listener)


@contextmanager
def take_connections_without_answer() -> Iterator[str]:
    """Yield an address at which connections are taken, and no request is answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=500) as listener:
        yield _name_address(listener)


def _name_address(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"{host}:{port}"
