"""Frames into `frames.raw`: stored ones all of them, live ones the newest."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from confluent_kafka import KafkaError

from producer.backlog import BacklogGate
from producer.link import Link, OutFrame, not_yet
from producer.settings import ProducerSettings
from services.errors import BrokerError
from services.lifecycle import metrics

_PAUSE_S = 0.05
_LIVE_IN_FLIGHT_FRAMES = 16


class Publisher(Protocol):
    """Takes frames for Kafka."""

    def publish(self, frame: OutFrame) -> bool:
        """Take one frame; False when told to stop before there was room for it.

        Raises:
            BrokerError: the broker refuses for good.
            RecordError: `too-large`, no record can hold the frame.
        """

    def close(self, timeout_s: float) -> int:
        """Wait for the last acknowledgements; returns how many frames are left without."""


class StoredPublisher:
    """Publishes every frame, waiting as long as Kafka or its readers need.

    A frame whose delivery failed for a while is sent again, so it may arrive twice, with the
    same `seq`, but never not at all.

    Args:
        settings: topic, keys and limits.
        gate: holds frames back while their readers are behind.
        wait: pauses for so many seconds; True when told to stop.
    """

    def __init__(
        self, settings: ProducerSettings, gate: BacklogGate, wait: Callable[[float], bool]
    ) -> None:
        self._gate = gate
        self._wait = wait
        self._again: deque[OutFrame] = deque()
        self._link = Link(settings, 0, lambda _frame: None, self._on_lost)

    @property
    def flying_bytes(self) -> int:
        """Bytes handed over and not acknowledged."""
        return self._link.flying_bytes + sum(len(frame.jpeg) for frame in tuple(self._again))

    def publish(self, frame: OutFrame) -> bool:
        """Take one frame, once there is room for it in the backlog."""
        self._link.check_size(frame)
        if not self._gate.admit(len(frame.jpeg), lambda: self.flying_bytes):
            return False
        return self._send_again() and self._send(frame)

    def close(self, timeout_s: float) -> int:
        """Send what is left; returns how many frames were not acknowledged in time."""
        self._send_again()
        return self._link.close(timeout_s) + len(self._again)

    def finish(self, grace_s: float) -> int:
        """Wait, however long, until every frame is acknowledged; told to stop, `grace_s` more.

        Returns how many frames are left, 0 unless told to stop.

        Raises:
            BrokerError: the broker refuses for good.
        """
        while self.flying_bytes:
            self._link.check()
            self._send_again()
            if self._wait(_PAUSE_S):
                break
        self._link.check()
        return self.close(grace_s)

    def _send_again(self) -> bool:
        while True:
            try:
                frame = self._again.popleft()
            except IndexError:  # another camera's thread may have been first
                return True
            if not self._send(frame):
                self._again.appendleft(frame)
                return False

    def _send(self, frame: OutFrame) -> bool:
        while not self._link.send(frame):
            if self._wait(_PAUSE_S):
                return False
        return True

    def _on_lost(self, frame: OutFrame, error: KafkaError) -> None:
        if not_yet(error):
            self._again.append(frame)
        else:
            self._link.fail(error)


class LivePublisher:
    """Publishes as fast as Kafka takes frames; never waits.

    A camera that is faster than Kafka loses its oldest unsent frames, counted as drops with
    reason `producer-queue`, as are frames that Kafka did not take in time.
    """

    def __init__(self, settings: ProducerSettings) -> None:
        self._most_waiting = settings.live_queue_frames
        self._lock = threading.RLock()
        self._waiting: dict[str, deque[OutFrame]] = {}
        self._flying: dict[str, int] = {}
        timeout_ms = int(settings.live_timeout_s * 1_000)
        self._link = Link(settings, timeout_ms, self._on_acknowledged, self._on_lost)

    def publish(self, frame: OutFrame) -> bool:
        """Take one frame, making room by dropping the camera's oldest where there is none."""
        self._link.check()
        self._link.check_size(frame)
        camera = frame.meta.camera
        with self._lock:
            waiting = self._waiting.setdefault(camera, deque())
            waiting.append(frame)
            self._pump(camera)
            if len(waiting) > self._most_waiting:
                waiting.popleft()
                drop(camera, "producer-queue")
        return True

    def forget(self, camera: str) -> None:
        """Drop what a camera that has ended still has waiting, so that it is not sent later."""
        with self._lock:
            for _ in self._waiting.pop(camera, ()):
                drop(camera, "producer-queue")

    def close(self, timeout_s: float) -> int:
        """Wait for the last acknowledgements; returns how many frames were not sent."""
        until_s = time.monotonic() + timeout_s
        # An acknowledgement sends the next frame, so one flush is not the end.
        while self._unsettled() and (left_s := until_s - time.monotonic()) > 0:
            self._link.flush(min(left_s, _PAUSE_S))
        self._link.close(0)
        return self._unsettled()

    def _unsettled(self) -> int:
        with self._lock:
            waiting = sum(len(frames) for frames in self._waiting.values())
            return waiting + sum(self._flying.values())

    def _pump(self, camera: str) -> None:
        waiting = self._waiting.get(camera)
        while waiting and self._flying.get(camera, 0) < _LIVE_IN_FLIGHT_FRAMES:
            if not self._link.send(waiting[0]):
                return
            waiting.popleft()
            self._flying[camera] = self._flying.get(camera, 0) + 1

    def _on_acknowledged(self, frame: OutFrame) -> None:
        self._landed(frame.meta.camera)

    def _on_lost(self, frame: OutFrame, error: KafkaError) -> None:
        if not_yet(error):
            drop(frame.meta.camera, "producer-queue")
        else:
            self._link.fail(error)
        self._landed(frame.meta.camera)

    def _landed(self, camera: str) -> None:
        with self._lock:
            self._flying[camera] -= 1
            if not self._flying[camera]:
                del self._flying[camera]
            try:
                self._pump(camera)
            except BrokerError:
                return  # the camera's next frame raises it again


def drop(camera: str, reason: str) -> None:
    """Count a frame that is left out."""
    metrics.DROPS.labels(camera=camera, reason=reason).inc()
