"""The HTTP server for /metrics, /healthz and /readyz."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agentlog.errors import UsageError

from .metrics import StatusPage


@contextmanager
def serve_page(page: StatusPage, address: str) -> Iterator[None]:
    """Serve a page at ``HOST:PORT`` while the block runs.

    Raises:
        UsageError: the address can't be used, or the extra ``metrics`` isn't installed.
    """
    server = _create_server(address, page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _create_server(address: str, page: StatusPage) -> ThreadingHTTPServer:
    try:
        from prometheus_client import CollectorRegistry  # noqa: PLC0415  an extra
    except ImportError:
        raise UsageError("--metrics needs the Prometheus client: pip install 'agentlog[metrics]'") from None
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    registry.register(page)
    handler = type("Handler", (_Handler,), {"page": page, "registry": registry})
    try:
        return ThreadingHTTPServer((host.strip("[]"), int(port)), handler)
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(f"--metrics {address[:60]!r} must be HOST:PORT of this machine: {error}") from None


class _Handler(BaseHTTPRequestHandler):
    page: StatusPage
    registry: Any

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == "/metrics":
            from prometheus_client.exposition import choose_encoder  # noqa: PLC0415  an extra

            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self._respond(200, encode(self.registry), kind)
        elif self.path == "/healthz":
            code, text = self.page.check_health()
            self._respond(code, f"{text}\n".encode(), "text/plain; charset=utf-8")
        elif self.path == "/readyz":
            code, text = self.page.check_readiness()
            self._respond(code, f"{text}\n".encode(), "text/plain; charset=utf-8")
        else:
            self._respond(404, b"the pages are /metrics, /healthz and /readyz\n", "text/plain; charset=utf-8")

    def _respond(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the library's
        """Log nothing about requests."""
