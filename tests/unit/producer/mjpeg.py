"""A network camera of our own: MJPEG over HTTP, as obliging or as broken as a test wants."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import cv2
import numpy as np


def picture(number: int = 0, width: int = 64, height: int = 48, quality: int = 80) -> bytes:
    """A small JPEG whose brightness tells its number."""
    image = np.full((height, width, 3), number * 8 % 256, np.uint8)
    cv2.circle(image, (width // 2, height // 2), height // 4, (255, 255, 255), -1)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


@dataclass
class MjpegCamera:
    """What the camera does.

    Attributes:
        frames: what it sends, in order.
        per_connection: frames until it hangs up; 0 goes on round and round for ever.
        lengths: whether parts carry a Content-Length.
        content_type: of the answer; a snapshot camera says image/jpeg.
        login: `user:password` it asks for; empty for none.
        silent_after: frames after which it stays connected and says nothing.
        period_s: pause between frames.
    """

    frames: list[bytes]
    per_connection: int = 0
    lengths: bool = True
    content_type: str = "multipart/x-mixed-replace; boundary=--frame"
    login: str = ""
    silent_after: int = 0
    period_s: float = 0.0
    port: int = 0
    requests: int = 0
    refused: int = 0
    _server: ThreadingHTTPServer | None = None
    _hang_up: threading.Event = field(default_factory=threading.Event)
    _open: set[socket.socket] = field(default_factory=set)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/video.mjpg"

    def __enter__(self) -> Self:
        self._hang_up.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._hang_up.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._open.add(self.connection)
                with contextlib.suppress(OSError):
                    camera._answer(self)
                camera._open.discard(self.connection)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                del format, args

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests += 1
        wanted = "Basic " + base64.b64encode(self.login.encode()).decode()
        if self.login and handler.headers.get("Authorization") != wanted:
            self.refused += 1
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="camera"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(200)
        handler.send_header("Content-Type", self.content_type)
        handler.end_headers()
        if not self.content_type.startswith("multipart"):
            handler.wfile.write(self.frames[(self.requests - 1) % len(self.frames)])
            return
        number = 0
        while not self._hang_up.is_set():
            if self.per_connection and number == self.per_connection:
                return
            if self.silent_after and number == self.silent_after:
                self._hang_up.wait()
                return
            frame = self.frames[number % len(self.frames)]
            head = b"--frame\r\nContent-Type: image/jpeg\r\n"
            if self.lengths:
                head += b"Content-Length: %d\r\n" % len(frame)
            handler.wfile.write(head + b"\r\n" + frame + b"\r\n")
            number += 1
            if self.period_s:
                self._hang_up.wait(self.period_s)
