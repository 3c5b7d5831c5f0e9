"""Reads status reports onto the board: those of a while before now, then all; joins no group."""

from __future__ import annotations

import threading
import time
import uuid

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.errors import RecordError, SettingsError
from services.kafka.settings import KafkaSettings
from services.status.clients import quiet_consumer
from services.status.report import parse_report
from viewer.system.board import StatusBoard

log = structlog.get_logger()

_POLL_S = 0.25
_LOOK_FOR_PARTITIONS_S = 5.0
_ASK_TIMEOUT_S = 3.0
_END_WITHIN_S = 0.5
# The ten minutes of ten services: the charts of a viewer that is started again are full at once.
_RECORDS_BEFORE = 3_000


class StatusReader:
    """Runs in a thread of its own between `start` and `stop`; `join` waits for its end.

    Args:
        settings: brokers and `TOPIC_STATUS`.
        board: where reports go.
    """

    def __init__(self, settings: KafkaSettings, board: StatusBoard) -> None:
        self._settings = settings
        self._board = board
        self._stop = threading.Event()
        self._live_from: dict[int, int] = {}
        self._thread = threading.Thread(target=self._run, name="status-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the end, but not for a Kafka that does not answer."""
        if self._thread.is_alive():
            self._thread.join(_END_WITHIN_S)

    def _run(self) -> None:
        try:
            consumer = quiet_consumer(self._settings, f"facestream-status-{uuid.uuid4().hex}")
        except SettingsError as error:
            log.error("no status is read", error=str(error))  # noqa: TRY400 - its text says it all
            return
        try:
            look_at_s = 0.0
            while not self._stop.is_set():
                if time.monotonic() >= look_at_s:
                    self._take_partitions(consumer)
                    pause_s = _LOOK_FOR_PARTITIONS_S if self._live_from else 0.5
                    look_at_s = time.monotonic() + pause_s
                self._take(consumer.poll(_POLL_S))
        finally:
            consumer.close()

    def _take_partitions(self, consumer: Consumer) -> None:
        topic = self._settings.topic_status
        new = []
        try:
            found = consumer.list_topics(timeout=_ASK_TIMEOUT_S).topics.get(topic)
            if found is None:
                return
            for number in found.partitions:
                if number in self._live_from:
                    continue
                where = TopicPartition(topic, number)
                low, high = consumer.get_watermark_offsets(where, timeout=_ASK_TIMEOUT_S)
                self._live_from[number] = high
                new.append(TopicPartition(topic, number, max(low, high - _RECORDS_BEFORE)))
        except KafkaException as error:
            log.debug("no status is read now", error=error.args[0].str())
        if new:
            consumer.incremental_assign(new)

    def _take(self, message: Message | None) -> None:
        if message is None:
            return
        if (error := message.error()) is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                log.debug("status reader", error=error.str())
            return
        try:
            report = parse_report(message.value())
        except RecordError as bad:
            self._board.unreadable()
            log.debug("not a status report", offset=message.offset(), error=str(bad))
            return
        live = (message.offset() or 0) >= self._live_from.get(message.partition() or 0, 0)
        self._board.add(report, live=live)
