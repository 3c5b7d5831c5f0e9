"""Serves the pushing of pictures on a thread beside the cameras."""

from __future__ import annotations

import os
import socket
import threading

import structlog
import uvicorn

from producer.ingest.app import Ingest, IngestRules
from producer.ingest.pushes import Pushes
from producer.settings import ProducerSettings
from services.errors import BrokerError, SettingsError

log = structlog.get_logger()

_BACKLOG = 128
_STOP_WITHIN_S = 1
_MOST_CONNECTIONS = 4


class IngestServer:
    """Listens from construction on, answers between `start` and `close`.

    Args:
        settings: of the process.
        pushes: takes the frames.

    Raises:
        SettingsError: the address cannot be bound.
    """

    def __init__(self, settings: ProducerSettings, pushes: Pushes) -> None:
        host, port = settings.ingest_host, settings.ingest_port
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            words = os.strerror(error.errno or 0)
            raise SettingsError(f"INGEST_PORT={port}: {host}:{port}: {words}") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self._failure: BrokerError | None = None
        certificate = settings.ingest_certificate
        config = uvicorn.Config(
            Ingest(pushes, _rules(settings), self._fail),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS * settings.ingest_max_cameras + 64,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_STOP_WITHIN_S,
            ssl_certfile=None if certificate is None else str(certificate.chain),
            ssl_keyfile=None if certificate is None else str(certificate.key),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="ingest", daemon=True)

    def start(self) -> None:
        """Begin to take pictures."""
        self._thread.start()
        log.info("ingest listening", port=self.port)

    def look(self) -> None:
        """See that all is well.

        Raises:
            BrokerError: the broker refused a frame for good.
        """
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Finish what is being taken, for a second at most, and end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_WITHIN_S + 0.3)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def _fail(self, error: BrokerError) -> None:
        self._failure = error


def _rules(settings: ProducerSettings) -> IngestRules:
    token = settings.ingest_token
    on_loopback = settings.ingest_on_loopback
    return IngestRules(
        token=None if token is None else token.get_secret_value(),
        only_hosts=IngestRules.on_loopback(settings.ingest_host) if on_loopback else (),
        max_bytes=settings.kafka_max_message_bytes,
        max_side_px=settings.max_side,
        jpeg_quality=settings.jpeg_quality,
    )
