"""`/healthz`, `/readyz` and `/metrics`, on an address of their own."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.certificate import Certificate
from services.errors import SettingsError
from services.lifecycle.health import Health
from services.lifecycle.metrics import REGISTRY

log = structlog.get_logger()

_PATIENCE_S = 10


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], health: Health, tls: ssl.SSLContext | None
    ) -> None:
        self._tls = tls
        super().__init__(address, _handler(health))

    def finish_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Answer one client, in its own thread."""
        if self._tls is None or not isinstance(request, socket.socket):
            super().finish_request(request, client_address)
            return
        # Not where connections are accepted: a client that says nothing would hold up all others.
        request.settimeout(_PATIENCE_S)
        try:
            encrypted = self._tls.wrap_socket(request, server_side=True)
        except OSError as error:
            log.debug("probe without TLS", error=str(error))
            return
        with encrypted:
            super().finish_request(encrypted, client_address)


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S

        def do_GET(self) -> None:
            match self.path.split("?")[0]:
                case "/healthz":
                    alive = health.is_alive
                    self._answer(200 if alive else 503, json.dumps({"alive": alive}).encode())
                case "/readyz":
                    report = health.report()
                    self._answer(200 if report["ready"] else 503, json.dumps(report).encode())
                case "/metrics":
                    self._answer(200, generate_latest(REGISTRY), CONTENT_TYPE_LATEST)
                case _:
                    self._answer(404, b'{"error": "see /healthz, /readyz, /metrics"}')

        def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            log.debug("probe", line=format % args)

    return Handler


@contextmanager
def status_server(
    host: str, port: int, health: Health, certificate: Certificate | None = None
) -> Iterator[int]:
    """Serve until the block ends; yields the port, 0 when `port` is 0 (off).

    Args:
        host: address to listen on.
        port: of it.
        health: what is answered.
        certificate: to serve https with; None for http.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    if port == 0:
        yield 0
        return
    tls = None if certificate is None else certificate.server_context()
    try:
        server = _Server((host, port), health, tls)
    except OSError as error:
        raise SettingsError(f"METRICS_PORT={port}: {host}:{port}: {error.strerror}") from None
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="status", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
