"""Publishes how this service is doing, every few seconds, from a thread of its own.

The service never waits for it and never hears of it: with the broker away at most one report waits,
and is replaced by the next; nothing is logged twice; at the end it takes a moment at most.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from services.errors import BrokerError, RetriableError, SettingsError
from services.kafka.settings import KafkaSettings
from services.kafka.topics import ensure_topics
from services.lifecycle.health import Health
from services.status.clients import quiet_producer
from services.status.numbers import Reading, numbers_between, read_metrics
from services.status.report import HealthPart, StatusReport, shortened

log = structlog.get_logger()

_ASK_TIMEOUT_S = 2.0
_LOOK_AGAIN_S = 60.0
_LAST_WORD_S = 0.3
_END_WITHIN_S = 0.5
# Reading the metrics of 500 cameras takes 50 ms: with so many it reports less often.
_MOST_OF_A_CORE = 0.02


class Reporter:
    """Runs between `start` and `stop`; `tell` adds what only the service knows.

    Args:
        settings: brokers, `TOPIC_STATUS`, `STATUS_EVERY_S`.
        health: what is ready.
        instance: a name that tells it from others of its service; host and process when None.
    """

    def __init__(
        self, settings: KafkaSettings, health: Health, instance: str | None = None
    ) -> None:
        self._settings = settings
        self._health = health
        self._instance = shortened(instance or f"{socket.gethostname()}-{os.getpid()}")
        self._version = version("facestream")
        self._started_at = datetime.now(UTC)
        self._told: dict[str, str] = {}
        self._ask: Callable[[], Mapping[str, str]] = dict
        self._stop = threading.Event()
        self._answering = False
        self._before = Reading(time.monotonic())
        self._every_s = settings.status_every_s
        self._thread = threading.Thread(target=self._run, name="status-report", daemon=True)

    def tell(self, **about: str) -> None:
        """Say something that holds from now on: `model_pack="buffalo_s"`."""
        self._told |= {name: shortened(text) for name, text in about.items()}

    def ask(self, about: Callable[[], Mapping[str, str]]) -> None:
        """Ask for more of the same with every report; from another thread, so cheaply."""
        self._ask = about

    def start(self) -> None:
        """Begin to report; does nothing with `STATUS_EVERY_S=0`."""
        if self._settings.status_every_s > 0:
            self._thread.start()

    def stop(self) -> None:
        """Say goodbye where somebody listens, and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_WITHIN_S)

    def report(self, *, ending: bool = False) -> StatusReport:
        """What there is to say since the last call."""
        now = read_metrics(time.monotonic())
        before, self._before = self._before, now
        health = self._health.report()
        parts = health["parts"]
        about = {**self._told, **self._ask()}
        return StatusReport(
            service=self._settings.service_name,
            instance=self._instance,
            version=self._version,
            started_at=self._started_at,
            at=datetime.now(UTC),
            every_s=self._every_s,
            ending=ending,
            ready=bool(health["ready"]) and not ending,
            parts={
                shortened(name): HealthPart(ok=part["ok"], detail=shortened(part["detail"]))
                for name, part in (parts if isinstance(parts, dict) else {}).items()
            },
            numbers=numbers_between(before, now, resident_mb()),
            about={name: shortened(text) for name, text in about.items()},
        )

    def _run(self) -> None:
        try:
            producer = quiet_producer(self._settings, 2 * self._settings.status_every_s)
        except SettingsError:
            return  # the service's own clients say so, and end it
        if not self._until_there(producer):
            return
        while True:
            began_s = time.thread_time()
            ending = self._stop.is_set()
            self.publish(producer, ending=ending)
            if ending:
                break
            cost_s = time.thread_time() - began_s
            self._every_s = max(self._settings.status_every_s, cost_s / _MOST_OF_A_CORE)
            self._wait(producer, self._every_s)
        if self._answering:
            producer.flush(_LAST_WORD_S)

    def _until_there(self, producer: Producer) -> bool:
        """Wait for broker and topic; False when told to stop meanwhile."""
        topic = self._settings.topic_status
        while not self._stop.is_set():
            pause_s = self._settings.status_every_s
            try:
                cluster = producer.list_topics(timeout=_ASK_TIMEOUT_S)
                if topic in cluster.topics or ensure_topics(self._settings, [topic]):
                    return True
                if self._settings.kafka_create_topics:
                    return True  # somebody else was faster
                log.info("no status is reported: the topic is missing", topic=topic)
                pause_s = _LOOK_AGAIN_S
            except BrokerError as error:
                log.warning("no status is reported", error=str(error))
                pause_s = _LOOK_AGAIN_S
            except (KafkaException, RetriableError):
                log.debug("no status is reported: Kafka does not answer")
            self._stop.wait(pause_s)
        return False

    def publish(self, producer: Producer, *, ending: bool = False) -> None:
        """Hand over one report, instead of one that still waits."""
        report = self.report(ending=ending)
        if len(producer):
            producer.purge()  # nobody took the last one, and this one is newer
            producer.poll(0)
        try:
            producer.produce(
                self._settings.topic_status,
                report.to_json(),
                key=report.key,
                on_delivery=self._delivered,
            )
        except (BufferError, KafkaException) as error:
            log.debug("status not reported", error=str(error))

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        self._answering = error is None
        if error is not None:
            log.debug("status not reported", error=error.str())

    def _wait(self, producer: Producer, seconds: float) -> None:
        deadline_s = time.monotonic() + seconds
        producer.poll(min(0.2, seconds))
        while not self._stop.wait(min(1.0, max(0.0, deadline_s - time.monotonic()))):
            producer.poll(0)
            if time.monotonic() >= deadline_s:
                return


@contextmanager
def reporting(
    settings: KafkaSettings,
    health: Health,
    instance: str | None = None,
) -> Iterator[Reporter]:
    """Report for the length of the block."""
    reporter = Reporter(settings, health, instance)
    reporter.start()
    try:
        yield reporter
    finally:
        reporter.stop()


def resident_mb() -> float:
    """Resident memory of this process, MB; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
