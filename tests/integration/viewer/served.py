"""The whole site on real sockets in a thread of this process, on frames that a test hands it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal
from tests.unit.viewer.pictures import picture
from viewer.app import make_painter, make_site
from viewer.board import Board
from viewer.identifier import Identifier
from viewer.live import Live
from viewer.pictures import Mark
from viewer.server import listen, serve
from viewer.settings import ViewerSettings
from viewer.state import StateReader

WAIT_S = 20.0


class Served:
    """A running site."""

    def __init__(self, env: dict[str, str]) -> None:
        self._settings = ViewerSettings.load([], {"STALE_AFTER_S": "60", **env})
        self.board = Board(self._settings.stale_after_s)
        self.live: Live
        self._stop = StopSignal()
        self._browsers: list[Browser] = []
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="served")

    async def _serve(self) -> None:
        listener = listen("127.0.0.1", 0)
        self.live = Live(self.board, asyncio.get_running_loop())
        painter = make_painter(self._settings)
        identifier = Identifier(self._settings.identifier_url)
        site = make_site(
            self._settings, self.live, painter, StateReader(self.board, Health()), identifier
        )
        port = listener.getsockname()[1]
        await serve(
            listener,
            site,
            self.live,
            self._stop,
            lambda: self._started.set_result(port),
            self._settings.certificate,
        )
        painter.close()
        identifier.close()

    def start(self) -> None:
        """Returns when it can be reached."""
        self._thread.start()
        self.port = self._started.result(WAIT_S)

    def stop(self) -> None:
        """Returns when it has ended."""
        self._stop.stop()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    def close(self) -> None:
        """Everybody leaves and it stops."""
        for browser in self._browsers:
            browser.close()
        self.stop()

    def show(self, seq: int, *marks: Mark, camera: str = "hall", jpeg: bytes | None = None) -> None:
        """A frame comes in."""
        self.live.changed(self.board.show(picture(seq, camera, *marks, jpeg=jpeg)))

    def streams(self) -> int:
        """How many are watched now."""
        return self.live.streams

    def connect(self, tls: ssl.SSLContext | None = None) -> Browser:
        """A browser that has not asked for anything; closed with the site, if not before."""
        wire = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        browser = Browser(tls.wrap_socket(wire, server_hostname="localhost") if tls else wire)
        self._browsers.append(browser)
        return browser

    def ask(self, target: str, *, version: str = "1.1", method: str = "GET") -> Browser:
        """Connect and ask for something."""
        browser = self.connect()
        browser.ask(target, version=version, method=method)
        return browser


class Browser:
    """One connection, read byte by byte as RFC 9112 says, so that what is wrong on it shows."""

    def __init__(self, wire: socket.socket | ssl.SSLSocket) -> None:
        self.wire = wire
        self._reader = wire.makefile("rb")
        self._chunked = False
        self._inside = b""

    def ask(self, target: str, *, version: str = "1.1", method: str = "GET") -> None:
        """Send a request."""
        self.wire.sendall(request(target, version=version, method=method))

    def head(self) -> tuple[int, dict[str, str]]:
        """Read the head of an answer: status and headers."""
        status = int(self._reader.readline().split()[1])
        headers = {}
        while (line := self._reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        self._chunked = headers.get("transfer-encoding") == "chunked"
        return status, headers

    def body(self, headers: dict[str, str]) -> bytes:
        """Read a body of known length."""
        return self._reader.read(int(headers["content-length"]))

    def frame(self) -> bytes:
        """Read one part of a multipart stream."""
        while (line := self.line()) in (b"--facestream\r\n", b"\r\n"):
            pass
        length = 0
        while line != b"\r\n":
            assert line, "the stream ended"
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            line = self.line()
        jpeg = self._take(length)
        assert self._take(16) == b"\r\n--facestream\r\n"
        return jpeg

    def channel(self) -> tuple[str, bytes]:
        """Read one frame of a stream of several channels: whose, and the JPEG."""
        head = json.loads(self.line())
        return head["name"], self._take(head["bytes"])

    def line(self) -> bytes:
        """Read one line of a stream; empty at its end."""
        line = b""
        while not line.endswith(b"\n") and (data := self._take(1)):
            line += data
        return line

    def rest(self) -> bytes:
        """Read a stream to its end."""
        got = b""
        while data := self._take(1):
            got += data
        return got

    def ended(self) -> bool:
        """Whether the server has closed the connection; waits for what comes."""
        try:
            return self._reader.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        """Leave."""
        self._reader.close()
        self.wire.close()

    def _take(self, length: int) -> bytes:
        if not self._chunked and not self._inside:
            return self._reader.read(length)
        while len(self._inside) < length and self._chunked:
            size = int(self._reader.readline(), 16)
            self._inside += self._reader.read(size)
            assert self._reader.readline() == b"\r\n"
            self._chunked = size > 0
        got, self._inside = self._inside[:length], self._inside[length:]
        return got


def request(target: str, *, version: str = "1.1", method: str = "GET") -> bytes:
    """A request as it goes over the wire."""
    return f"{method} {target} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode()


@contextmanager
def served(env: dict[str, str] | None = None) -> Iterator[Served]:
    """A site for the length of the block."""
    site = Served(env or {})
    site.start()
    try:
        yield site
    finally:
        site.close()
