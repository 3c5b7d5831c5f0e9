"""Frames that workers left out as too old, from what they report of themselves.

Such workers are never far behind: they skip what they cannot do. From offsets alone that looks
like work well done.
"""

from __future__ import annotations

import uuid

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from services.errors import RecordError
from services.kafka.settings import KafkaSettings
from services.status.clients import quiet_consumer
from services.status.report import parse_report

_TIMEOUT_S = 2.0
_MOST_RECORDS = 2_000
_REASON = "stale"


class Skips:
    """Counts from its first call on; where nobody reports, it stays at zero.

    Args:
        settings: how to reach the brokers, `TOPIC_STATUS`.
        service: whose reports count.
    """

    def __init__(self, settings: KafkaSettings, service: str) -> None:
        self._settings = settings
        self._service = service
        self._consumer: Consumer | None = None
        self._count = 0

    def count(self) -> int:
        """Frames skipped since the first call; never waits for the next report."""
        consumer = self._reading()
        if consumer is not None:
            for message in consumer.consume(_MOST_RECORDS, timeout=0.0):
                if message.error() is None:
                    self._take(message.value())
        return self._count

    def close(self) -> None:
        """Let go of the connection."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _take(self, value: bytes | None) -> None:
        try:
            report = parse_report(value)
        except RecordError:
            return  # nobody's report: the topic is open to all
        if report.service == self._service:
            self._count += report.numbers.drops.get(_REASON, 0)

    def _reading(self) -> Consumer | None:
        if self._consumer is not None or self._settings.status_every_s <= 0:
            return self._consumer
        topic = self._settings.topic_status
        consumer = quiet_consumer(self._settings, f"facestream-autoscaler-{uuid.uuid4().hex}")
        try:
            known = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics.get(topic)
            numbers = [] if known is None or known.error is not None else list(known.partitions)
            if not numbers:
                consumer.close()
                return None
            consumer.assign([TopicPartition(topic, number, OFFSET_END) for number in numbers])
        except KafkaException:
            consumer.close()
            raise
        self._consumer = consumer
        return consumer
