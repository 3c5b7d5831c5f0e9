"""The clients of `benchmarks.viewer` count what a viewer sends, and notice what is wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from benchmarks.mjpeg_clients import Audience
from tests.integration.viewer.served import served
from tests.unit.viewer.pictures import noise

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n"


def test_every_part_is_counted_once_by_those_who_look_and_those_who_do_not() -> None:
    with served() as site, closing(Audience(site.port, "/stream/hall.mjpg", 5, 2, 1)) as audience:
        site.show(0, jpeg=noise(0))
        audience.connect()
        for seq in range(1, 12):
            while {client.parts for client in audience.clients} != {seq}:
                audience.read_for(0.01)
            site.show(seq, jpeg=noise(seq))
        looking = [client for client in audience.clients if client.keeps]
        assert len(looking) == 2
        for client in looking:
            assert client.jpegs == [noise(seq) for seq in range(11)]


def watch(audience: Audience) -> None:
    audience.connect()
    audience.read_for(10)


@contextmanager
def server_that_sends(answer: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            wire, _ = listener.accept()
            with wire:
                wire.recv(1_000)
                wire.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 503 Busy\r\n\r\n", "not a multipart stream"),
        (HEAD + b"Content-Length: 7\r\n\r\n" + bytes(200), "not the head of a part"),
        (HEAD + b"x" * 200, "not the head of a part"),
        (
            HEAD + b"Content-Type: image/jpeg\r\nContent-Length: 200\r\n\r\n" + bytes(300),
            "does not end with the boundary",
        ),
    ],
)
def test_what_is_not_a_stream_of_parts_is_noticed(answer: bytes, problem: str) -> None:
    with (
        server_that_sends(answer) as port,
        closing(Audience(port, "/", 1, 1)) as audience,
        pytest.raises(ValueError, match=problem),
    ):
        watch(audience)
