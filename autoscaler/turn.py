"""Whose turn it is: of several autoscalers of one group of workers, one acts and the others wait.

They share out the partitions of the topic of frames in a consumer group of their own, and read
nothing of it: whoever holds partition 0 acts. When that one ends, Kafka gives it to another.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import structlog
from confluent_kafka import Consumer, TopicPartition

from services.kafka.clients import consumer_config
from services.kafka.closing import close_within
from services.kafka.settings import KafkaSettings

log = structlog.get_logger()

_CLOSE_S = 3.0


class Turn(Protocol):
    """Says whether this process is the one that acts."""

    def mine(self) -> bool:
        """Ask anew: call it at least every few seconds."""


class KafkaTurn:
    """A turn kept by Kafka; use it as a context manager.

    Args:
        settings: how to reach the brokers.
        group: of the autoscalers.
        topic: that their workers read.
    """

    def __init__(self, settings: KafkaSettings, group: str, topic: str) -> None:
        # Nothing is fetched: what is assigned is paused at once.
        config = consumer_config(settings, group) | {
            "allow.auto.create.topics": False,
            "group.protocol": "classic",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": settings.kafka_session_timeout_ms,
            "heartbeat.interval.ms": max(300, settings.kafka_session_timeout_ms // 5),
        }
        self._consumer = Consumer(config)
        self._held: set[int] = set()
        self._consumer.subscribe(
            [topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        close_within(self._consumer, _CLOSE_S)

    def mine(self) -> bool:
        """Whether partition 0 is here."""
        while self._consumer.poll(0) is not None:
            pass
        return 0 in self._held

    @property
    def holds(self) -> bool:
        """Whether anything is: the group has then settled with this one in it."""
        return bool(self._held)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        self._held |= {each.partition for each in partitions}

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        del consumer
        self._held -= {each.partition for each in partitions}
