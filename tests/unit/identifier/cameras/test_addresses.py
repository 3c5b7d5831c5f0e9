"""Which addresses may be added over the network."""

from __future__ import annotations

import pytest

from identifier.cameras.addresses import check_address
from services.addresses import is_link_local, redact
from services.errors import RecordError


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://cam/1",
        "rtsps://user:p%40ss@10.0.0.5:322/main?sub=1",
        "HTTP://[fd12::5]:8080/video.mjpg",
        "https://user@cam.example/shot.jpg",
    ],
)
def test_a_network_camera_may_be_added(address: str) -> None:
    check_address(address, files=False)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "0",
        "/dev/video0",
        "/etc/passwd",
        "file:///srv/u:hush.mp4",
        "gopher://u:hush@cam/1",
        "concat:http://u:hush@cam/1",
        "rtsp://u:hush@/1",
        "rtsp://u:hush@cam:0/1",
        "rtsp://u:hush@cam:door/1",
        "rtsp://u:hush@cam/ 1",
        "rtsp://u:hush@cam/\n1",
        "rtsp://u:hush@cam/\x001",
        "http://169.254.169.254/latest/meta-data",
        "http://u:hush@[::ffff:169.254.169.254]/latest",
        "http://2852039166/latest",
        "http://0xa9fea9fe/latest",
        "http://[fe80::1]/x",
        "http://[fd00:ec2::254]/latest",
        "rtsp://cam/" + "x" * 2_048,
    ],
)
def test_anything_else_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(RecordError) as caught:
        check_address(address, files=False)
    assert caught.value.reason == "bad-address"
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("address", ["0", "/dev/video0", "clips/a.mp4", "file:///srv/a.mp4"])
def test_files_and_devices_may_be_added_where_that_is_allowed(address: str) -> None:
    check_address(address, files=True)


@pytest.mark.parametrize("address", ["gopher://cam/1", "a\x00b", "http://169.254.169.254/"])
def test_even_then_not_everything_may(address: str) -> None:
    with pytest.raises(RecordError):
        check_address(address, files=True)


def test_a_name_or_a_near_number_is_not_link_local() -> None:
    assert not any(map(is_link_local, ("cam", "localhost", "10.0.0.1", "169.253.1.1", "")))


def test_what_is_shown_has_neither_login_nor_query() -> None:
    assert redact("rtsp://admin:hush@cam/main?key=hush") == "rtsp://***@cam/main?***"
