"""Kafka clients made from settings: the one place where librdkafka's properties are named."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata

from services.errors import BrokerError, BrokerUnavailable, SettingsError
from services.kafka.settings import RECORD_OVERHEAD_BYTES, KafkaSettings

Config = dict[str, str | int | float | bool]

TRANSACTION_TIMEOUT_MS = 15_000
_C = TypeVar("_C", Consumer, Producer, AdminClient)
_log = logging.getLogger("librdkafka")


def common_config(settings: KafkaSettings) -> Config:
    """Connection and security, for any client; `KAFKA_CONFIG__*` is not in it yet."""
    config: Config = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": settings.kafka_security_protocol,
        "client.id": f"facestream-{settings.service_name}",
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2_000,
    }
    optional = {
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password,
        "ssl.ca.location": settings.kafka_ssl_ca_location,
        "ssl.certificate.location": settings.kafka_ssl_certificate_location,
        "ssl.key.location": settings.kafka_ssl_key_location,
        "ssl.key.password": settings.kafka_ssl_key_password,
    }
    for name, value in optional.items():
        if value is not None:
            config[name] = value if isinstance(value, str) else value.get_secret_value()
    return config


def consumer_config(
    settings: KafkaSettings,
    group: str,
    *,
    auto_offset_reset: Literal["earliest", "latest"] = "earliest",
    read_committed: bool = True,
) -> Config:
    """Properties of a consumer that commits by itself, never by a timer."""
    config = common_config(settings) | {
        "group.id": group,
        "group.protocol": settings.kafka_group_protocol,
        "auto.offset.reset": auto_offset_reset,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed" if read_committed else "read_uncommitted",
        "queued.max.messages.kbytes": settings.kafka_queued_max_kbytes,
        "message.max.bytes": settings.kafka_max_message_bytes + 2 * RECORD_OVERHEAD_BYTES,
        "fetch.message.max.bytes": settings.kafka_max_message_bytes + 2 * RECORD_OVERHEAD_BYTES,
        "fetch.wait.max.ms": settings.kafka_fetch_wait_ms,
        "fetch.queue.backoff.ms": 20,
        "topic.metadata.refresh.interval.ms": 5_000,
        "allow.auto.create.topics": settings.kafka_create_topics,
    }
    if settings.kafka_group_protocol == "classic":
        config |= {
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": settings.kafka_session_timeout_ms,
            "heartbeat.interval.ms": max(300, settings.kafka_session_timeout_ms // 5),
        }
    return config | dict(settings.kafka_config)


def producer_config(settings: KafkaSettings, transactional_id: str | None = None) -> Config:
    """Properties of an idempotent producer, transactional where an id is given."""
    config = common_config(settings) | {
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 2,
        "message.max.bytes": settings.kafka_max_message_bytes + 2 * RECORD_OVERHEAD_BYTES,
        "queue.buffering.max.kbytes": settings.kafka_queue_buffering_max_kbytes,
    }
    if transactional_id is not None:
        config |= {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "message.timeout.ms": TRANSACTION_TIMEOUT_MS,
        }
    return config | dict(settings.kafka_config)


def make_consumer(
    settings: KafkaSettings,
    group: str,
    *,
    auto_offset_reset: Literal["earliest", "latest"] = "earliest",
    read_committed: bool = True,
) -> Consumer:
    """A consumer of `group`; the caller subscribes, commits and closes."""
    config = consumer_config(
        settings, group, auto_offset_reset=auto_offset_reset, read_committed=read_committed
    )
    return _made(lambda: Consumer(config, logger=_log))


def make_producer(settings: KafkaSettings, *, transactional_id: str | None = None) -> Producer:
    """An idempotent producer; with a `transactional_id` the caller initialises transactions."""
    config = producer_config(settings, transactional_id)
    return _made(lambda: Producer(config, logger=_log))


def make_admin(
    settings: KafkaSettings, on_error: Callable[[KafkaError], None] | None = None
) -> AdminClient:
    """A client for topics and groups; `on_error` is told of what went wrong while it is polled."""
    config: dict[str, object] = {**common_config(settings), **settings.kafka_config}
    if on_error is not None:
        config["error_cb"] = on_error
    # The stubs know of no callbacks.
    return _made(lambda: AdminClient(config, logger=_log))  # type: ignore[arg-type]


def _made(make: Callable[[], _C]) -> _C:
    """Librdkafka looks at the properties when a client is made.

    Raises:
        SettingsError: it will not have one of them.
    """
    try:
        return make()
    except KafkaException as error:
        why = error.args[0].str()
        raise SettingsError(
            f"Kafka's client refuses its settings (KAFKA_*, KAFKA_CONFIG__*): {why}", why
        ) from None


def wait_for_broker(settings: KafkaSettings, timeout_s: float) -> None:
    """Return once a broker answers.

    Raises:
        BrokerUnavailable: none did within `timeout_s`.
        BrokerError: one did, and would not have the credentials.
    """
    list_topics(settings, timeout_s)


def list_topics(settings: KafkaSettings, timeout_s: float) -> tuple[AdminClient, ClusterMetadata]:
    """What the cluster says of itself, and the client that asked.

    Raises:
        BrokerUnavailable: no broker answered within `timeout_s`.
        BrokerError: one did, and would not have the credentials.
    """
    told: list[KafkaError] = []
    admin = make_admin(settings, told.append)
    try:
        return admin, admin.list_topics(timeout=timeout_s)
    except KafkaException as error:
        admin.poll(0)
        servers = settings.kafka_bootstrap_servers
        if refused := [each for each in told if each.code() == KafkaError._AUTHENTICATION]:
            why = refused[0].str()
            raise BrokerError(
                f"Kafka at {servers} refuses the credentials: {why}; "
                "see KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM",
                why,
            ) from None
        because = [each.str() for each in told if each.code() == KafkaError._SSL]
        why = [*because, error.args[0].str()][0]
        raise BrokerUnavailable(
            f"no Kafka at {servers} within {timeout_s:g} s: {why}; "
            "is KAFKA_BOOTSTRAP_SERVERS right?",
            why,
        ) from None
