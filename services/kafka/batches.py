"""Batches of records off a consumer, and who may still settle them after a rebalance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from services.errors import BrokerError
from services.lifecycle import metrics
from services.lifecycle.health import Health

log = structlog.get_logger()

_IDLE_POLL_S = 0.25
_COMMITTED_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How far a batch grows: `max_records` records, or `wait_s` seconds after its first."""

    max_records: int
    wait_s: float


class BatchReader:
    """Reads batches and drops from them what a rebalance took away meanwhile.

    Rebalances happen inside `read`, never while a batch is being worked on, so whoever holds a
    batch owns its partitions until the next `read`. Records of a partition that is revoked while
    its batch is being collected are abandoned: its next owner reads them from the committed
    offset. Should that owner be this very consumer, the reader goes back to that offset itself.

    Offsets move only when the caller commits them.
    """

    def __init__(
        self, consumer: Consumer, topics: Sequence[str], limits: BatchLimits, health: Health
    ) -> None:
        self._consumer = consumer
        self._limits = limits
        self._health = health
        self._taken: set[tuple[str, int]] = set()
        self._owned: set[tuple[str, int]] = set()
        consumer.subscribe(
            list(topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    def read(self) -> list[Message]:
        """The next batch; empty when nothing came within a quarter of a second.

        Raises:
            BrokerError: the consumer is broken for good.
        """
        self._taken.clear()
        first = self._consumer.poll(_IDLE_POLL_S)
        batch = [] if first is None else [first]
        if first is not None and self._limits.max_records > 1:
            batch += self._consumer.consume(self._limits.max_records - 1, self._limits.wait_s)
        good = [message for message in batch if _is_record(message)]
        if self._taken:
            good = self._without_taken(good)
        return good

    def rewind(self, batch: Sequence[Message]) -> None:
        """Read a batch again that could not be settled."""
        first: dict[tuple[str, int], int] = {}
        for message in batch:
            where = _where(message)
            first[where] = min(first.get(where, message.offset() or 0), message.offset() or 0)
        for (topic, partition), offset in first.items():
            if (topic, partition) in self._owned:
                self._consumer.seek(TopicPartition(topic, partition, offset))

    def next_offsets(self, batch: Sequence[Message]) -> list[TopicPartition]:
        """Where the group continues once the batch is settled."""
        after: dict[tuple[str, int], int] = {}
        for message in batch:
            where = _where(message)
            after[where] = max(after.get(where, 0), (message.offset() or 0) + 1)
        return [TopicPartition(topic, number, at) for (topic, number), at in after.items()]

    def observe_lag(self) -> None:
        """Set the lag gauges from what the client knows already; asks no broker."""
        for partition in self._consumer.position(self._consumer.assignment()):
            low_high = self._consumer.get_watermark_offsets(partition, cached=True)
            if low_high is None or partition.offset < 0 or low_high[1] < 0:
                continue
            metrics.CONSUMER_LAG.labels(partition.topic, str(partition.partition)).set(
                max(0, low_high[1] - partition.offset)
            )

    def _without_taken(self, batch: list[Message]) -> list[Message]:
        again = [TopicPartition(*where) for where in self._taken & self._owned]
        if again:
            for committed in self._consumer.committed(again, timeout=_COMMITTED_TIMEOUT_S):
                if committed.offset >= 0:
                    self._consumer.seek(committed)
        kept = [message for message in batch if _where(message) not in self._taken]
        log.info("records left to the next owner", records=len(batch) - len(kept))
        return kept

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._owned |= {(p.topic, p.partition) for p in partitions}
        self._log_rebalance("partitions assigned", consumer, partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {(p.topic, p.partition) for p in partitions}
        self._owned -= gone
        self._taken |= gone
        for topic, number in gone:
            metrics.CONSUMER_LAG.labels(topic, str(number)).set(0)
        self._log_rebalance("partitions revoked", consumer, partitions)

    def _log_rebalance(
        self, event: str, consumer: Consumer, partitions: list[TopicPartition]
    ) -> None:
        log.info(
            event,
            partitions=sorted(f"{p.topic}/{p.partition}" for p in partitions),
            owned=len(self._owned),
            member=consumer.memberid(),
        )
        self._health.ready("partitions", ok=True, detail=f"{len(self._owned)} owned")


def _where(message: Message) -> tuple[str, int]:
    return message.topic() or "", message.partition() or 0


def _is_record(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.fatal():
        raise BrokerError(f"the consumer cannot go on: {error.str()}")
    if error.code() != KafkaError._PARTITION_EOF:
        log.warning("consumer", error=error.str())
    return False
