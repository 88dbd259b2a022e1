"""Free TCP ports on 127.0.0.1 that parallel runs don't take from each other."""

import random
import socket

# Below what Linux and macOS hand to outgoing connections: one of those could take a broker's port while it restarts.
_RANGE = range(15_000, 32_000)


def reserve_port() -> socket.socket:
    """Return a socket whose port number is ours, for TCP, for as long as the socket is open.

    It is a UDP socket: it leaves the TCP port of the same number free for the broker, and keeps other runs, which
    reserve in the same way, off it. The kernel frees it however the run ends.
    """
    for port in random.sample(_RANGE, k=1000):
        reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            reservation.bind(("127.0.0.1", port))
            _check_tcp_port(port)
        except OSError:
            reservation.close()
        else:
            return reservation
    raise OSError(f"no free port between {_RANGE.start} and {_RANGE.stop} on 127.0.0.1")


def get_port(reservation: socket.socket) -> int:
    """Return the port number that a socket of `reserve_port` holds."""
    port: int = reservation.getsockname()[1]
    return port


def _check_tcp_port(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
