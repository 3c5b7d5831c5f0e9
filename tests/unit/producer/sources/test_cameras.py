"""Cameras that are not there: what cannot be had on a machine without any."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress

import pytest

from producer.sources import SourceLost, SourceOptions, open_source


def test_a_device_that_is_not_there_is_lost() -> None:
    with pytest.raises(SourceLost, match="no camera there"):
        open_source("/dev/video999", SourceOptions())


def test_an_rtsp_camera_that_refuses_is_lost_and_shows_no_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(SourceLost) as caught:
        open_source(f"rtsp://admin:hush@127.0.0.1:{port}/main", SourceOptions())
    assert "refused" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_an_rtsp_camera_that_never_answers_is_lost_in_time() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        options = SourceOptions(connect_timeout_s=0.5, read_timeout_s=0.5)
        with pytest.raises(SourceLost):
            open_source(f"rtsp://127.0.0.1:{port}/main", options)


def test_a_link_local_address_is_refused_where_it_came_over_the_network() -> None:
    strict = SourceOptions(connect_timeout_s=1, link_local=False)
    for uri in ("rtsp://169.254.169.254/main", "http://169.254.169.254/latest/meta-data"):
        with pytest.raises(SourceLost, match="link-local") as caught:
            open_source(uri, strict)
        assert caught.value.reason == "refused-address"


def test_an_rtsp_camera_that_refuses_the_login_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                while asked := connection.recv(65_536):
                    number = re.search(rb"CSeq: (\d+)", asked)
                    connection.sendall(
                        b"RTSP/1.0 401 Unauthorized\r\nCSeq: %b\r\n"
                        b'WWW-Authenticate: Basic realm="camera"\r\n\r\n'
                        % (number[1] if number else b"1")
                    )

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        options = SourceOptions(connect_timeout_s=5, read_timeout_s=5)
        with pytest.raises(SourceLost, match="401") as caught:
            open_source(f"rtsp://admin:hush@127.0.0.1:{port}/main", options)
        thread.join(60)
    assert caught.value.reason == "wrong-password"
    assert "hush" not in str(caught.value)
