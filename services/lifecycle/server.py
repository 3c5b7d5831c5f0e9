"""`/healthz`, `/readyz` and `/metrics`, on an address of their own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.errors import SettingsError
from services.lifecycle.health import Health
from services.lifecycle.metrics import REGISTRY

log = structlog.get_logger()


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

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
def status_server(host: str, port: int, health: Health) -> Iterator[int]:
    """Serve until the block ends; yields the port, 0 when `port` is 0 (off).

    Raises:
        SettingsError: the address cannot be listened on.
    """
    if port == 0:
        yield 0
        return
    try:
        server = ThreadingHTTPServer((host, port), _handler(health))
    except OSError as error:
        raise SettingsError(f"METRICS_PORT={port}: {host}:{port}: {error.strerror}") from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="status", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
