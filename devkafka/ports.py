"""Free TCP ports on 127.0.0.1, reserved against parallel runs."""

import random
import socket

# Below the ports of outgoing connections on Linux and macOS. Such a connection could take the port of a broker that
# restarts.
_RANGE = range(15_000, 32_000)


def reserve_port() -> socket.socket:
    """Return a socket that reserves a TCP port number for us while the socket is open.

    It is a UDP socket. So the TCP port of the same number is free for the broker, and other runs, which reserve in the
    same way, can't take it. The kernel frees it at the end of the run, for whatever reason that ends.
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
    """Return the port number that a socket of `reserve_port` reserves."""
    port: int = reservation.getsockname()[1]
    return port


def _check_tcp_port(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
