"""Topics are made as settings say, on real Kafka and on the broker in memory."""

from __future__ import annotations

from typing import ClassVar

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from services.errors import BrokerError, BrokerUnavailable
from services.kafka.clients import wait_for_broker
from services.kafka.settings import KafkaSettings
from services.kafka.topics import (
    dlq_topic,
    ensure_topics,
    ensure_topics_when_up,
    standing_topics,
)
from services.lifecycle.stopping import StopSignal


class Settings(KafkaSettings):
    service_name: ClassVar[str] = "topics"
    summary: ClassVar[str] = "a test"


def settings_for(bootstrap: str, prefix: str, **env: str) -> Settings:
    names = {
        "TOPIC_RAW": f"{prefix}frames.raw",
        "TOPIC_PROCESSED": f"{prefix}frames.processed",
        "TOPIC_DETECTED": f"{prefix}faces.detected",
        "TOPIC_IDENTIFIED": f"{prefix}faces.identified",
        "TOPIC_EVENTS": f"{prefix}faces.events",
        "TOPIC_STATUS": f"{prefix}facestream.status",
    }
    return Settings.load(env=names | {"KAFKA_BOOTSTRAP_SERVERS": bootstrap} | env)


def configuration(bootstrap: str, topic: str) -> dict[str, str]:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = admin.describe_configs([resource])[resource].result(20)
    return {name: entry.value for name, entry in entries.items()}


def partitions(bootstrap: str, topic: str) -> int | None:
    """How many; None when there is no such topic."""
    topics = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
    return len(topics[topic].partitions) if topic in topics else None


@pytest.mark.kafka
def test_topics_have_the_partitions_retention_and_size_of_the_settings(
    kafka: str, topic_prefix: str
) -> None:
    s = settings_for(
        kafka,
        topic_prefix,
        TOPIC_PARTITIONS="5",
        RETENTION_FRAMES_H="1.5",
        RETENTION_FACES_H="48",
        KAFKA_MAX_MESSAGE_BYTES="4194304",
    )
    names = standing_topics(s)
    assert sorted(ensure_topics(s, names)) == sorted(names)
    assert partitions(kafka, s.topic_raw) == 5
    assert partitions(kafka, dlq_topic(s.topic_raw)) == 1
    raw = configuration(kafka, s.topic_raw)
    assert raw["retention.ms"] == str(90 * 60 * 1000)
    assert int(raw["max.message.bytes"]) > 4_194_304
    detected = configuration(kafka, s.topic_detected)
    assert detected["retention.ms"] == str(48 * 3600 * 1000)
    letters = configuration(kafka, dlq_topic(s.topic_raw))
    assert int(letters["max.message.bytes"]) > int(raw["max.message.bytes"])


@pytest.mark.kafka
def test_what_is_there_is_left_as_it_is(kafka: str, topic_prefix: str) -> None:
    first = settings_for(kafka, topic_prefix, TOPIC_PARTITIONS="2")
    second = settings_for(kafka, topic_prefix, TOPIC_PARTITIONS="7")
    assert ensure_topics(first, [first.topic_raw]) == [first.topic_raw]
    assert ensure_topics(second, [second.topic_raw, second.topic_detected]) == [
        second.topic_detected
    ]
    assert ensure_topics(second, [second.topic_raw]) == []
    assert partitions(kafka, first.topic_raw) == 2


def test_nothing_is_made_where_that_is_forbidden(broker: str, topic_prefix: str) -> None:
    s = settings_for(broker, topic_prefix, KAFKA_CREATE_TOPICS="false")
    assert ensure_topics(s, standing_topics(s)) == []
    assert partitions(broker, s.topic_raw) is None


def test_topics_are_there_afterwards_on_any_broker(broker: str, topic_prefix: str) -> None:
    s = settings_for(broker, topic_prefix, TOPIC_PARTITIONS="4")
    assert sorted(ensure_topics(s, standing_topics(s))) == sorted(standing_topics(s))
    assert partitions(broker, s.topic_raw) == 4
    assert ensure_topics(s, standing_topics(s)) == []


@pytest.mark.kafka
def test_more_replicas_than_brokers_is_one_clear_error(kafka: str, topic_prefix: str) -> None:
    s = settings_for(kafka, topic_prefix, TOPIC_REPLICATION="7")
    with pytest.raises(BrokerError, match=s.topic_raw) as caught:
        ensure_topics(s, [s.topic_raw])
    assert "\n" not in str(caught.value)


def test_a_broker_that_is_not_there_is_named(topic_prefix: str) -> None:
    s = settings_for("127.0.0.1:9", topic_prefix)
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:9") as caught:
        wait_for_broker(s, 0.5)
    assert "KAFKA_BOOTSTRAP_SERVERS" in str(caught.value)


def test_waiting_for_a_broker_ends_with_the_wish_to_stop(topic_prefix: str) -> None:
    stop = StopSignal()
    stop.stop()
    ensure_topics_when_up(settings_for("127.0.0.1:9", topic_prefix), ["never"], stop)
