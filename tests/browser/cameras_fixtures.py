"""A running pipeline with an ingest, a little network camera, and a browser that has a camera."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from services.cli.children import free_port
from tests.conftest import require_or_skip
from tests.footage import clip_jpegs
from tests.pipeline import Services, services

INGEST_TOKEN = "the ingest's own token"
PLAIN_HOST = "facestream.test"
"""A name that this browser finds here, and does not trust as it trusts this machine's own."""


@pytest.fixture(scope="module")
def pipeline(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Every service; the producer has no camera of its own and takes what is added or pushed."""
    folder = tmp_path_factory.mktemp("cameras")
    ingest_port = free_port()
    with services(
        kafka,
        f"cameras{time.time_ns()}.",
        folder,
        INGEST_PORT=str(ingest_port),
        INGEST_TOKEN=INGEST_TOKEN,
        INGEST_URL=f"http://127.0.0.1:{ingest_port}",
        RUNTIME_CAMERAS="true",
        ALLOWED_HOSTS=f"127.0.0.1,{PLAIN_HOST}",
    ) as run:
        api = f"http://127.0.0.1:{run.env['API_PORT']}"
        for service in ("worker", "identifier", "viewer", "producer"):
            run.start(service, IDENTIFIER_URL=api)
        run.ready()
        yield run


@pytest.fixture(scope="module")
def fake_device(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip as Chromium's fake camera plays it: JPEGs, one after another."""
    file = tmp_path_factory.mktemp("device") / "clip.mjpeg"
    file.write_bytes(b"".join(clip_jpegs(test_data)))
    return file


@pytest.fixture(scope="module")
def chromium(fake_device: Path) -> Iterator[Browser]:
    """A headless browser with a camera, which it lets every page use."""
    path = shutil.which("chromium")
    require_or_skip(path is not None, "no Chromium: apt-get install chromium")
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
        f"--use-file-for-fake-video-capture={fake_device}",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


class NetworkCamera:
    """A real little MJPEG server that wants a login."""

    def __init__(self, jpegs: list[bytes], login: str) -> None:
        self.logins: set[str] = set()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            """Answers every path with the same stream."""

            def do_GET(self) -> None:
                camera.logins.add(self.headers.get("Authorization", ""))
                if self.headers.get("Authorization") != f"Basic {login}":
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
                self.end_headers()
                try:
                    for jpeg in cycle(jpegs):
                        head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                        self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
                        if camera.closing.wait(0.1):
                            return
                except OSError:
                    return

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.place = f"127.0.0.1:{self._server.server_address[1]}/video.mjpg"

    def close(self) -> None:
        """Hang up on everybody."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def network_camera(jpegs: list[bytes], login: str) -> Iterator[NetworkCamera]:
    """A `NetworkCamera` that is closed at the end; `login` is base64 of `user:password`."""
    camera = NetworkCamera(jpegs, login)
    try:
        yield camera
    finally:
        camera.close()
