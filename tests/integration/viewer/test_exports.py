"""Answers and their readers: one who leaves, or does not read, keeps an export from nobody."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.certificates import make_certificate
from tests.integration.viewer.served import Served, request, served
from tests.waiting import eventually
from viewer import wire

EXPORT = "/sightings.csv"
AT_ONCE = 2
_SIGHTING = {
    "id": "0" * 32,
    "camera": "hall",
    "person": {"slug": "sam", "name": "Sam"},
    "unknown": None,
    "started_at": "2026-11-01T12:00:00+00:00",
    "last_at": "2026-11-01T12:00:05+00:00",
    "ended": True,
    "frames": 25,
    "best_similarity": 0.7,
    "mean_similarity": 0.6,
    "threshold": 0.4,
    "quality": 0.9,
    "found_by": "live",
    "session": "0" * 36,
}
_FACE = "0" * 32
_PHOTO = bytes(range(256)) * 16_384
_PART = json.dumps({"sightings": [_SIGHTING] * 500, "next": "more"}).encode()


class Endless(BaseHTTPRequestHandler):
    """Stands where the identifier is, with more sightings than anybody reads, and a large photo."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        is_photo = self.path.endswith("/photo")
        body = _PHOTO if is_photo else _PART
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg" if is_photo else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def endless() -> Iterator[str]:
    """The address of an identifier that goes on for ever."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site() -> Iterator[Served]:
    with endless() as url, served({"IDENTIFIER_URL": url}) as running:
        yield running


def status_of(site: Served, tls: ssl.SSLContext | None = None) -> int:
    """What an export is answered; whoever asks leaves at once."""
    browser = site.connect(tls)
    browser.ask(EXPORT)
    status, _ = browser.head()
    browser.close()
    return status


def test_an_export_ends_when_its_reader_leaves(site: Served) -> None:
    readers = [site.ask(EXPORT) for _ in range(AT_ONCE)]
    for reader in readers:
        assert reader.head()[0] == 200
    assert status_of(site) == 429
    for reader in readers:
        reader.close()
    eventually(lambda: status_of(site) == 200, 60, "a place for the next export")


def test_who_does_not_read_an_export_is_let_go(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "PATIENCE_S", 0.3)
    with slow_socket(site) as one, slow_socket(site) as other:
        for mute in (one, other):
            mute.sendall(request(EXPORT))
            assert mute.recv(12) == b"HTTP/1.1 200"
        eventually(lambda: status_of(site) == 200, 60, "a place for the next export")
        for mute in (one, other):
            with pytest.raises(ConnectionResetError):
                read_all(mute)


def test_who_does_not_read_an_export_is_let_go_over_tls_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "PATIENCE_S", 0.3)
    chain, key = make_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(chain))
    tls = {"VIEWER_TLS_CERT": str(chain), "VIEWER_TLS_KEY": str(key)}
    with endless() as url, served({"IDENTIFIER_URL": url, **tls}) as site:
        readers = [site.connect(trusting) for _ in range(AT_ONCE)]
        for reader in readers:
            reader.ask(EXPORT)
            assert reader.head()[0] == 200
        eventually(lambda: status_of(site, trusting) == 200, 60, "a place for the next export")


def test_who_reads_slowly_gets_all_of_a_large_picture(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "PATIENCE_S", 1.0)
    with slow_socket(site) as slow:
        slow.sendall(request(f"/people/sam/photos/{_FACE}.jpg"))
        got = b""
        # Three seconds altogether, and never one without a byte.
        while len(got) < len(_PHOTO) and (data := slow.recv(65_536)):
            got += data
            time.sleep(3 * len(data) / len(_PHOTO))
        assert b"\r\n\r\n" + _PHOTO[:100] in got
        while len(got.partition(b"\r\n\r\n")[2]) < len(_PHOTO):
            got += slow.recv(65_536)


@contextmanager
def slow_socket(site: Served) -> Iterator[socket.socket]:
    """A connection for which the kernel keeps little."""
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        made.settimeout(10)
        made.connect(("127.0.0.1", site.port))
        yield made


def read_all(wire_: socket.socket) -> None:
    while wire_.recv(65_536):
        pass
