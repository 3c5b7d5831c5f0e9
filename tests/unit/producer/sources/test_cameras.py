"""Cameras that are not there: what cannot be had on a machine without any."""

from __future__ import annotations

import socket

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
