"""What a webhook will not take, on a real Kafka; and everything put together from settings."""

from __future__ import annotations

import base64
import json

import pytest
import structlog
from confluent_kafka import Producer
from prometheus_client.samples import Sample
from sqlalchemy import select

from identifier.deliveries.assembly import DeliveryOptions, make_deliveries
from identifier.deliveries.dead_letters import KafkaDeadLetters
from identifier.deliveries.values import Event
from identifier.memory.tables import DeliveryRow
from services.errors import SettingsError
from services.kafka.clients import make_producer
from services.kafka.topics import dlq_topic, ensure_topics
from services.lifecycle import metrics
from services.records.headers import pairs
from tests.integration.identifier.deliveries.conftest import Memory, Mosquitto, Receiver
from tests.pipeline import ToolSettings, read_all, topic_env
from tests.waiting import eventually

SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"


def counted(kind: str, outcome: str) -> float:
    samples: list[Sample] = next(iter(metrics.DELIVERIES.collect())).samples
    wanted = {"kind": kind, "outcome": outcome}
    return sum(s.value for s in samples if s.labels == wanted and s.name.endswith("_total"))


def no_producer() -> Producer:
    pytest.fail("nothing is configured, so nothing may talk to Kafka")


def test_a_refused_event_is_on_the_dead_letter_topic_with_the_reason_and_the_host_alone(
    broker: str, topic_prefix: str, memory: Memory, receiver: Receiver, mosquitto: Mosquitto
) -> None:
    settings = ToolSettings.load(env={"KAFKA_BOOTSTRAP_SERVERS": broker} | topic_env(topic_prefix))
    topic = dlq_topic(settings.topic_events)
    ensure_topics(settings, [topic])
    options = DeliveryOptions(
        webhook_urls=f"http://me:hidden@{receiver.host}/secret-path",
        webhook_secret=SECRET,
        mqtt_url=mosquitto.url,
        dead_letter_topic=topic,
        version="1.0",
    )
    parts = make_deliveries(options, memory.database, memory, lambda: make_producer(settings))
    before = {kind: counted(kind, "delivered") for kind in ("webhook", "mqtt")}
    dead = counted("webhook", "dead-lettered")
    parts.deliveries.start()
    try:
        eventually(lambda: len(_sinks(memory)) == 2, what="both sinks begin")
        receiver.answers(404)
        memory.happens(sighting="s1")
        memory.happens(sighting="s2")
        eventually(lambda: receiver.seen == ["s1", "s2"], what="the next event")
        eventually(lambda: counted("webhook", "delivered") == before["webhook"] + 1, what="one")
        eventually(lambda: counted("mqtt", "delivered") == before["mqtt"] + 2, what="two")
    finally:
        parts.deliveries.stop()
    assert counted("webhook", "dead-lettered") == dead + 1
    (letter,) = read_all(broker, topic)
    assert letter.key() == b"door"
    assert json.loads(letter.value() or b"")["sighting"] == "s1"
    headers = {name: (value or b"").decode() for name, value in pairs(letter)}
    assert headers["dlq-reason"] == "http-404"
    assert headers["dlq-source"] == receiver.host
    assert headers["dlq-at"].endswith("Z")
    assert not any("hidden" in value or "secret-path" in value for value in headers.values())
    with memory.database.reading() as session:
        assert {session.get_one(DeliveryRow, sink).owner for sink in _sinks(memory)} == {""}


def test_while_kafka_is_away_a_dead_letter_is_not_said_to_be_kept() -> None:
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    letters = KafkaDeadLetters(producer, "faces.events.dlq", timeout_s=0.2)
    assert not letters.put(Event(1, "{}"), "http-410", "host")
    producer.purge()
    producer.flush(1)


def test_nothing_configured_delivers_nothing(memory: Memory) -> None:
    parts = make_deliveries(DeliveryOptions(), memory.database, memory, no_producer)
    parts.deliveries.start()
    parts.deliveries.stop()
    parts.forget("alice")
    assert (parts.mqtt, parts.sinks) == (None, ())


def test_removing_someone_while_the_broker_is_away_is_put_off_and_names_nobody(
    memory: Memory,
) -> None:
    options = DeliveryOptions(
        mqtt_url="mqtt://me:hidden@127.0.0.1:1",
        webhook_urls="https://me:hidden@home.example/secret-path",
        webhook_secret=SECRET,
    )
    parts = make_deliveries(options, memory.database, memory, lambda: Producer({}))
    with structlog.testing.capture_logs() as lines:
        parts.forget("alice")
    assert [line["event"] for line in lines] == [
        "retained topics of someone removed are cleared later"
    ]
    assert "alice" not in repr(lines)
    assert parts.sinks == ("the webhook at home.example", "the MQTT broker at 127.0.0.1:1")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (DeliveryOptions(webhook_urls="http://host/"), "WEBHOOK_URLS needs WEBHOOK_SECRET"),
        (DeliveryOptions(webhook_urls="host", webhook_secret=SECRET), "WEBHOOK_URLS: number 1"),
        (DeliveryOptions(webhook_urls="http://host/", webhook_secret="x"), "WEBHOOK_SECRET"),
        (DeliveryOptions(mqtt_url="host"), "MQTT_URL"),
        (DeliveryOptions(mqtt_url="mqtt://host", mqtt_prefix="a/#"), "MQTT_PREFIX"),
        (
            DeliveryOptions(mqtt_url="mqtt://host", mqtt_discovery_prefix="+"),
            "MQTT_DISCOVERY_PREFIX",
        ),
    ],
)
def test_what_makes_no_sense_is_one_line(
    memory: Memory, options: DeliveryOptions, says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        make_deliveries(options, memory.database, memory, no_producer)


def _sinks(memory: Memory) -> list[str]:
    with memory.database.reading() as session:
        return list(session.scalars(select(DeliveryRow.sink)))
