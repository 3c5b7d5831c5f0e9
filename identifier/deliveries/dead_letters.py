"""Events that a webhook would not take: to the dead-letter topic, whole, with the reason."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from identifier.deliveries.values import Event
from services.errors import RecordError
from services.kafka.outputs import OutRecord
from services.lifecycle import metrics
from services.records.headers import rfc3339

_ACKNOWLEDGED_WITHIN_S = 10.0


class DeadLetters(Protocol):
    """Where events go that cannot be delivered."""

    def put(self, event: Event, reason: str, source: str) -> bool:
        """Keep one; False when it could not be kept now."""


class KafkaDeadLetters:
    """A topic of Kafka. Safe to use from several threads.

    The headers are those of every dead letter: `dlq-reason` (a word: `http-410`, `timeout`),
    `dlq-detail` (a sentence), `dlq-source` (the webhook's host, nothing more of its address) and
    `dlq-at`.

    Args:
        producer: idempotent, not transactional.
        topic: the dead-letter topic.
        timeout_s: for Kafka's acknowledgement.
    """

    def __init__(
        self, producer: Producer, topic: str, timeout_s: float = _ACKNOWLEDGED_WITHIN_S
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._timeout_s = timeout_s

    def put(self, event: Event, reason: str, source: str) -> bool:
        """Publish one and wait for the acknowledgement."""
        camera = _camera(event)
        added = {
            "dlq-reason": reason,
            "dlq-detail": f"event {event.id} could not be delivered to {source}",
            "dlq-source": source,
            "dlq-at": rfc3339(datetime.now(UTC)),
        }
        headers = [(name, value.encode()) for name, value in added.items()]
        key = camera.encode() if camera else None
        told: list[KafkaError | None] = []

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            del message
            told.append(error)

        try:
            OutRecord(self._topic, key, event.payload.encode(), headers).send(
                self._producer, on_delivery
            )
            deadline_s = time.monotonic() + self._timeout_s
            while not told and time.monotonic() < deadline_s:
                self._producer.poll(0.1)
        except KafkaException:
            return False
        if told != [None]:
            return False
        metrics.DEAD_LETTERS.labels(
            topic=self._topic, reason=reason, camera=camera or "unknown"
        ).inc()
        return True


def _camera(event: Event) -> str:
    try:
        return event.happening.camera
    except RecordError:
        return ""
