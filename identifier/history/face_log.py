"""Reading `faces.detected` from a time on, without a group and without committing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from google.protobuf.message import DecodeError

from identifier.history.hits import LoggedFace
from services.errors import BrokerError, BrokerUnavailable
from services.kafka.clients import consumer_config
from services.kafka.closing import close_within
from services.kafka.lag import watermarks
from services.kafka.settings import KafkaSettings
from services.records.facestream_pb2 import DetectedFace

log = structlog.get_logger()

_GROUP = "facestream-history"  # never joined, nothing is committed
_ASK_S = 5.0
_POLL_S = 0.2
_CLOSE_S = 2.0
_QUEUED_KBYTES = 16_384


class FaceLog:
    """One consumer over a stretch of the log.

    Args:
        settings: how Kafka is reached.
        topic: `faces.detected`.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        config = consumer_config(settings, _GROUP) | {
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "queued.max.messages.kbytes": max(
                _QUEUED_KBYTES, settings.kafka_max_message_bytes // 512
            ),
        }
        self._consumer = Consumer(config)
        self._topic = topic
        self._positions: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._since_ms = 0

    def bounds(self, since: datetime) -> tuple[dict[int, int], dict[int, int]]:
        """First offset at or after a time, and the offset after the last, by partition.

        Raises:
            BrokerUnavailable: no broker answers.
        """
        try:
            cluster = self._consumer.list_topics(self._topic, timeout=_ASK_S)
            known = cluster.topics.get(self._topic)
            if known is None or known.error is not None:
                return {}, {}
            since_ms = int(since.timestamp() * 1000)
            asked = [TopicPartition(self._topic, number, since_ms) for number in known.partitions]
            found = self._consumer.offsets_for_times(asked, timeout=_ASK_S)
            starts, ends = {}, {}
            for at in found:
                low, high = watermarks(self._consumer, TopicPartition(self._topic, at.partition))
                start = at.offset
                if at.error is not None or start < 0:
                    # None is as new; or the in-memory broker, which has no controller and
                    # cannot be asked by time.
                    start = high if cluster.controller_id in cluster.brokers else low
                starts[at.partition], ends[at.partition] = min(max(low, start), high), high
        except KafkaException as failure:
            raise BrokerUnavailable(f"{self._topic}: {failure.args[0].str()}") from None
        return starts, ends

    def open(self, since: datetime, positions: Mapping[int, int], ends: Mapping[int, int]) -> None:
        """Read from these offsets up to those; what is older than `since` is left out."""
        self._since_ms = int(since.timestamp() * 1000)
        self._ends = dict(ends)
        self._positions = dict(positions)
        self._consumer.assign(
            [
                TopicPartition(self._topic, partition, offset)
                for partition, offset in positions.items()
                if offset < ends[partition]
            ]
        )

    @property
    def positions(self) -> dict[int, int]:
        """Next offset to be read, by partition."""
        return dict(self._positions)

    @property
    def ended(self) -> bool:
        """Whether everything up to the ends was read."""
        return all(offset >= self._ends[at] for at, offset in self._positions.items())

    def read(self, most: int) -> list[LoggedFace]:
        """The next faces; may be none yet.

        Raises:
            BrokerError: the consumer cannot go on.
        """
        faces = []
        for message in self._consumer.consume(most, timeout=_POLL_S):
            face = self._take(message)
            if face is not None:
                faces.append(face)
        return faces

    def close(self) -> None:
        """Let go of the connection."""
        close_within(self._consumer, _CLOSE_S)

    def _take(self, message: Message) -> LoggedFace | None:
        partition, offset = message.partition() or 0, message.offset() or 0
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._pass(partition, self._ends[partition])
            elif error.fatal():
                raise BrokerError(f"{self._topic} cannot be read: {error.str()}")
            else:
                log.warning("face log", error=error.str())
            return None
        if offset >= self._ends[partition]:
            self._pass(partition, self._ends[partition])
            return None
        self._pass(partition, offset + 1)
        logged_ms = max(0, message.timestamp()[1])
        if 0 < logged_ms < self._since_ms:
            return None
        record = DetectedFace()
        try:
            record.ParseFromString(message.value() or b"")
        except DecodeError:
            return None  # whoever reads the topic for good has it in the dead letters
        return LoggedFace(record, partition, offset, logged_ms)

    def _pass(self, partition: int, position: int) -> None:
        self._positions[partition] = max(position, self._positions[partition])
        if self._positions[partition] >= self._ends[partition]:
            self._consumer.pause([TopicPartition(self._topic, partition)])
