"""Kafka clients that say nothing.

Each service has clients that log when a broker is away; a second line about it helps nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from services.errors import SettingsError
from services.kafka.clients import Config, common_config, consumer_config
from services.kafka.settings import KafkaSettings

_C = TypeVar("_C", Consumer, Producer, AdminClient)
_silent = logging.getLogger("librdkafka.silent")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def quiet_producer(settings: KafkaSettings, message_timeout_s: float) -> Producer:
    """A producer of small records, each of which may as well be lost.

    Args:
        settings: how to reach the brokers.
        message_timeout_s: how long a record may wait for a broker.
    """
    config: Config = common_config(settings) | dict(settings.kafka_config)
    config |= {
        "acks": 1,
        "enable.idempotence": False,
        "linger.ms": 0,
        "compression.type": "none",
        "queue.buffering.max.messages": 8,
        "message.timeout.ms": max(1_000, int(1_000 * message_timeout_s)),
        "allow.auto.create.topics": False,
    }
    return _made(Producer, config)


def quiet_consumer(settings: KafkaSettings, group: str) -> Consumer:
    """A consumer that is assigned its partitions by hand, and commits nothing."""
    config = consumer_config(settings, group, auto_offset_reset="latest")
    config |= {"allow.auto.create.topics": False, "queued.max.messages.kbytes": 4_096}
    return _made(Consumer, config)


def quiet_admin(settings: KafkaSettings) -> AdminClient:
    """A client for questions about topics and groups."""
    return _made(AdminClient, common_config(settings) | dict(settings.kafka_config))


def _made(kind: Callable[..., _C], config: Config) -> _C:
    def ignore(_: KafkaError) -> None:
        return None

    try:
        return kind({**config, "log_level": 0, "error_cb": ignore}, logger=_silent)
    except KafkaException as error:
        why = error.args[0].str()
        raise SettingsError(
            f"Kafka's client refuses its settings (KAFKA_*, KAFKA_CONFIG__*): {why}", why
        ) from None
