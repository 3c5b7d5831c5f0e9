"""Reads what the worker and the identifier publish; sends frames that were kept."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.errors import RecordError
from services.kafka.clients import make_consumer, make_producer
from services.kafka.settings import KafkaSettings
from services.records import identified
from services.records.facestream_pb2 import IdentifiedFrame, ProcessedFrame
from services.records.processed import parse_processed

log = structlog.get_logger()

_POLL_S = 0.1
_COMMIT_EVERY_S = 0.2
_TIMEOUT_S = 15.0
_MOST_UNDER_WAY = 64
_MOST_BYTES_UNDER_WAY = 1_500_000


class Collector:
    """A thread that keeps every processed and every identified frame, once each.

    Args:
        settings: where Kafka is, and what the topics are called.
        group: commits what was read, so that a file source waits for it.
    """

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        self._settings = settings
        self._consumer = make_consumer(settings, group)
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)
        self._processed: defaultdict[str, dict[int, ProcessedFrame]] = defaultdict(dict)
        self._identified: defaultdict[str, dict[int, IdentifiedFrame]] = defaultdict(dict)

    def start(self) -> None:
        """Read both topics from their beginning."""
        partitions = []
        for topic in (self._settings.topic_processed, self._settings.topic_identified):
            known = self._consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
            partitions += [TopicPartition(topic, number, 0) for number in known.partitions]
        self._consumer.assign(partitions)
        self._consumer.commit(offsets=partitions, asynchronous=False)
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def named(self) -> int:
        """Frames that have been through the identifier."""
        with self._lock:
            return sum(len(frames) for frames in self._identified.values())

    @property
    def is_complete(self) -> bool:
        """Whether every processed frame has been through the identifier."""
        with self._lock:
            return all(
                frames.keys() <= self._identified[camera].keys()
                for camera, frames in self._processed.items()
            )

    def processed(self, camera: str) -> list[ProcessedFrame]:
        """A camera's frames with faces, in order."""
        with self._lock:
            return [frame for _, frame in sorted(self._processed[camera].items())]

    def identified(self, camera: str) -> list[IdentifiedFrame]:
        """A camera's frames with names, in order."""
        with self._lock:
            return [frame for _, frame in sorted(self._identified[camera].items())]

    def _run(self) -> None:
        committed_s = 0.0
        while not self._end.is_set():
            for message in self._consumer.consume(64, timeout=_POLL_S):
                if message.error() is None:
                    try:
                        if message.topic() == self._settings.topic_processed:
                            self._add(parse_processed(message.value()))
                        else:
                            self._add(identified.from_message(message))
                    except RecordError as error:
                        log.warning("record not readable", reason=error.reason)
            if time.monotonic() - committed_s > _COMMIT_EVERY_S:
                committed_s = time.monotonic()
                self._commit()
        self._consumer.close()

    def _add(self, frame: ProcessedFrame | IdentifiedFrame) -> None:
        ref = frame.frame
        with self._lock:
            if isinstance(frame, ProcessedFrame):
                frame.jpeg = b""
                self._processed[ref.camera][ref.seq] = frame
            else:
                self._identified[ref.camera][ref.seq] = frame

    def _commit(self) -> None:
        consumer: Consumer = self._consumer
        try:
            positions = [p for p in consumer.position(consumer.assignment()) if p.offset >= 0]
            if positions:
                consumer.commit(offsets=positions, asynchronous=False)
        except KafkaException as error:
            log.warning("collector cannot commit", error=error.args[0].str())


class Sender:
    """A thread that publishes kept frames to `frames.processed`, a few ahead of the identifier.

    Args:
        settings: where Kafka is.
        collector: knows what has come out.
        frames: to send.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        collector: Collector,
        frames: Callable[[], Iterator[ProcessedFrame]],
    ) -> None:
        self._settings = settings
        self._collector = collector
        self._frames = frames
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._failure: KafkaException | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether everything is sent.

        Raises:
            KafkaException: it could not be.
        """
        if self._failure is not None:
            raise self._failure
        return not self._thread.is_alive()

    def _run(self) -> None:
        producer = make_producer(self._settings)
        sent = under_way_bytes = 0
        before = self._collector.named
        try:
            for frame in self._frames():
                value = frame.SerializeToString()
                while sent - (self._collector.named - before) >= _MOST_UNDER_WAY or (
                    under_way_bytes + len(value) > _MOST_BYTES_UNDER_WAY
                    and self._collector.named - before < sent
                ):
                    producer.flush(_POLL_S)
                    threading.Event().wait(_POLL_S / 10)
                if self._collector.named - before >= sent:
                    under_way_bytes = 0
                producer.produce(self._settings.topic_processed, value, frame.frame.camera.encode())
                sent += 1
                under_way_bytes += len(value)
            producer.flush(_TIMEOUT_S)
        except KafkaException as error:
            self._failure = error
