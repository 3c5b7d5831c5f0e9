"""HTTP cameras, against a real server on this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import pytest

from producer.sources import CapturedFrame, SourceLost, SourceOptions, open_source
from tests.unit.producer.mjpeg import MjpegCamera, picture

OPTIONS = SourceOptions(connect_timeout_s=5, read_timeout_s=5, max_frame_bytes=200_000)
FRAMES = [picture(number) for number in range(10)]


def take(uri: str, count: int, options: SourceOptions = OPTIONS) -> list[CapturedFrame]:
    source = open_source(uri, options)
    try:
        return list(islice(source.frames(), count))
    finally:
        source.close()


@pytest.mark.parametrize("lengths", [True, False])
def test_every_jpeg_passes_through_untouched(lengths: bool) -> None:
    with MjpegCamera(FRAMES, lengths=lengths) as camera:
        frames = take(camera.uri, 25)
    assert [frame.jpeg for frame in frames] == [FRAMES[n % 10] for n in range(25)]
    assert frames[0].load().shape == (48, 64, 3)


def test_a_camera_that_hangs_up_is_lost_after_its_last_frame() -> None:
    with MjpegCamera(FRAMES, per_connection=3) as camera:
        frames: Iterator[CapturedFrame] = open_source(camera.uri, OPTIONS).frames()
        assert [next(frames).jpeg for _ in range(3)] == FRAMES[:3]
        with pytest.raises(SourceLost, match="ended the stream"):
            next(frames)


def test_a_silent_camera_is_lost_after_the_read_timeout() -> None:
    options = SourceOptions(connect_timeout_s=5, read_timeout_s=0.3)
    with MjpegCamera(FRAMES, silent_after=2) as camera:
        began_s = time.monotonic()
        with pytest.raises(SourceLost, match="no answer in time"):
            take(camera.uri, 3, options)
        assert 0.25 < time.monotonic() - began_s < 4


def test_a_login_in_the_address_is_used_and_not_shown() -> None:
    with MjpegCamera(FRAMES, login="admin:p@ss/word") as camera:
        uri = camera.uri.replace("http://", "http://admin:p%40ss%2Fword@")
        source = open_source(uri, OPTIONS)
        assert next(source.frames()).jpeg == FRAMES[0]
        assert source.describe() == f"http://***@127.0.0.1:{camera.port}/video.mjpg"
        source.close()


def test_a_wrong_login_is_lost_and_the_reason_shows_no_password() -> None:
    with MjpegCamera(FRAMES, login="admin:right") as camera:
        uri = camera.uri.replace("http://", "http://admin:hush@")
        with pytest.raises(SourceLost, match="401") as caught:
            open_source(uri, OPTIONS)
    assert "hush" not in str(caught.value)


def test_nobody_there_is_lost() -> None:
    with MjpegCamera(FRAMES) as camera:
        uri = camera.uri
    with pytest.raises(SourceLost, match="refused"):
        open_source(uri, OPTIONS)


def test_an_answer_that_is_no_video_is_lost_and_named() -> None:
    with (
        MjpegCamera([b"<html>"], content_type="text/html") as camera,
        pytest.raises(SourceLost, match="text/html"),
    ):
        open_source(camera.uri, OPTIONS)


def test_a_frame_larger_than_allowed_is_not_taken() -> None:
    with (
        MjpegCamera([b"\xff\xd8" + bytes(300_000)]) as camera,
        pytest.raises(SourceLost, match="allowed 200000"),
    ):
        take(camera.uri, 1)


def test_a_snapshot_camera_is_asked_again_and_again() -> None:
    with MjpegCamera(FRAMES, content_type="image/jpeg") as camera:
        assert [frame.jpeg for frame in take(camera.uri, 2)] == FRAMES[:2]


def test_a_waiting_read_ends_when_interrupted() -> None:
    with MjpegCamera(FRAMES, silent_after=1) as camera:
        source = open_source(camera.uri, SourceOptions(read_timeout_s=60))
        frames = source.frames()
        next(frames)
        timer = threading.Timer(0.1, source.interrupt)
        timer.start()
        with pytest.raises(SourceLost):
            next(frames)
        timer.join()
        source.close()


def test_a_redirect_to_a_link_local_address_is_not_followed() -> None:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_address[1]}/"
        with pytest.raises(SourceLost, match="link-local"):
            open_source(uri, SourceOptions(connect_timeout_s=1, link_local=False))
        server.shutdown()


def test_a_head_that_comes_letter_by_letter_is_given_up() -> None:
    ending = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                while not ending.wait(0.05):
                    connection.sendall(b"H")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        uri = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        with pytest.raises(SourceLost):
            open_source(uri, SourceOptions(connect_timeout_s=0.3))
        ending.set()
        thread.join(60)


def test_a_refused_login_says_that_it_is_one() -> None:
    with MjpegCamera([picture()], login="admin:hush") as camera:
        with pytest.raises(SourceLost) as caught:
            open_source(camera.uri, SourceOptions())
        assert caught.value.reason == "wrong-password"
