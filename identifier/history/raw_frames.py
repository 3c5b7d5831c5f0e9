"""The very frame a sighting was made from, read from the raw topic while it is retained."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.errors import BrokerUnavailable, RecordError
from services.kafka.clients import consumer_config
from services.kafka.closing import close_within
from services.kafka.settings import KafkaSettings
from services.records.frames import from_message
from services.records.jpeg import check_jpeg

_GROUP = "facestream-history"  # never joined, nothing is committed
_ASK_S = 3.0
_READ_S = 5.0
_CLOSE_S = 2.0
_AT_ONCE = 2
_UNKNOWN = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION)


@dataclass(frozen=True, slots=True)
class FramePlace:
    """Where a frame lies, and what its record has to say for itself.

    Attributes:
        topic: raw topic.
        partition: of the topic.
        offset: in the partition.
        camera: of the frame.
        session: of the frame.
        seq: of the frame.
        captured_at: UTC.
        size_px: width and height.
    """

    topic: str
    partition: int
    offset: int
    camera: str
    session: str
    seq: int
    captured_at: datetime
    size_px: tuple[int, int]


class RawFrames:
    """Reads single records by their offset; safe from any thread, two at a time.

    Args:
        settings: how Kafka is reached.
        max_pixels: largest width x height that is handed out.
    """

    def __init__(self, settings: KafkaSettings, max_pixels: int = 64_000_000) -> None:
        self._settings = settings
        self._max_pixels = max_pixels
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def jpeg(self, place: FramePlace) -> bytes | None:
        """The frame; None when it is not retained any more, or another record is in its place.

        Raises:
            BrokerUnavailable: Kafka does not answer in time.
        """
        with self._slots:
            consumer = self._consumer()
            try:
                message = _record(consumer, place)
            except KafkaException as failure:
                raise BrokerUnavailable(f"{place.topic}: {failure.args[0].str()}") from None
            finally:
                close_within(consumer, _CLOSE_S)
        return None if message is None else self._checked(message, place)

    def _consumer(self) -> Consumer:
        config = consumer_config(self._settings, _GROUP, read_committed=False) | {
            "allow.auto.create.topics": False,
            "auto.offset.reset": "error",
            "queued.min.messages": 1,
        }
        return Consumer(config)

    def _checked(self, message: Message, place: FramePlace) -> bytes | None:
        data = message.value() or b""
        try:
            size_px = check_jpeg(
                data, max_bytes=self._settings.max_record_bytes, max_pixels=self._max_pixels
            )
            meta = from_message(message, size_px)
        except RecordError:
            return None
        said = (meta.camera, meta.session, meta.seq, meta.captured_at, size_px)
        asked = (place.camera, place.session, place.seq, place.captured_at, place.size_px)
        return data if said == asked else None


def _record(consumer: Consumer, place: FramePlace) -> Message | None:
    at = TopicPartition(place.topic, place.partition, place.offset)
    known = consumer.list_topics(place.topic, timeout=_ASK_S).topics.get(place.topic)
    if known is None or known.error is not None or place.partition not in known.partitions:
        return None
    found = consumer.get_watermark_offsets(at, timeout=_ASK_S)
    if found is None or not found[0] <= place.offset < found[1]:
        return None
    consumer.assign([at])
    deadline_s = time.monotonic() + _READ_S
    while (left_s := deadline_s - time.monotonic()) > 0:
        message = consumer.poll(left_s)
        if message is None:
            continue
        error = message.error()
        if error is None:
            return message if message.offset() == place.offset else None
        if error.code() == KafkaError._AUTO_OFFSET_RESET or error.code() in _UNKNOWN:
            return None
    raise BrokerUnavailable(f"{place.topic}: no answer within {_READ_S:g} s")
