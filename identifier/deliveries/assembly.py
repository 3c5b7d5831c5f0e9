"""Puts the sinks together from what is set; nothing set, nothing delivered."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from confluent_kafka import Producer

from identifier.deliveries.dead_letters import KafkaDeadLetters
from identifier.deliveries.directory import DatabaseDirectory
from identifier.deliveries.lease import LEASE_S, Lease
from identifier.deliveries.mqtt import Mqtt, MqttOptions
from identifier.deliveries.mqtt_client import MqttUnreachableError, parse_address
from identifier.deliveries.mqtt_topics import Topics
from identifier.deliveries.runner import Deliveries, Pace, SinkRunner
from identifier.deliveries.signing import parse_secrets
from identifier.deliveries.values import EventLog, Sink
from identifier.deliveries.webhook import Webhook, parse_endpoints
from identifier.gallery.database import Database
from services.errors import SettingsError

log = structlog.get_logger()

_PREFIX = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_MQTT_PACE = Pace(most_retry_s=15.0)


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """What the settings say; the texts are as the user wrote them.

    Attributes:
        webhook_urls: WEBHOOK_URLS; None for no webhooks.
        webhook_secret: WEBHOOK_SECRET.
        webhook_timeout_s: WEBHOOK_TIMEOUT_S.
        webhook_retry_s: WEBHOOK_RETRY_S.
        mqtt_url: MQTT_URL; None for no MQTT.
        mqtt_ca_file: MQTT_CA_FILE.
        mqtt_prefix: MQTT_PREFIX.
        mqtt_discovery_prefix: MQTT_DISCOVERY_PREFIX; empty for no discovery.
        dead_letter_topic: where events go that a webhook will not take.
        version: of facestream.
    """

    webhook_urls: str | None = field(default=None, repr=False)
    webhook_secret: str | None = field(default=None, repr=False)
    webhook_timeout_s: float = 15.0
    webhook_retry_s: float = 3_600.0
    mqtt_url: str | None = field(default=None, repr=False)
    mqtt_ca_file: Path | None = None
    mqtt_prefix: str = "facestream"
    mqtt_discovery_prefix: str = "homeassistant"
    dead_letter_topic: str = "faces.events.dlq"
    version: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """What was put together.

    Attributes:
        deliveries: to start and to stop.
        mqtt: None without MQTT.
        sinks: where events go, one phrase each.
    """

    deliveries: Deliveries
    mqtt: Mqtt | None = None
    sinks: tuple[str, ...] = ()

    def forget(self, slug: str) -> None:
        """Clear what MQTT retains about a person who was removed from the database just now.

        While the broker is away, this is put off: whoever serves it clears it when it is back.

        Raises:
            DBAPIError: the database is away.
        """
        if self.mqtt is None:
            return
        try:
            self.mqtt.forget(slug)
        except MqttUnreachableError as error:
            log.warning(
                "retained topics of someone removed are cleared later",
                broker=self.mqtt.shown,
                reason=str(error),
            )


def make_deliveries(
    options: DeliveryOptions,
    database: Database,
    events: EventLog,
    make_producer: Callable[[], Producer],
) -> Parts:
    """The sinks that are set, each with its runner, not started yet.

    Args:
        options: what is set.
        database: of the memory.
        events: what to deliver.
        make_producer: for dead letters; called only where a sink is set.

    Raises:
        SettingsError: an address, a prefix or the secret makes no sense.
    """
    webhooks = _webhooks(options)
    mqtt = _mqtt(options, events, database)
    if not webhooks and mqtt is None:
        return Parts(Deliveries([]))
    dead_letters = KafkaDeadLetters(make_producer(), options.dead_letter_topic)
    owner = uuid.uuid4().hex

    # Nobody shall take over while the owner waits for an answer.
    lease_s = LEASE_S + options.webhook_timeout_s

    def runner(sink: Sink, pace: Pace) -> SinkRunner:
        lease = Lease(database, sink.name, owner, lease_s)
        return SinkRunner(sink, lease, events, dead_letters, pace)

    runners = [runner(webhook, Pace()) for webhook in webhooks]
    if mqtt is not None:
        runners.append(runner(mqtt, _MQTT_PACE))
    sinks = [f"the webhook at {webhook.shown}" for webhook in webhooks]
    if mqtt is not None:
        sinks.append(f"the MQTT broker at {mqtt.shown}")
    return Parts(Deliveries(runners), mqtt, tuple(sinks))


def _webhooks(options: DeliveryOptions) -> list[Webhook]:
    if not options.webhook_urls:
        return []
    if not options.webhook_secret:
        raise SettingsError(
            "WEBHOOK_URLS needs WEBHOOK_SECRET (or WEBHOOK_SECRET_FILE): whsec_ and the base64 of "
            "24 to 64 random bytes"
        )
    keys = parse_secrets(options.webhook_secret)
    return [
        Webhook(
            endpoint,
            keys,
            timeout_s=options.webhook_timeout_s,
            retry_s=options.webhook_retry_s,
            user_agent=f"facestream/{options.version or '0'}",
        )
        for endpoint in parse_endpoints(options.webhook_urls)
    ]


def _mqtt(options: DeliveryOptions, events: EventLog, database: Database) -> Mqtt | None:
    if not options.mqtt_url:
        return None
    for name, prefix in (
        ("MQTT_PREFIX", options.mqtt_prefix),
        ("MQTT_DISCOVERY_PREFIX", options.mqtt_discovery_prefix),
    ):
        optional = name == "MQTT_DISCOVERY_PREFIX" and not prefix
        if not optional and not (_PREFIX.fullmatch(prefix) and len(prefix) <= 100):
            raise SettingsError(f"{name}={prefix!r}: letters, digits, - and _, levels apart by /")
    if options.mqtt_ca_file is not None and not options.mqtt_ca_file.is_file():
        raise SettingsError(f"MQTT_CA_FILE={options.mqtt_ca_file}: no such file")
    return Mqtt(
        MqttOptions(
            parse_address(options.mqtt_url, options.mqtt_ca_file),
            Topics(options.mqtt_prefix, options.mqtt_discovery_prefix),
            options.version,
        ),
        events,
        DatabaseDirectory(database),
    )
