"""What a processor makes of a record: records to publish, or the reason it cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from services.errors import RecordError

DeliveryCallback = Callable[[KafkaError | None, Message], None]
Headers = Sequence[tuple[str, bytes | None]]

_QUEUE_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class OutRecord:
    """A record to publish; its payload stays out of its `repr`."""

    topic: str
    key: bytes | None
    value: bytes | None = field(repr=False)
    headers: Headers = field(default=(), repr=False)

    def send(self, producer: Producer, on_delivery: DeliveryCallback | None = None) -> None:
        """Hand the record to librdkafka; waits a while for its queue to have room.

        Raises:
            KafkaException: the record is too large, the queue stays full, or the producer is
                broken for good.
        """
        deadline_s = time.monotonic() + _QUEUE_PATIENCE_S
        while True:
            try:
                producer.produce(
                    self.topic,
                    value=self.value,
                    key=self.key,
                    headers=list(self.headers),
                    on_delivery=on_delivery,
                )
            except BufferError:
                if time.monotonic() > deadline_s:
                    raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from None
                producer.poll(0.1)
            else:
                producer.poll(0)
                return


Outcome = Sequence[OutRecord] | RecordError
"""Of one input record: what to publish (nothing, when it was left out on purpose), or the error."""


def position(message: Message) -> str:
    """`topic/partition/offset` of a record."""
    return f"{message.topic()}/{message.partition()}/{message.offset()}"
