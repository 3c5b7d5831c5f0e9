"""Serving the REST API on a thread beside the matching."""

from __future__ import annotations

import socket
import threading

import structlog
import uvicorn
from fastapi import FastAPI

from services.certificate import Certificate
from services.errors import SettingsError

log = structlog.get_logger()

_BACKLOG = 128
_SHUTDOWN_S = 1


class ApiServer:
    """Listens from construction on, answers between `start` and `stop`.

    Args:
        app: the API.
        host: address to bind.
        port: 0 for any free one.
        certificate: to serve https with; None for http.

    Raises:
        SettingsError: the address cannot be bound.
    """

    def __init__(
        self, app: FastAPI, host: str, port: int, certificate: Certificate | None = None
    ) -> None:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise SettingsError(f"API_PORT={port}: {host}:{port}: {error.strerror}") from None
        # asyncio sets this only on sockets made with an explicit protocol, and uvicorn writes head
        # and body apart: without it every answer on a kept connection takes 40 ms longer.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=256,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_SHUTDOWN_S,
            ssl_certfile=None if certificate is None else str(certificate.chain),
            ssl_keyfile=None if certificate is None else str(certificate.key),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="api", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        log.info("API listening", port=self.port)

    def stop(self) -> None:
        """Finish what is being answered, for a second at most, and end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_SHUTDOWN_S + 1)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])
