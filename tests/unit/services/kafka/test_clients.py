"""librdkafka's properties follow from the settings."""

from __future__ import annotations

from typing import ClassVar

import pytest

from services.errors import SettingsError
from services.kafka.clients import (
    consumer_config,
    make_admin,
    make_consumer,
    make_producer,
    producer_config,
)
from services.kafka.settings import KafkaSettings


class Settings(KafkaSettings):
    service_name: ClassVar[str] = "test"
    summary: ClassVar[str] = "a test"


def load(**env: str) -> Settings:
    return Settings.load(env=env)


def test_offsets_move_by_commit_alone_and_only_committed_records_are_read() -> None:
    config = consumer_config(load(), "group")
    assert config["enable.auto.commit"] is False
    assert config["enable.auto.offset.store"] is False
    assert config["isolation.level"] == "read_committed"
    assert config["partition.assignment.strategy"] == "cooperative-sticky"


def test_the_broker_side_protocol_takes_no_classic_properties() -> None:
    config = consumer_config(load(KAFKA_GROUP_PROTOCOL="consumer"), "group")
    assert config["group.protocol"] == "consumer"
    assert "session.timeout.ms" not in config
    assert "partition.assignment.strategy" not in config
    make_consumer(load(KAFKA_GROUP_PROTOCOL="consumer"), "group").close()


def test_memory_and_record_size_are_bounded_on_both_sides() -> None:
    settings = load(
        KAFKA_MAX_MESSAGE_BYTES="4194304",
        KAFKA_QUEUED_MAX_KBYTES="20000",
        KAFKA_QUEUE_BUFFERING_MAX_KBYTES="10000",
    )
    consumer, producer = consumer_config(settings, "group"), producer_config(settings)
    assert consumer["queued.max.messages.kbytes"] == 20_000
    assert int(consumer["fetch.message.max.bytes"]) > 4_194_304
    assert producer["queue.buffering.max.kbytes"] == 10_000
    assert int(producer["message.max.bytes"]) > 4_194_304


def test_producers_are_idempotent_and_transactional_where_named() -> None:
    assert producer_config(load())["enable.idempotence"] is True
    assert "transactional.id" not in producer_config(load())
    assert producer_config(load(), "me")["transactional.id"] == "me"


def test_security_reaches_every_client() -> None:
    settings = load(
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
        KAFKA_SASL_USERNAME="me",
        KAFKA_SASL_PASSWORD="hunter2",
    )
    for config in (consumer_config(settings, "group"), producer_config(settings)):
        assert config["security.protocol"] == "SASL_SSL"
        assert config["sasl.mechanism"] == "SCRAM-SHA-512"
        assert config["sasl.password"] == "hunter2"


def test_any_other_property_wins() -> None:
    settings = load(KAFKA_CONFIG__LINGER_MS="50", KAFKA_CONFIG__FETCH_WAIT_MAX_MS="7")
    assert producer_config(settings)["linger.ms"] == "50"
    assert consumer_config(settings, "group")["fetch.wait.max.ms"] == "7"


@pytest.mark.parametrize("size", ["1048576", "104857600"])
def test_clients_of_every_allowed_size_can_be_made(size: str) -> None:
    settings = load(KAFKA_MAX_MESSAGE_BYTES=size, KAFKA_QUEUE_BUFFERING_MAX_KBYTES="200000")
    make_consumer(settings, "group").close()
    make_producer(settings)
    make_producer(settings, transactional_id="me")
    make_admin(settings)


@pytest.mark.parametrize("env", [{"KAFKA_CONFIG__NONSENSE": "1"}, {"KAFKA_CONFIG__ACKS": "most"}])
def test_a_property_that_does_not_exist_is_one_line_about_settings(env: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="KAFKA_CONFIG__") as caught:
        make_producer(load(**env))
    assert "\n" not in str(caught.value)
