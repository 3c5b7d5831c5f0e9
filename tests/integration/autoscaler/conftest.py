"""A topic of frames of this test's own, and who reads it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from autoscaler.settings import AutoscalerSettings
from services.kafka.topics import ensure_topics
from tests.member import MemberSettings

PARTITIONS = 4


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> AutoscalerSettings:
    """Of an autoscaler of this test's own; its topics are there."""
    made = AutoscalerSettings.load(
        env={
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "TOPIC_RAW": f"{topic_prefix}raw",
            "TOPIC_STATUS": f"{topic_prefix}status",
            "WORKER_GROUP": f"{topic_prefix}workers",
            "TOPIC_PARTITIONS": str(PARTITIONS),
            "KAFKA_SESSION_TIMEOUT_MS": "6000",
        }
    )
    ensure_topics(made, [made.topic_raw, made.topic_status, f"{topic_prefix}copies"])
    return made


@pytest.fixture
def member(settings: AutoscalerSettings, topic_prefix: str) -> Callable[[int], MemberSettings]:
    """Settings of a worker that takes so many milliseconds for a record."""

    def made(pause_ms: int) -> MemberSettings:
        return MemberSettings(
            kafka_bootstrap_servers=settings.kafka_bootstrap_servers,
            kafka_session_timeout_ms=6_000,
            input_topic=settings.topic_raw,
            output_topic=f"{topic_prefix}copies",
            group_id=settings.worker_group,
            delivery="at_least_once",
            pause_ms=pause_ms,
        )

    return made


@pytest.fixture
def write(settings: AutoscalerSettings) -> Callable[[int], None]:
    """Writes so many frames, spread over the partitions."""
    producer = Producer(
        {"bootstrap.servers": settings.kafka_bootstrap_servers, "enable.idempotence": True}
    )

    def frames(count: int) -> None:
        for number in range(count):
            producer.produce(settings.topic_raw, b"frame", partition=number % PARTITIONS)
        assert producer.flush(10) == 0

    return frames
