"""A viewer in a process of its own, as it is run, and cameras that publish to it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer

from services.kafka.clients import make_producer
from services.records.facestream_pb2 import IdentifiedFace
from tests.footage import FakeCamera, clip_jpegs
from viewer.settings import ViewerSettings

START_WITHIN_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RunningViewer:
    """The process, its addresses and its metrics."""

    def __init__(self, env: dict[str, str]) -> None:
        port, status_port = free_port(), free_port()
        own = {"VIEWER_PORT": str(port), "METRICS_PORT": str(status_port)}
        self.env = {"VIEWER_SECRET": "a secret of the tests"} | env | own
        self.url = f"http://127.0.0.1:{port}"
        self._status = f"http://127.0.0.1:{status_port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.cli.main", "viewer"], env={**os.environ, **self.env}
        )
        wait_until(self._is_ready, START_WITHIN_S)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, "the viewer ended"
        try:
            return httpx.get(f"{self._status}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = httpx.get(f"{self._status}/metrics").text
        found = re.findall(rf"^{name}(?:{{.*}})? ([0-9.e+-]+)$", text, re.MULTILINE)
        return sum(float(value) for value in found)

    def state(self) -> dict[str, list[dict[str, object]]]:
        """What the page is told."""
        answer: dict[str, list[dict[str, object]]] = httpx.get(f"{self.url}/api/state.json").json()
        return answer

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def wait_until(holds: Callable[[], bool], timeout_s: float = 60.0) -> float:
    """Waits for something that will come true; returns how many seconds it took."""
    began_s = time.monotonic()
    while not holds():
        assert time.monotonic() - began_s < timeout_s, "it did not come true in time"
        time.sleep(0.02)
    return time.monotonic() - began_s


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> ViewerSettings:
    """The viewer's settings: real Kafka, topics of this test's own."""
    return ViewerSettings.load(
        [], {"KAFKA_BOOTSTRAP_SERVERS": kafka, "TOPIC_IDENTIFIED": f"{topic_prefix}identified"}
    )


@pytest.fixture
def viewer(request: pytest.FixtureRequest, settings: ViewerSettings) -> Iterator[RunningViewer]:
    """A viewer that is ready; no camera counts as silent unless the test asks for that."""
    given: dict[str, str] = getattr(request, "param", {"STALE_AFTER_S": "60"})
    running = RunningViewer(
        {
            "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "TOPIC_IDENTIFIED": settings.topic_identified,
            **given,
        }
    )
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


@pytest.fixture
def producer(settings: ViewerSettings) -> Iterator[Producer]:
    """A producer on the same broker."""
    made = make_producer(settings)
    yield made
    made.flush(5)


@pytest.fixture(scope="session")
def jpegs(test_data: Path) -> list[bytes]:
    """Frames of a real clip."""
    return clip_jpegs(test_data)


MakeCamera = Callable[..., FakeCamera]


@pytest.fixture
def camera(
    settings: ViewerSettings, viewer: RunningViewer, producer: Producer, jpegs: list[bytes]
) -> MakeCamera:
    """Makes cameras that publish identified frames: `camera("hall", face("sam", "Sam"))`."""
    del viewer  # it has to be reading before a frame is sent

    def make(name: str, *faces: IdentifiedFace) -> FakeCamera:
        return FakeCamera(producer, settings.topic_identified, name, jpegs, list(faces))

    return make
