"""What wraps the main of every service: logs, signals, health, metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from prometheus_client import write_to_textfile

from services.lifecycle.health import Health
from services.lifecycle.logs import setup_logging
from services.lifecycle.metrics import REGISTRY
from services.lifecycle.server import status_server
from services.lifecycle.stopping import StopSignal, install_signal_handlers
from services.settings import ServiceSettings

log = structlog.get_logger()


@contextmanager
def running(settings: ServiceSettings, health: Health) -> Iterator[StopSignal]:
    """Run a service: yields the signal that says when to stop.

    On the way out, however it ends, the metrics are written to `METRICS_TEXTFILE`.
    """
    setup_logging(settings)
    stop = StopSignal()
    install_signal_handlers(stop)
    with status_server(
        settings.metrics_host, settings.metrics_port, health, settings.metrics_certificate
    ):
        try:
            yield stop
        finally:
            if settings.metrics_textfile is not None:
                _write_metrics(settings.metrics_textfile)
            log.info("stopped")


def _write_metrics(path: Path) -> None:
    try:
        write_to_textfile(str(path), REGISTRY)
    except OSError as error:
        log.error("metrics are not written", path=str(path), error=str(error))  # noqa: TRY400
