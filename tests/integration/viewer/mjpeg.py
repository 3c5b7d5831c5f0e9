"""Browsers for tests: one that reads MJPEG as the standard says, one that reads nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np

from services.records.jpeg import Image


@contextmanager
def watching(url: str, timeout_s: float = 60.0) -> Iterator[Iterator[bytes]]:
    """Open a stream; yields the JPEGs as they come."""
    # Without TLS there is no need for its certificates, which take 50 ms to load.
    with (
        httpx.Client(verify=False, trust_env=False, timeout=timeout_s) as client,  # noqa: S501
        client.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
        assert kind == "multipart/x-mixed-replace"
        yield parts(answer.iter_raw(), boundary.encode())


def parts(chunks: Iterator[bytes], boundary: bytes) -> Iterator[bytes]:
    """Cut a multipart body (RFC 2046, 5.1) into its bodies, each when it has come whole."""
    buffer = b""
    delimiter = b"--" + boundary + b"\r\n"

    def until(mark: bytes) -> bytes:
        nonlocal buffer
        while mark not in buffer:
            buffer += next(chunks)
        before, _, buffer = buffer.partition(mark)
        return before

    try:
        assert until(delimiter) == b""
        while True:
            head = until(b"\r\n\r\n").decode("ascii").lower()
            assert "content-type: image/jpeg" in head
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            # Nothing is shown before the boundary that ends the part has come.
            body = until(b"\r\n" + delimiter)
            assert len(body) == length
            yield body
    except (StopIteration, httpx.RemoteProtocolError):
        return


def decode(jpeg: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


class StuckBrowser:
    """Asks for a stream and never reads a byte of it."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.connect((address.hostname, address.port))
        request = f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n"
        self._socket.sendall(request.encode())

    def read_for(self, seconds: float) -> bytes:
        """Read at last."""
        self._socket.settimeout(0.2)
        got, until_s = b"", time.monotonic() + seconds
        while time.monotonic() < until_s:
            try:
                got += self._socket.recv(1 << 20)
            except TimeoutError:
                break
        return got

    def close(self) -> None:
        self._socket.close()
