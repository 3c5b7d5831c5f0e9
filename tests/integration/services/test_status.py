"""A service says how it is doing, and never suffers for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest

from services.broker.memory import MemoryBroker
from services.kafka.settings import KafkaSettings
from services.kafka.topics import ensure_topics
from services.lifecycle.health import Health
from services.status.clients import quiet_producer
from services.status.report import StatusReport, parse_report
from services.status.reporter import Reporter, reporting
from tests.integration.services.test_topics import configuration, partitions
from tests.pipeline import Reader, reading
from tests.waiting import eventually

_NOBODY = "127.0.0.1:9"


class Settings(KafkaSettings):
    service_name: ClassVar[str] = "worker"
    summary: ClassVar[str] = "a test"


def settings_for(bootstrap: str, prefix: str, **env: str) -> Settings:
    return Settings.load(
        env={
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "TOPIC_STATUS": f"{prefix}status",
            "STATUS_EVERY_S": "0.2",
            **env,
        }
    )


class Listener:
    """Hears one report after the other."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.heard: list[StatusReport] = []

    def until(self, holds: Callable[[StatusReport], bool]) -> StatusReport:
        """The next report of which something holds."""
        while True:
            messages = self._reader.until(len(self.heard) + 1)
            self.heard.append(parse_report(messages[len(self.heard)].value()))
            if holds(self.heard[-1]):
                return self.heard[-1]


@contextmanager
def listening(settings: Settings) -> Iterator[Listener]:
    ensure_topics(settings, [settings.topic_status])
    with reading(settings.kafka_bootstrap_servers, settings.topic_status) as reader:
        yield Listener(reader)


def test_a_service_reports_until_it_says_goodbye(broker: str, topic_prefix: str) -> None:
    settings = settings_for(broker, topic_prefix)
    health = Health("models")
    with listening(settings) as listener:
        with reporting(settings, health, "box-1") as status:
            first = listener.until(lambda _: True)
            health.ready("models", ok=True, detail="buffalo_s")
            status.tell(model_pack="buffalo_s", device="cpu")
            status.ask(lambda: {"gallery_version": "7"})
            ready = listener.until(lambda report: bool(report.about))
        last = listener.until(lambda report: report.ending)
    assert not first.ready
    assert first.parts["models"].detail == "starting"
    assert ready.parts["models"].detail == "buffalo_s"
    assert ready.about == {"model_pack": "buffalo_s", "device": "cpu", "gallery_version": "7"}
    assert (last.service, last.instance, last.ready) == ("worker", "box-1", False)
    assert last.numbers.memory_mb > 10


@pytest.mark.kafka
def test_its_topic_has_one_partition_and_is_kept_for_an_hour(kafka: str, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    with reporting(settings, Health()):
        eventually(lambda: partitions(kafka, settings.topic_status) == 1, what="the topic is made")
    assert configuration(kafka, settings.topic_status)["retention.ms"] == "3600000"


def test_nothing_is_reported_where_that_is_off(memory_broker: str, topic_prefix: str) -> None:
    settings = settings_for(memory_broker, topic_prefix, STATUS_EVERY_S="0")
    with reporting(settings, Health()):
        time.sleep(0.3)
    assert partitions(memory_broker, settings.topic_status) is None


def test_topics_that_must_not_be_made_are_not(memory_broker: str, topic_prefix: str) -> None:
    settings = settings_for(memory_broker, topic_prefix, KAFKA_CREATE_TOPICS="false")
    with reporting(settings, Health()):
        time.sleep(0.3)
        assert partitions(memory_broker, settings.topic_status) is None


_SERVICE = """
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar
from services.broker.memory import MemoryBroker
from services.kafka.settings import KafkaSettings
from services.lifecycle.health import Health
from services.lifecycle.service import running
from services.status.reporter import reporting

class Settings(KafkaSettings):
    service_name: ClassVar[str] = "example"
    summary: ClassVar[str] = "an example"

settings = Settings.load()
health = Health()
with running(settings, health) as stop, reporting(settings, health):
    stop.wait(float(sys.argv[1]))
"""


def test_without_a_broker_nothing_is_logged_and_the_end_is_not_held_up(topic_prefix: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _SERVICE, "2"],
        env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": _NOBODY, "STATUS_EVERY_S": "0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["stopped"]


def test_with_the_broker_gone_at_most_one_report_waits(topic_prefix: str) -> None:
    with MemoryBroker() as broker:
        settings = settings_for(broker.bootstrap_servers, topic_prefix)
        ensure_topics(settings, [settings.topic_status])
        producer = quiet_producer(settings, 5)
        producer.list_topics(timeout=10)
    reporter = Reporter(settings, Health())

    def at_most_one() -> bool:
        producer.poll(0)  # the word that the one before was taken back counts until it is heard
        return len(producer) <= 1

    for _ in range(20):
        reporter.publish(producer)
        eventually(at_most_one, 60, "at most one report waits")
    producer.purge()
