"""Addresses of sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.addresses import local_path, parse_source, redact, source_kind
from tests.unit.producer.media import write_image

SECRET = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=4)


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("0", "device"),
        ("/dev/video2", "device"),
        ("rtsp://cam/stream", "rtsp"),
        ("RTSPS://cam/stream", "rtsp"),
        ("http://cam/video.mjpg", "http"),
        ("https://cam/video.mjpg", "http"),
        ("clip.mp4", "file"),
        ("clip.gif", "file"),
        ("file:///srv/clip.mkv", "file"),
        ("photo.JPG", "images"),
        ("photos/*.jpg", "images"),
        ("nowhere", "file"),
    ],
)
def test_an_address_tells_its_kind(uri: str, kind: str) -> None:
    assert source_kind(uri) == kind


def test_a_directory_and_a_picture_without_suffix_are_pictures(tmp_path: Path) -> None:
    assert source_kind(str(tmp_path)) == "images"
    nameless = write_image(tmp_path / "a.png").rename(tmp_path / "snapshot")
    assert source_kind(str(nameless)) == "images"


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "clip [1].mp4"
    path.write_bytes(b"x")
    assert source_kind(str(path)) == "file"


def test_a_file_address_may_escape_its_spaces() -> None:
    assert local_path("file:///srv/front%20door.mp4") == Path("/srv/front door.mp4")


def test_an_unknown_scheme_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"ftp://.*rtsp"):
        source_kind("ftp://host/clip.mp4")


def test_a_comma_in_an_address_is_written_escaped() -> None:
    spec = parse_source("door = http://cam/get%2Cnow?a=1")
    assert (spec.camera, spec.uri) == ("door", "http://cam/get,now?a=1")


@pytest.mark.parametrize(
    "text",
    ["rtsp://u:hush@cam/x", "door=", "a b=0", "..=0", "door=rtsp://u:hush@/x", "x" * 65 + "=0"],
)
def test_what_is_not_a_source_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        parse_source(text)
    assert "hush" not in str(caught.value)


@given(user=SECRET, password=SECRET)
def test_no_credentials_are_left_whatever_they_are_made_of(user: str, password: str) -> None:
    user, password = f"<{user}>", f"<{password}>"
    shown = redact(f"rtsp://{user}:{password}@cam:554/main")
    assert shown in ("rtsp://***@cam:554/main", "rtsp://***")
    shown = redact(f"http://cam/video?user={user}&pwd={password}")
    assert user not in shown
    assert password not in shown


def test_what_is_no_secret_is_shown() -> None:
    assert redact("rtsp://admin:p/ss@cam:554/main") == "rtsp://***@cam:554/main"
    assert redact("http://cam/video") == "http://cam/video"
    assert redact("http://cam/video?pwd=1") == "http://cam/video?***"
    assert redact("/srv/clip.mp4") == "/srv/clip.mp4"


def test_the_repr_of_a_source_shows_no_address() -> None:
    assert "hush" not in repr(parse_source("door=rtsp://admin:hush@cam/x"))
