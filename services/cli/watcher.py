"""Reads `faces.identified` from now on, for the status table, the report and the pictures."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.cli.report import Sightings
from services.errors import RecordError
from services.kafka.clients import make_consumer
from services.kafka.lag import watermarks
from services.kafka.settings import KafkaSettings
from services.records import identified
from services.records.facestream_pb2 import IdentifiedFrame

log = structlog.get_logger()

WATCHER_GROUP = "facestream-up"
_TIMEOUT_S = 10.0
_COMMIT_EVERY_S = 0.1
_RATE_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class BestFrame:
    """The frame in which a person was recognised best on one camera."""

    jpeg: bytes
    frame: IdentifiedFrame
    similarity: float


class Watcher:
    """A thread that counts every identified frame published after its start.

    It commits what it has counted as group `facestream-up`, so that a file source can wait for it
    on a broker that forgets.

    Args:
        settings: where Kafka is.
        keep_best: keep the best frame per camera and person, for pictures.
    """

    def __init__(self, settings: KafkaSettings, *, keep_best: bool) -> None:
        self._consumer = make_consumer(settings, WATCHER_GROUP)
        self._topic = settings.topic_identified
        self._keep_best = keep_best
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._arrivals: defaultdict[str, deque[float]] = defaultdict(deque)
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.sightings = Sightings()
        self.best: dict[tuple[str, str], BestFrame] = {}

    def start(self) -> None:
        """Take up position at the end of the topic, then read on."""
        known = self._consumer.list_topics(self._topic, timeout=_TIMEOUT_S)
        ends = []
        for number in known.topics[self._topic].partitions:
            partition = TopicPartition(self._topic, number)
            _, partition.offset = watermarks(self._consumer, partition)
            ends.append(partition)
        self._consumer.assign(ends)
        self._consumer.commit(offsets=ends, asynchronous=False)
        self._thread.start()

    def stop(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()

    def rate(self, camera: str) -> float:
        """Frames per second of a camera over the last five seconds."""
        with self._lock:
            arrivals = self._arrivals[camera]
            now_s = time.monotonic()
            while arrivals and arrivals[0] < now_s - _RATE_WINDOW_S:
                arrivals.popleft()
            return len(arrivals) / _RATE_WINDOW_S

    def _run(self) -> None:
        committed_s = 0.0
        behind = False
        while not self._stop.is_set():
            for message in self._consumer.consume(64, timeout=_COMMIT_EVERY_S / 2):
                if message.error() is not None:
                    continue
                behind = True
                try:
                    frame = identified.from_message(message)
                except RecordError:
                    continue  # the viewer dead-letters it; a count of frames has no use for it
                self._count(frame, message.value() or b"")
            if behind and time.monotonic() - committed_s > _COMMIT_EVERY_S:
                behind = not self._commit(self._consumer)
                committed_s = time.monotonic()
        self._commit(self._consumer)
        self._consumer.close()

    @staticmethod
    def _commit(consumer: Consumer) -> bool:
        try:
            positions = [p for p in consumer.position(consumer.assignment()) if p.offset >= 0]
            if positions:
                consumer.commit(offsets=positions, asynchronous=False)
        except KafkaException as error:
            log.warning("watcher cannot commit", error=error.args[0].str())
            return False
        return True

    def _count(self, frame: IdentifiedFrame, jpeg: bytes) -> None:
        camera = frame.frame.camera
        with self._lock:
            if not self.sightings.add(frame, datetime.now(UTC)):
                return
            self._arrivals[camera].append(time.monotonic())
        if not self._keep_best:
            return
        for face in frame.faces:
            best = self.best.get((camera, face.name))
            if face.person and (best is None or face.similarity > best.similarity):
                self.best[(camera, face.name)] = BestFrame(jpeg, frame, face.similarity)
