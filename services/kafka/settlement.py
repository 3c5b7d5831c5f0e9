"""How a batch is settled: its output and its offsets, together or one after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from services.errors import BrokerError, RetriableError
from services.kafka.batches import Progress
from services.kafka.outputs import OutRecord
from services.kafka.refusals import Deliveries, is_for_good
from services.lifecycle.backoff import Backoff
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

_CALL_TIMEOUT_S = 4.0
_HUNG_S = 20.0
_HUNG_ONCE_STOPPED_S = 6.0
_FLUSH_TIMEOUT_S = 30.0
_FLUSH_ONCE_STOPPED_S = 4.0
_COMMIT_TIMEOUT_S = 4.0
_COMMIT_AGAIN = {
    KafkaError._WAIT_COORD,
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    # A rebalance goes on behind our back, and cannot take a partition from us before we poll.
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.STALE_MEMBER_EPOCH,
}


class NotSettledError(RetriableError):
    """The batch was given up whole: its offsets did not move."""


class Settlement(Protocol):
    """Publishes the output of a batch and moves the offsets past its input."""

    def start(self, stop: StopSignal) -> None:
        """Make ready, before the first batch; `stop` also ends later waits for a broker."""

    def settle(self, records: Sequence[OutRecord], progress: Progress) -> None:
        """Publish and commit.

        Raises:
            NotSettledError: read the batch again and retry.
            RecordError: Kafka will never take one of the records; no offset moved.
            BrokerError: the process cannot go on.
        """


class ExactlyOnce(Settlement):
    """One Kafka transaction per batch (KIP-98, KIP-447).

    Of a batch that fails, a reader that is `read_committed` sees nothing, and its offsets stay.
    A second process with the same `transactional.id` fences this one. A member that its group
    has put out since it read the batch cannot commit it: the broker knows the generation.

    Args:
        producer: with a transactional id.
        beat: called while it waits for a coordinator that is away.
    """

    def __init__(self, producer: Producer, beat: Callable[[], None] = lambda: None) -> None:
        self._producer = producer
        self._beat = beat
        self._stop = StopSignal()

    def start(self, stop: StopSignal) -> None:
        """Register the transactional id; waits for as long as the coordinator is away."""
        self._stop = stop
        try:
            self._persist(lambda: self._producer.init_transactions(_CALL_TIMEOUT_S))
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            if not (stop.stopped and error.retriable()):
                raise BrokerError(f"transactions: {error.str()}") from None
        except NotSettledError:
            return  # told to stop meanwhile

    def settle(self, records: Sequence[OutRecord], progress: Progress) -> None:
        """Publish and commit in one transaction, or abort it."""
        deliveries = Deliveries()
        try:
            self._call(self._producer.begin_transaction)
            for record in records:
                record.send(self._producer, deliveries)
            self._persist(
                lambda: self._producer.send_offsets_to_transaction(
                    progress.offsets, progress.member, _CALL_TIMEOUT_S
                )
            )
            self._persist(lambda: self._producer.commit_transaction(_CALL_TIMEOUT_S))
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            if error.fatal() or is_for_good(error):
                raise BrokerError(f"the transaction cannot go on: {error.str()}") from None
            deliveries.add(error, "transaction")
            self._abort()
            deliveries.raise_refusals()
            raise NotSettledError(deliveries.failed) from None

    def _abort(self) -> None:
        try:
            self._persist(lambda: self._producer.abort_transaction(_CALL_TIMEOUT_S))
        except KafkaException as failure:
            raise BrokerError(f"the transaction stays open: {failure.args[0].str()}") from None

    def _persist(self, call: Callable[[], None]) -> None:
        """Call again what librdkafka says may be called again, until told to stop."""
        backoff = Backoff(most_s=2.0)
        while True:
            try:
                return self._call(call)
            except KafkaException as failure:
                error: KafkaError = failure.args[0]
                if not error.retriable() or self._stop.stopped:
                    raise
                log.warning("waiting for the transaction coordinator", error=error.str())
                self._beat()
                self._stop.wait(backoff.next_s())

    def _call(self, call: Callable[[], None]) -> None:
        failures: list[BaseException] = []

        def called() -> None:
            try:
                call()
            except BaseException as failure:  # noqa: BLE001 - whoever waits raises it
                failures.append(failure)

        calling = threading.Thread(target=called, name="transaction", daemon=True)
        calling.start()
        began_s = time.monotonic()
        while calling.is_alive():
            calling.join(0.25)
            waited_s = time.monotonic() - began_s
            if self._stop.stopped and waited_s > _HUNG_ONCE_STOPPED_S:
                raise NotSettledError("a call to the transaction coordinator does not return")
            if waited_s > _HUNG_S:
                raise BrokerError(
                    "a call to the transaction coordinator does not return: start the process anew"
                )
        if failures:
            raise failures[0]


class AtLeastOnce(Settlement):
    """Publish, wait for every acknowledgement, then commit the offsets.

    A crash between the two makes the next owner publish the batch again.
    """

    def __init__(self, consumer: Consumer, producer: Producer) -> None:
        self._consumer = consumer
        self._producer = producer
        self._stop = StopSignal()

    def start(self, stop: StopSignal) -> None:
        """Nothing to prepare."""
        self._stop = stop

    def settle(self, records: Sequence[OutRecord], progress: Progress) -> None:
        """Publish, wait, commit."""
        deliveries = Deliveries()
        unsent = 0
        try:
            for record in records:
                record.send(self._producer, deliveries)
            unsent = self._flush()
        except KafkaException as failure:
            deliveries.add(failure.args[0], "producer")
        if unsent or deliveries.failed:
            self._producer.purge(in_flight=False)  # or each try would queue the batch once more
            deliveries.raise_refusals()
            raise NotSettledError(deliveries.failed or f"{unsent} records not acknowledged")
        self._commit(progress.offsets)

    def _commit(self, offsets: list[TopicPartition]) -> None:
        backoff = Backoff(first_s=0.05, most_s=0.5)
        deadline_s = time.monotonic() + _COMMIT_TIMEOUT_S
        while (error := self._try_to_commit(offsets)) is not None:
            if error.fatal() or is_for_good(error):
                raise BrokerError(f"offsets: {error.str()}")
            if error.code() not in _COMMIT_AGAIN or time.monotonic() > deadline_s:
                raise NotSettledError(f"offsets: {error.str()}")
            time.sleep(backoff.next_s())  # the batch is out: even a stop waits for its offsets

    def _try_to_commit(self, offsets: list[TopicPartition]) -> KafkaError | None:
        try:
            done = self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            return error
        return next((partition.error for partition in done if partition.error), None)

    def _flush(self) -> int:
        started_s = time.monotonic()
        while unsent := self._producer.flush(0.25):
            waited_s = time.monotonic() - started_s
            if waited_s > (_FLUSH_ONCE_STOPPED_S if self._stop.stopped else _FLUSH_TIMEOUT_S):
                break
        return unsent
