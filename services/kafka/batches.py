"""Batches of records off a consumer, and who may still settle them after a rebalance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.errors import BrokerError
from services.kafka.refusals import is_for_good
from services.lifecycle import metrics
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How far a batch grows: `max_records` records, or `wait_s` seconds after its first."""

    max_records: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a group continues once a batch is settled, and as which member it was read.

    Attributes:
        offsets: of each partition, the next record to read.
        member: group, member and generation at the time of reading, opaque. A member that was
            put out of its group since cannot move offsets with it.
    """

    offsets: list[TopicPartition]
    member: bytes = field(repr=False)


class BatchReader:
    """Reads batches and drops from them what a rebalance took away meanwhile.

    Rebalances happen inside `read`, never while a batch is being worked on, so whoever holds a
    batch owns its partitions until the next `read`, unless the group put it out as dead; then
    its `Progress` is void. Records of a partition that is revoked while their batch is being
    collected are abandoned: the next owner, be it this very consumer, starts from the committed
    offset.

    Offsets move only when the caller commits them.
    """

    def __init__(
        self, consumer: Consumer, topics: Sequence[str], limits: BatchLimits, health: Health
    ) -> None:
        self._consumer = consumer
        self._limits = limits
        self._health = health
        self._member = b""
        self._taken: set[tuple[str, int]] = set()
        self._owned: set[tuple[str, int]] = set()
        consumer.subscribe(
            list(topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def read(self, stop: StopSignal | None = None) -> list[Message]:
        """The next batch; empty when nothing came within a quarter of a second.

        Args:
            stop: ends the wait for a batch to fill.

        Raises:
            BrokerError: the consumer is broken for good.
        """
        batch: list[Message] = []
        deadline_s = time.monotonic() + _POLL_S
        while len(batch) < self._limits.max_records:
            left_s = deadline_s - time.monotonic()
            message = self._consumer.poll(min(max(left_s, 0.0), _POLL_S))
            batch = self._without_taken(batch)
            if message is not None and _is_record(message):
                if not batch:
                    deadline_s = time.monotonic() + self._limits.wait_s
                batch.append(message)
            elif left_s <= 0 or (stop is not None and stop.stopped):
                break
        if batch:
            self._member = self._consumer.consumer_group_metadata()
            if not self._consumer.memberid():
                log.warning("put out of the group", records=len(batch))
                return []
        return batch

    def rewind(self, batch: Sequence[Message]) -> None:
        """Read a batch again that could not be settled.

        Raises:
            BrokerError: it cannot be; whoever starts next reads it from the committed offset.
        """
        first: dict[tuple[str, int], int] = {}
        for message in batch:
            where = _where(message)
            first[where] = min(first.get(where, message.offset() or 0), message.offset() or 0)
        for (topic, partition), offset in first.items():
            if (topic, partition) not in self._owned:
                continue
            try:
                self._consumer.seek(TopicPartition(topic, partition, offset))
            except KafkaException as failure:
                raise BrokerError(
                    f"{topic}/{partition} cannot be read again from {offset}: "
                    f"{failure.args[0].str()}"
                ) from None

    def progress(self, batch: Sequence[Message]) -> Progress:
        """How far the group is once the batch is settled, all of it or a part."""
        after: dict[tuple[str, int], int] = {}
        for message in batch:
            where = _where(message)
            after[where] = max(after.get(where, 0), (message.offset() or 0) + 1)
        offsets = [TopicPartition(topic, number, at) for (topic, number), at in after.items()]
        return Progress(offsets, self._member)

    def observe_lag(self) -> None:
        """Set the lag gauges from what the client knows already; asks no broker."""
        try:
            for partition in self._consumer.position(self._consumer.assignment()):
                low_high = self._consumer.get_watermark_offsets(partition, cached=True)
                if low_high is None or partition.offset < 0 or low_high[1] < 0:
                    continue
                metrics.CONSUMER_LAG.labels(partition.topic, str(partition.partition)).set(
                    max(0, low_high[1] - partition.offset)
                )
        except KafkaException as failure:
            log.debug("lag is not known", error=failure.args[0].str())

    def _without_taken(self, batch: list[Message]) -> list[Message]:
        if not self._taken:
            return batch
        kept = [message for message in batch if _where(message) not in self._taken]
        self._taken.clear()
        if len(kept) < len(batch):
            log.info("records left to the next owner", records=len(batch) - len(kept))
        return kept

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._owned |= {(p.topic, p.partition) for p in partitions}
        self._log_rebalance("partitions assigned", consumer, partitions)
        self._health.ready("partitions", ok=True, detail=f"{len(self._owned)} owned")

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(partitions)
        self._log_rebalance("partitions revoked", consumer, partitions)
        self._health.ready("partitions", ok=True, detail=f"{len(self._owned)} owned")

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(partitions)
        self._log_rebalance("partitions lost", consumer, partitions)
        self._health.ready("partitions", ok=False, detail="put out of the group")

    def _give_up(self, partitions: list[TopicPartition]) -> None:
        gone = {(p.topic, p.partition) for p in partitions}
        self._owned -= gone
        self._taken |= gone
        for topic, number in gone:
            metrics.CONSUMER_LAG.labels(topic, str(number)).set(0)

    def _log_rebalance(
        self, event: str, consumer: Consumer, partitions: list[TopicPartition]
    ) -> None:
        log.info(
            event,
            partitions=sorted(f"{p.topic}/{p.partition}" for p in partitions),
            owned=len(self._owned),
            member=consumer.memberid(),
        )


def _where(message: Message) -> tuple[str, int]:
    return message.topic() or "", message.partition() or 0


def _is_record(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.fatal() or is_for_good(error):
        raise BrokerError(f"the consumer cannot go on: {error.str()}")
    if error.code() != KafkaError._PARTITION_EOF:
        log.warning("consumer", error=error.str())
    return False
