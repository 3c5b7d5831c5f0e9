"""Producers that follow an identifier: on a thread of the test, or as a process to be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import Message

from identifier.api.server import ApiServer
from producer.camera import Camera, CameraPlan
from producer.companions import make_companions
from producer.fleet import Fleet
from producer.main import connect
from producer.progress import Progress
from producer.settings import ProducerSettings
from services.kafka.topics import ensure_topics
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal
from services.records.frames import FrameMeta, from_message
from services.records.jpeg import jpeg_size
from tests.pipeline import read_all


@dataclass(frozen=True)
class Site:
    """Where producers send their frames, and whom they ask."""

    bootstrap: str
    topic: str
    server: ApiServer

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "TOPIC_RAW": self.topic,
            "IDENTIFIER_URL": f"http://127.0.0.1:{self.server.port}",
            "RUNTIME_CAMERAS": "true",
            "RECONNECT_MIN_S": "0.1",
            "RECONNECT_MAX_S": "0.3",
        } | more

    def frames(self, camera: str) -> list[FrameMeta]:
        """What was published of a camera, by the time of capture."""
        found = [_meta(message) for message in read_all(self.bootstrap, self.topic)]
        return sorted((m for m in found if m.camera == camera), key=lambda m: m.captured_at)


def _meta(message: Message) -> FrameMeta:
    return from_message(message, jpeg_size(message.value() or b""))


@contextmanager
def following(site: Site, **env: str) -> Iterator[StopSignal]:
    """A producer on a thread, put together as `producer.main` does it."""
    settings = ProducerSettings.load(env=site.environment(**env))
    ensure_topics(settings, [settings.topic_raw])
    stop = StopSignal()
    plans = [CameraPlan.of(spec, settings) for spec in settings.specs()]
    cameras = [Camera(plan, "session", stop) for plan in plans]
    publishers = connect(settings, plans, stop)
    companions = make_companions(settings, cameras, publishers.live)
    fleet = Fleet(cameras, stop, Health(), companions, waits=settings.waits)
    progress = Progress(cameras, enabled=False)
    thread = threading.Thread(target=fleet.run, args=(publishers, progress), daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        stop.stop()
        thread.join(20)
    assert not thread.is_alive()


@contextmanager
def process(site: Site, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """`facestream producer`, killed at the end if it still runs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    started = subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", "producer"],
        env=kept | site.environment(**env),
        stderr=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()
