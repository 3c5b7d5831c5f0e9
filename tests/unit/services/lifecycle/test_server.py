"""/healthz, /readyz and /metrics over real HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from services.errors import SettingsError
from services.lifecycle import metrics
from services.lifecycle.health import Health
from services.lifecycle.server import status_server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def health() -> Health:
    return Health("models")


@pytest.fixture
def port(health: Health) -> Iterator[int]:
    with status_server("127.0.0.1", free_port(), health) as listening:
        yield listening


def get(port: int, path: str) -> tuple[int, str, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type") or "", answer.read().decode()
    finally:
        connection.close()


def test_readiness_follows_the_parts(port: int, health: Health) -> None:
    status, kind, body = get(port, "/readyz")
    assert (status, kind) == (503, "application/json")
    assert json.loads(body)["parts"]["models"]["ok"] is False
    health.ready("models", ok=True)
    assert get(port, "/readyz")[0] == 200


def test_liveness_and_metrics_answer(port: int) -> None:
    assert json.loads(get(port, "/healthz")[2]) == {"alive": True}
    metrics.FRAMES_IN.labels(camera="of-this-test").inc(3)
    status, kind, body = get(port, "/metrics?format=any")
    assert status == 200
    assert kind.startswith("text/plain")
    assert 'facestream_frames_in_total{camera="of-this-test"} 3.0' in body


def test_anything_else_is_not_found(port: int) -> None:
    status, _, body = get(port, "/etc/passwd")
    assert status == 404
    assert "/healthz" in body


def test_a_client_that_says_nothing_blocks_nobody(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)):
        assert get(port, "/healthz")[0] == 200


def test_port_0_is_off(health: Health) -> None:
    with status_server("127.0.0.1", 0, health) as listening:
        assert listening == 0


def test_a_port_that_is_taken_is_named(port: int, health: Health) -> None:
    with (
        pytest.raises(SettingsError, match=f"METRICS_PORT={port}"),
        status_server("127.0.0.1", port, health),
    ):
        pass


def test_the_port_is_free_afterwards(health: Health) -> None:
    port = free_port()
    for _ in range(2):
        with status_server("127.0.0.1", port, health):
            assert get(port, "/healthz")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        get(port, "/healthz")
