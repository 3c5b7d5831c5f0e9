"""The way into Kafka: one idempotent producer, and what of its frames is not acknowledged yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer.settings import ProducerSettings
from services.errors import BrokerError, RecordError
from services.kafka.clients import make_producer
from services.lifecycle import metrics
from services.records.frames import FrameMeta, raw_key, to_headers

_POLL_S = 0.1
_NOT_YET = {
    KafkaError._MSG_TIMED_OUT,
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
}
TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True)
class OutFrame:
    """One frame on its way."""

    meta: FrameMeta
    jpeg: bytes = field(repr=False)


def not_yet(error: KafkaError) -> bool:
    """Whether a frame may be delivered by a later try."""
    return error.code() in _NOT_YET and not error.fatal()


class Link:
    """One idempotent producer, the thread that hears its acknowledgements, and what is on the way.

    `lost` is called, on that thread, with every frame that was not delivered and why.
    """

    def __init__(
        self,
        settings: ProducerSettings,
        message_timeout_ms: int,
        acknowledged: Callable[[OutFrame], None],
        lost: Callable[[OutFrame, KafkaError], None],
    ) -> None:
        limited = {"message.timeout.ms": str(message_timeout_ms)} | settings.kafka_config
        self._producer: Producer = make_producer(
            settings.model_copy(update={"kafka_config": limited})
        )
        self._topic = settings.topic_raw
        self._partition_by = settings.partition_by
        self._max_bytes = settings.kafka_max_message_bytes
        self._acknowledged = acknowledged
        self._lost = lost
        self._lock = threading.Lock()
        self._flying_bytes = 0
        self._failure: BrokerError | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="acknowledgements", daemon=True)
        self._thread.start()

    @property
    def flying_bytes(self) -> int:
        """Bytes handed over and not acknowledged."""
        with self._lock:
            return self._flying_bytes

    def send(self, frame: OutFrame) -> bool:
        """Hand a frame over; False while the producer's own queue is full.

        Raises:
            BrokerError: the broker refused for good, now or since the last call.
        """
        self.check()
        with self._lock:
            self._flying_bytes += len(frame.jpeg)
        try:
            self._producer.produce(
                self._topic,
                value=frame.jpeg,
                key=raw_key(frame.meta, self._partition_by),
                headers=list(to_headers(frame.meta)),
                on_delivery=partial(self._delivered, frame),
            )
        except BufferError:
            self._landed(frame)
            return False
        except KafkaException as failure:
            self._landed(frame)
            raise self._refusal(failure.args[0]) from None
        return True

    def check_size(self, frame: OutFrame) -> None:
        """Refuse a frame that no record can hold.

        Raises:
            RecordError: `too-large`.
        """
        if len(frame.jpeg) > self._max_bytes:
            raise RecordError(
                TOO_LARGE,
                f"a frame of {len(frame.jpeg)} bytes, and a record holds {self._max_bytes}; "
                "set MAX_SIDE or raise KAFKA_MAX_MESSAGE_BYTES",
            )

    def check(self) -> None:
        """Raise what ended the link, if anything did."""
        if self._failure is not None:
            raise self._failure

    def fail(self, error: KafkaError) -> None:
        """Let every later call raise BrokerError."""
        self._failure = self._refusal(error)

    def flush(self, timeout_s: float) -> None:
        """Wait until everything that was sent is acknowledged, or time is up."""
        self._producer.flush(timeout_s)

    def close(self, timeout_s: float) -> int:
        """Wait for the last acknowledgements; returns how many frames are left without."""
        left = self._producer.flush(timeout_s)
        self._closed.set()
        self._thread.join()
        return left

    def _listen(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(_POLL_S)

    def _delivered(self, frame: OutFrame, error: KafkaError | None, message: Message) -> None:
        del message
        if error is None:
            metrics.FRAMES_OUT.labels(camera=frame.meta.camera).inc()
            metrics.BYTES_OUT.inc(len(frame.jpeg))
            self._acknowledged(frame)
        else:
            self._lost(frame, error)
        # Last, so that a frame to be sent again is never in neither count.
        self._landed(frame)

    def _landed(self, frame: OutFrame) -> None:
        with self._lock:
            self._flying_bytes -= len(frame.jpeg)

    def _refusal(self, error: KafkaError) -> BrokerError:
        return BrokerError(f"{self._topic} takes no frames: {error.str()}")
