"""The consume-process-produce loop: a batch in, its output and its offsets out, until told to end.

What is at fault decides what happens. A record: it goes to `<topic>.dlq` and the rest of its
batch goes on. The broker, for a while: the batch is read again after a pause. The process: the
loop ends with a FatalError.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import structlog
from confluent_kafka import Message

from services.errors import BrokerError, FatalError, RecordError, RetriableError
from services.kafka.batches import BatchReader
from services.kafka.dead_letters import count_dead_letter, dead_letter
from services.kafka.outputs import Outcome, OutRecord, position
from services.kafka.settlement import Settlement
from services.lifecycle import metrics
from services.lifecycle.backoff import Backoff
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

_LAG_EVERY_S = 2.0


class BatchProcessor(Protocol):
    """The work itself; it knows records, not offsets."""

    def process(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        """One outcome per record, in the batch's order.

        Raises:
            FatalError: the process must end.
            RetriableError: the batch should be tried again.
            Exception: anything else counts against the batch, then against the one record.

        A batch may be processed more than once: count in `settled`.
        """

    def settled(self, batch: Sequence[Message], outcomes: Sequence[Outcome]) -> None:
        """The batch is published and committed: count it."""


class ConsumeProcessProduce:
    """Runs a processor over batches; see the module's first lines for what fails how."""

    def __init__(
        self,
        reader: BatchReader,
        processor: BatchProcessor,
        settlement: Settlement,
        health: Health,
        *,
        max_record_bytes: int,
    ) -> None:
        self._max_record_bytes = max_record_bytes
        self._reader = reader
        self._processor = processor
        self._settlement = settlement
        self._health = health
        self._backoff = Backoff(first_s=0.2, most_s=5.0)

    def run(self, stop: StopSignal) -> None:
        """Work until `stop`; the batch in hand is finished first.

        Raises:
            FatalError: the process cannot go on.
        """
        self._settlement.start(stop)
        lag_seen_s = 0.0
        while not stop.stopped:
            self._health.beat()
            batch = self._reader.read(stop)
            if batch:
                self._handle(batch, stop)
            if time.monotonic() - lag_seen_s > _LAG_EVERY_S:
                self._reader.observe_lag()
                lag_seen_s = time.monotonic()

    def _handle(self, batch: list[Message], stop: StopSignal) -> None:
        try:
            outcomes = [self._if_it_fits(outcome) for outcome in self._process(batch)]
        except RetriableError as error:
            self._read_again(batch, error, stop)
            return
        try:
            self._settle(batch, outcomes)
        except RetriableError as error:
            self._read_again(batch, error, stop)
        except RecordError as error:
            log.warning("batch refused, settling its records one by one", error=str(error))
            self._settle_singly(batch, outcomes, stop)

    def _settle(self, batch: Sequence[Message], outcomes: Sequence[Outcome]) -> None:
        with metrics.STAGE_SECONDS.labels("settle").time():
            self._settlement.settle(_to_publish(batch, outcomes), self._reader.progress(batch))
        self._backoff.reset()
        metrics.BATCH_SIZE.observe(len(batch))
        metrics.BYTES_IN.inc(sum(len(message.value() or b"") for message in batch))
        for message, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, RecordError):
                count_dead_letter(message, outcome)
        self._processor.settled(batch, outcomes)

    def _settle_singly(
        self, batch: Sequence[Message], outcomes: Sequence[Outcome], stop: StopSignal
    ) -> None:
        for index, (message, outcome) in enumerate(zip(batch, outcomes, strict=True)):
            try:
                self._settle_one(message, outcome)
            except RetriableError as error:
                self._read_again(batch[index:], error, stop)
                return

    def _settle_one(self, message: Message, outcome: Outcome) -> None:
        try:
            self._settle([message], [outcome])
        except RecordError as refused:
            if isinstance(outcome, RecordError):
                raise BrokerError(
                    f"the dead letter of {position(message)} is refused, {refused}"
                ) from None
            self._settle_one(message, refused)

    def _read_again(
        self, batch: Sequence[Message], error: RetriableError, stop: StopSignal
    ) -> None:
        log.warning("batch is read again", records=len(batch), error=str(error))
        self._reader.rewind(batch)
        stop.wait(self._backoff.next_s())

    def _if_it_fits(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, RecordError):
            for record in outcome:
                if (size := len(record.value or b"")) > self._max_record_bytes:
                    return RecordError("too-large", f"{size} bytes for topic {record.topic}")
        return outcome

    def _process(self, batch: list[Message]) -> list[Outcome]:
        try:
            return list(self._processor.process(batch))
        except (FatalError, RetriableError):
            raise
        except Exception as error:
            if len(batch) == 1:
                if isinstance(error, RecordError):
                    return [error]
                log.exception("record cannot be processed")
                return [RecordError("processing-failed", f"{type(error).__name__}: {error}"[:500])]
            log.warning("batch failed, trying its records one by one", error=str(error))
        return [outcome for message in batch for outcome in self._process([message])]


def _to_publish(batch: Sequence[Message], outcomes: Sequence[Outcome]) -> list[OutRecord]:
    records: list[OutRecord] = []
    for message, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, RecordError):
            records.append(dead_letter(message, outcome))
        else:
            records.extend(outcome)
    return records
