"""Events on Kafka, one record each, keyed by camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from identifier.memory.tables import EventRow
from services.errors import BrokerUnavailable
from services.kafka.outputs import OutRecord

_WITHIN_S = 10.0


class KafkaEvents:
    """Publishes events and waits for the broker's word.

    Args:
        producer: idempotent.
        topic: `faces.events`.
    """

    def __init__(self, producer: Producer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    def publish(self, events: Sequence[EventRow]) -> None:
        """Publish, and wait until all of it is taken.

        Raises:
            BrokerUnavailable: some of it was not.
        """
        failures: list[str] = []
        delivered = self._told(failures)
        for event in events:
            record = OutRecord(
                self._topic,
                event.camera.encode(),
                event.payload.encode(),
                [("type", event.type.encode())],
            )
            try:
                record.send(self._producer, delivered)
            except KafkaException as error:
                failures.append(error.args[0].str())
        left = self._producer.flush(_WITHIN_S)
        if failures or left:
            why = failures[0] if failures else f"{left} records are not acknowledged"
            raise BrokerUnavailable(f"events are not published: {why}")

    @staticmethod
    def _told(failures: list[str]) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, message: Message) -> None:
            del message
            if error is not None:
                failures.append(error.str())

        return delivered
