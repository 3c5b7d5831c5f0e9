"""Reads identified frames from the end of their topics onto the board: one consumer per process.

No group is joined and nothing is committed: every viewer sees every frame, and after a pause it
goes on with what is new. A record that is no frame goes to its topic's dead letters.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from services.errors import BrokerError, FatalError, RecordError, RetriableError
from services.kafka.clients import make_consumer, make_producer
from services.kafka.dead_letters import count_dead_letter, dead_letter
from services.kafka.topics import dlq_topic, ensure_topics_when_up
from services.lifecycle import metrics
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal
from services.records import identified
from services.records.jpeg import check_jpeg
from viewer.board import Board, Key
from viewer.pictures import Picture, picture_of
from viewer.settings import ViewerSettings
from viewer.texts import Texts

log = structlog.get_logger()

_POLL_S = 0.1
_REFRESH_S = 5.0
_ASK_TIMEOUT_S = 3.0
_FLUSH_S = 2.0
_END_WITHIN_S = 2.5


class Feed:
    """Runs in a thread of its own between `start` and `join`.

    Args:
        settings: brokers, topics and limits.
        board: where frames go.
        changed: told which channels have something new.
        health: `partitions` is ready once every partition is read from a known offset.
        stop: ends the thread; set by the thread itself when it cannot go on.
        texts: what unknown people are called.
    """

    def __init__(
        self,
        settings: ViewerSettings,
        board: Board,
        changed: Callable[[Sequence[Key]], None],
        health: Health,
        stop: StopSignal,
        texts: Texts,
    ) -> None:
        self._texts = texts
        self._settings = settings
        self._board = board
        self._changed = changed
        self._health = health
        self._stop = stop
        self._producer: Producer | None = None
        self._read: dict[tuple[str, int], TopicPartition] = {}
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._failure: FatalError | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, but not for a Kafka that does not answer.

        Raises:
            FatalError: the feed ended because it could not go on.
        """
        self._thread.join(_END_WITHIN_S)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._consume()
        except FatalError as error:
            self._failure = error
        finally:
            self._health.ready("partitions", ok=False, detail="stopped")
            self._stop.stop()

    def _consume(self) -> None:
        topics = self._settings.shown_topics
        ensure_topics_when_up(
            self._settings, (*topics, *(dlq_topic(name) for name in topics)), self._stop
        )
        consumer = make_consumer(
            self._settings, f"facestream-viewer-{uuid.uuid4().hex}", auto_offset_reset="latest"
        )
        try:
            refresh_at_s = 0.0
            while not self._stop.stopped:
                self._health.beat()
                if time.monotonic() >= refresh_at_s:
                    self._take_partitions(consumer, topics)
                    refresh_at_s = time.monotonic() + (_REFRESH_S if self._read else 0.5)
                self._take(consumer.poll(_POLL_S))
        finally:
            consumer.close()
            if self._producer is not None:
                self._producer.flush(_FLUSH_S)

    def _take_partitions(self, consumer: Consumer, topics: Sequence[str]) -> None:
        """Read every partition there is: those found first from their end, later ones whole."""
        try:
            found = [where for topic in topics for where in _partitions(consumer, topic)]
            first = not self._read
            new = [
                TopicPartition(*where, offset=_end(consumer, where, from_start=not first))
                for where in found
                if where not in self._read
            ]
        except (KafkaException, RetriableError) as error:
            log.warning("waiting for Kafka", error=str(error))
            self._health.ready("partitions", ok=bool(self._read), detail="Kafka does not answer")
            return
        if new:
            self._read |= {(p.topic, p.partition): p for p in new}
            consumer.incremental_assign(new)
            log.info("reading", partitions=sorted(f"{p.topic}/{p.partition}" for p in new))
        self._health.ready("partitions", ok=bool(self._read), detail=f"{len(self._read)} read")

    def _take(self, message: Message | None) -> None:
        if message is None:
            return
        if (error := message.error()) is not None:
            if error.fatal():
                raise BrokerError(f"the consumer cannot go on: {error.str()}")
            if error.code() != KafkaError._PARTITION_EOF:
                log.warning("consumer", error=error.str())
            return
        try:
            picture = self._picture(message)
        except RecordError as bad:
            self._bury(message, bad)
            return
        metrics.FRAMES_IN.labels(camera=picture.camera).inc()
        metrics.BYTES_IN.inc(len(picture.jpeg))
        if changed := self._board.show(picture):
            self._changed(changed)
        else:
            metrics.DROPS.labels(camera=picture.camera, reason="late").inc()

    def _picture(self, message: Message) -> Picture:
        jpeg = message.value() or b""
        check_jpeg(
            jpeg,
            max_bytes=self._settings.kafka_max_message_bytes,
            max_pixels=self._settings.max_frame_pixels,
        )
        return picture_of(identified.from_message(message), jpeg, self._texts)

    def _bury(self, message: Message, error: RecordError) -> None:
        if self._producer is None:
            self._producer = make_producer(self._settings)

        def delivered(failure: KafkaError | None, _: Message) -> None:
            if failure is None:
                count_dead_letter(message, error)
            else:
                log.error("dead letter lost", reason=error.reason, error=failure.str())

        dead_letter(message, error).send(self._producer, delivered)


def observe_first_sight(picture: Picture) -> None:
    """Count a frame's way from camera to browser, once, when the first browser gets it."""
    if not picture.sent:
        picture.sent = True
        delay_s = (datetime.now(UTC) - picture.captured_at).total_seconds()
        metrics.END_TO_END_SECONDS.labels(camera=picture.camera).observe(max(0.0, delay_s))


def _partitions(consumer: Consumer, topic: str) -> list[tuple[str, int]]:
    metadata = consumer.list_topics(topic, timeout=_ASK_TIMEOUT_S).topics[topic]
    return [] if metadata.error is not None else [(topic, number) for number in metadata.partitions]


def _end(consumer: Consumer, where: tuple[str, int], *, from_start: bool) -> int:
    # Asked for here and now: a frame published once the viewer says it is ready is not missed.
    bounds = consumer.get_watermark_offsets(TopicPartition(*where), timeout=_ASK_TIMEOUT_S)
    if bounds is None:
        raise RetriableError(f"no offsets of {where[0]}/{where[1]}")
    return int(bounds[0] if from_start else bounds[1])
