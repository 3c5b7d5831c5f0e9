"""How a batch is settled: its output and its offsets, together or one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from services.errors import BrokerError, RetriableError
from services.kafka.outputs import OutRecord
from services.lifecycle.backoff import Backoff
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

_CALL_TIMEOUT_S = 10.0
_FLUSH_TIMEOUT_S = 30.0
_T = TypeVar("_T")


class NotSettledError(RetriableError):
    """The batch was given up whole: nothing of it is visible, its offsets did not move."""


class Settlement(Protocol):
    """Publishes the output of a batch and moves the offsets past its input."""

    def start(self, stop: StopSignal) -> None:
        """Make ready, before the first batch."""

    def settle(self, records: Sequence[OutRecord], offsets: list[TopicPartition]) -> None:
        """Publish and commit.

        Raises:
            NotSettledError: read the batch again and retry.
            BrokerError: the process cannot go on.
        """


class ExactlyOnce(Settlement):
    """One Kafka transaction per batch (KIP-98, KIP-447).

    Of a batch that fails, a reader that is `read_committed` sees nothing, and its offsets stay.
    A second process with the same `transactional.id` fences this one.
    """

    def __init__(self, consumer: Consumer, producer: Producer) -> None:
        self._consumer = consumer
        self._producer = producer

    def start(self, stop: StopSignal) -> None:
        """Register the transactional id; waits for as long as the coordinator is away."""
        _until_done(lambda: self._producer.init_transactions(_CALL_TIMEOUT_S), stop)

    def settle(self, records: Sequence[OutRecord], offsets: list[TopicPartition]) -> None:
        """Publish and commit in one transaction, or abort it."""
        try:
            self._producer.begin_transaction()
            for record in records:
                record.send(self._producer)
            group = self._consumer.consumer_group_metadata()
            _retry(
                lambda: self._producer.send_offsets_to_transaction(offsets, group, _CALL_TIMEOUT_S)
            )
            _retry(lambda: self._producer.commit_transaction(_CALL_TIMEOUT_S))
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            if error.fatal():
                raise BrokerError(f"the transaction cannot go on: {error.str()}") from None
            log.warning("transaction aborted", error=error.str())
            self._abort()
            raise NotSettledError(error.str()) from None

    def _abort(self) -> None:
        try:
            _retry(lambda: self._producer.abort_transaction(_CALL_TIMEOUT_S))
        except KafkaException as failure:
            raise BrokerError(f"no abort either: {failure.args[0].str()}") from None


class AtLeastOnce(Settlement):
    """Publish, wait for every acknowledgement, then commit the offsets.

    A crash between the two makes the next owner publish the batch again.
    """

    def __init__(self, consumer: Consumer, producer: Producer) -> None:
        self._consumer = consumer
        self._producer = producer

    def start(self, stop: StopSignal) -> None:
        """Nothing to prepare."""

    def settle(self, records: Sequence[OutRecord], offsets: list[TopicPartition]) -> None:
        """Publish, wait, commit."""
        failures: list[KafkaError] = []
        unsent = 0

        def delivered(error: KafkaError | None, message: Message) -> None:
            del message
            if error is not None:
                failures.append(error)

        try:
            for record in records:
                record.send(self._producer, delivered)
            unsent = self._producer.flush(_FLUSH_TIMEOUT_S)
            if not failures and not unsent:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as failure:
            failures.append(failure.args[0])
        for error in failures:
            if error.fatal():
                raise BrokerError(f"the producer cannot go on: {error.str()}")
            raise NotSettledError(error.str())
        if unsent:
            raise NotSettledError(f"{unsent} records not acknowledged")


def _retry(call: Callable[[], _T], tries: int = 5) -> _T:
    """Call again what librdkafka says may be called again."""
    for left in range(tries - 1, -1, -1):
        try:
            return call()
        except KafkaException as failure:
            if not (failure.args[0].retriable() and left):
                raise
    raise AssertionError("unreachable")


def _until_done(call: Callable[[], None], stop: StopSignal) -> None:
    backoff = Backoff()
    while not stop.stopped:
        try:
            call()
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            if error.fatal() or not error.retriable():
                raise BrokerError(f"transactions: {error.str()}") from None
            log.warning("waiting for the transaction coordinator", error=error.str())
            stop.wait(backoff.next_s())
        else:
            return
