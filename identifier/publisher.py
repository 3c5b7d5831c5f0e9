"""Publishing: a frame is done once every record made of it is acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from identifier.offsets import OffsetLedger, Ticket
from services.errors import BrokerError, RecordError
from services.kafka.dead_letters import count_dead_letter, dead_letter
from services.kafka.outputs import OutRecord
from services.lifecycle import metrics

log = structlog.get_logger()

_TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)
_COMPLAIN_EVERY_S = 60.0


@dataclass(slots=True)
class _Pending:
    """What is still to be acknowledged of one frame."""

    ticket: Ticket
    records: int
    counted: Callable[[float], None]  # told the seconds that the last record took


class Publisher:
    """Sends records and tells the ledger when a frame is through.

    Acknowledgements arrive inside `poll` and `flush`, on the thread that calls them. A record
    that Kafka did not take makes `failed` true: its frame stays open, so that it is read again.
    Records of `optional` topics (a person's, which may have been deleted or never made) are given
    up instead, with a line in the log now and then: nobody else shall wait for them.

    Args:
        producer: idempotent, not transactional.
        ledger: told what is done.
        optional: whether a topic is one of those.
    """

    def __init__(
        self, producer: Producer, ledger: OffsetLedger, optional: Callable[[str], bool]
    ) -> None:
        self._producer = producer
        self._ledger = ledger
        self._optional = optional
        self._complained_s: dict[str, float] = {}
        self.failed = False

    def frame(
        self, ticket: Ticket, camera: str, captured_at: datetime, records: Sequence[OutRecord]
    ) -> None:
        """Publish what was made of one frame; no record at all is done at once."""
        sent_age_s = (datetime.now(UTC) - captured_at).total_seconds()

        def counted(latency_s: float) -> None:
            metrics.FRAMES_OUT.labels(camera=camera).inc()
            metrics.BYTES_OUT.inc(sum(len(record.value or b"") for record in records))
            age_s = max(0.0, sent_age_s + latency_s)
            metrics.END_TO_END_SECONDS.labels(camera=camera).observe(age_s)

        if records:
            self._send(records, _Pending(ticket, len(records), counted))
        else:
            self._ledger.done(ticket)

    def dead_letter(self, ticket: Ticket, message: Message, error: RecordError) -> None:
        """Publish a record that cannot be used to its dead-letter topic."""
        letter = dead_letter(message, error)
        self._send([letter], _Pending(ticket, 1, lambda _: count_dead_letter(message, error)))

    @property
    def in_flight(self) -> int:
        """Records not acknowledged yet."""
        return len(self._producer)

    def poll(self) -> None:
        """Take in acknowledgements; waits for nothing.

        Raises:
            BrokerError: the producer is broken for good.
        """
        self._producer.poll(0)

    def flush(self, timeout_s: float) -> bool:
        """Wait for acknowledgements; whether everything was taken."""
        return self._producer.flush(timeout_s) == 0 and not self.failed

    def forgive(self) -> None:
        """Begin anew after a failure; what is still under way was given back to be read again."""
        self.failed = False

    def _send(self, records: Sequence[OutRecord], pending: _Pending) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            settle(error, message.topic() or "", message.latency() or 0.0)

        def settle(error: KafkaError | None, topic: str, latency_s: float = 0.0) -> None:
            if error is not None and not self._given_up(error, topic):
                self.failed |= self._ledger.is_open(pending.ticket)
                return
            pending.records -= 1
            if pending.records == 0:
                self._ledger.done(pending.ticket)
                pending.counted(latency_s)

        for record in records:
            try:
                record.send(self._producer, delivered)
            except KafkaException as failure:
                settle(failure.args[0], record.topic)

    def _given_up(self, error: KafkaError, topic: str) -> bool:
        if error.fatal():
            raise BrokerError(f"the producer cannot go on: {error.str()}")
        now_s = time.monotonic()
        if now_s - self._complained_s.get(topic, -_COMPLAIN_EVERY_S) >= _COMPLAIN_EVERY_S:
            self._complained_s[topic] = now_s
            log.warning("record not taken", topic=topic, error=error.str())
        return error.code() in _TOO_LARGE or self._optional(topic)
