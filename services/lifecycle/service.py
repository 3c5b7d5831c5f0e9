"""What wraps the main of every service: logs, signals, health, metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
    with status_server(settings.metrics_host, settings.metrics_port, health):
        try:
            yield stop
        finally:
            if settings.metrics_textfile is not None:
                write_to_textfile(str(settings.metrics_textfile), REGISTRY)
            log.info("stopped")
