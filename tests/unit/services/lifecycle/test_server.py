"""/healthz, /readyz and /metrics over real HTTP."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

import pytest

from services.errors import SettingsError
from services.lifecycle import metrics
from services.lifecycle.health import Health
from services.lifecycle.server import status_server
from tests.certificates import Authority
from tests.conftest import ROOT

HEALTHCHECK = ROOT / "deploy" / "docker" / "healthcheck.py"


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


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def tls_port(health: Health, authority: Authority) -> Iterator[int]:
    with status_server("127.0.0.1", free_port(), health, authority.make("localhost")) as listening:
        yield listening


def get(port: int, path: str) -> tuple[int, str, str]:
    return answer_to(HTTPConnection("127.0.0.1", port, timeout=10), path)


def get_securely(
    port: int, path: str, authority: Authority | None, host: str = "localhost"
) -> tuple[int, str, str]:
    trusted = ssl.create_default_context(cafile=None if authority is None else authority.file)
    return answer_to(HTTPSConnection(host, port, timeout=10, context=trusted), path)


def answer_to(connection: HTTPConnection, path: str) -> tuple[int, str, str]:
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


def test_with_a_certificate_it_answers_over_https(
    tls_port: int, health: Health, authority: Authority
) -> None:
    assert get_securely(tls_port, "/readyz", authority)[0] == 503
    health.ready("models", ok=True)
    assert get_securely(tls_port, "/readyz", authority)[0] == 200
    status, kind, body = get_securely(tls_port, "/metrics", authority)
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    assert body.endswith("\n")


def test_with_a_certificate_plain_http_is_refused(tls_port: int, authority: Authority) -> None:
    with pytest.raises((OSError, HTTPException)):
        get(tls_port, "/metrics")
    assert get_securely(tls_port, "/healthz", authority)[0] == 200


def test_its_certificate_is_for_its_name_and_of_its_authority(
    tls_port: int, authority: Authority
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.1"):
        get_securely(tls_port, "/healthz", authority, "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError, match="issuer"):
        get_securely(tls_port, "/healthz", None)


def test_clients_that_never_begin_with_tls_block_nobody(
    tls_port: int, authority: Authority
) -> None:
    with (
        socket.create_connection(("127.0.0.1", tls_port)),
        socket.create_connection(("127.0.0.1", tls_port)) as half,
    ):
        half.sendall(b"\x16\x03\x01")
        assert get_securely(tls_port, "/healthz", authority)[0] == 200


def test_a_silent_client_does_not_hold_up_the_end(health: Health, authority: Authority) -> None:
    certificate, port = authority.make("localhost"), free_port()
    with socket.socket() as silent:
        with status_server("127.0.0.1", port, health, certificate):
            silent.connect(("127.0.0.1", port))
            assert get_securely(port, "/healthz", authority)[0] == 200
        with status_server("127.0.0.1", port, health, certificate):
            assert get_securely(port, "/healthz", authority)[0] == 200


@pytest.mark.parametrize("secured", [False, True])
def test_the_health_check_of_a_container_asks_as_the_service_answers(
    health: Health, authority: Authority, secured: bool
) -> None:
    certificate = authority.make("worker") if secured else None
    with status_server("127.0.0.1", free_port(), health, certificate) as port:
        env = {"METRICS_PORT": str(port)}
        if certificate is not None:
            env["METRICS_TLS_CERT"] = str(certificate.chain)

        def check() -> tuple[int, str]:
            done = subprocess.run(
                [sys.executable, "-I", str(HEALTHCHECK)],
                env=env,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            return done.returncode, done.stdout

        status, told = check()
        assert status == 1
        assert json.loads(told)["ready"] is False
        health.ready("models", ok=True)
        assert check()[0] == 0
