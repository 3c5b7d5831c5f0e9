"""Structured logs: key=value on a terminal, JSON in a container, always on stderr."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

import structlog

from services.settings import ServiceSettings

_NOISY = (
    "uvicorn.access",
    "uvicorn.error",
    "httpx",
    "alembic",
    "jgo",
    "cjdk",
    "urllib3",
    "libav",
)
_REPEATED_AFTER_S = 30.0
_MOST_REMEMBERED = 256


class Unrepeated(logging.Filter):
    """Keeps a line back that was written within the last half minute.

    librdkafka says of a broker that is away ten times a second that it is.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._written_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is to be written."""
        text, now_s = record.getMessage(), self._clock()
        if now_s - self._written_s.get(text, -_REPEATED_AFTER_S) < _REPEATED_AFTER_S:
            return False
        if len(self._written_s) >= _MOST_REMEMBERED:
            self._written_s.clear()
        self._written_s[text] = now_s
        return True


def setup_logging(settings: ServiceSettings) -> None:
    """Set up structlog and the standard library's logging alike, once per process."""
    as_json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _naming(settings.service_name),
    ]
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [_console()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderers,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("librdkafka").filters[:] = [Unrepeated()]
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _console() -> structlog.typing.Processor:
    # The default traceback shows local variables: frames, embeddings, secrets.
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        pad_event_to=0,
        exception_formatter=structlog.dev.plain_traceback,
    )


def _naming(service: str) -> structlog.typing.Processor:
    # Not a context variable: threads would start without it.
    def name(
        logger: object, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        del logger, method
        event.setdefault("service", service)
        return event

    return name
