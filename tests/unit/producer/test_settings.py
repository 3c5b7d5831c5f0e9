"""What the producer is told, and what it refuses to be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.settings import ProducerSettings
from services.errors import SettingsError


def load(**env: str) -> ProducerSettings:
    return ProducerSettings.load(env=env)


def test_several_sources_are_several_cameras() -> None:
    specs = load(SOURCES="door=rtsp://cam/1,yard=0, hall = clip.mp4").specs()
    assert [(s.camera, s.uri) for s in specs] == [
        ("door", "rtsp://cam/1"),
        ("yard", "0"),
        ("hall", "clip.mp4"),
    ]


def test_one_source_takes_its_name_from_camera() -> None:
    (spec,) = load(SOURCE="clip,1.mp4", CAMERA="hall").specs()
    assert (spec.camera, spec.uri) == ("hall", "clip,1.mp4")


def test_the_flags_are_the_variables() -> None:
    settings = ProducerSettings.load(
        ["--source", "0", "--camera", "desk", "--fps", "5", "--loop", "--realtime", "false"], env={}
    )
    assert (settings.fps, settings.loop, settings.realtime) == (5, True, False)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "SOURCES is not set"),
        ({"SOURCE": "0", "SOURCES": "a=0"}, "both set"),
        ({"SOURCES": "a=0,a=1"}, "SOURCES: the camera a is there twice"),
        ({"SOURCES": "a b=0"}, "SOURCES: 'a b' is not a camera name"),
        ({"SOURCE": "0", "CAMERA": "a/b"}, "SOURCE: 'a/b' is not a camera name"),
        ({"SOURCE": "gopher://x"}, "unknown scheme"),
        ({"SOURCE": "0", "FPS": "-1"}, "FPS='-1'"),
        ({"SOURCE": "0", "JPEG_QUALITY": "101"}, "JPEG_QUALITY='101'"),
        ({"SOURCE": "0", "PARTITION_BY": "moon"}, "PARTITION_BY='moon'"),
        ({"SOURCE": "0", "BACKLOG_GROUPS": "nobody"}, "BACKLOG_GROUPS='nobody'"),
        ({"SOURCE": "0", "RECONNECT_MIN_S": "60"}, "RECONNECT_MIN_S=60"),
    ],
)
def test_wrong_settings_fail_in_one_line_that_names_the_variable(
    env: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**env)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "env",
    [
        {"SOURCES": "a=rtsp://u:hush@cam/x,b b=0"},
        {"SOURCES": "rtsp://u:hush@cam/x"},
        {"SOURCE": "rtsp://u:hush@cam:port/x"},
        {"SOURCE": "rtsp://u:hush@cam/x", "CAMERA": "a/b"},
    ],
)
def test_no_error_shows_a_camera_password(env: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**env)
    assert "hush" not in str(caught.value)


def test_the_repr_shows_no_camera_password() -> None:
    assert "hush" not in repr(load(SOURCES="a=rtsp://u:hush@cam/x"))
    assert "hush" not in repr(load(SOURCE="rtsp://u:hush@cam/x"))


def test_sources_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "sources"
    file.write_text("door=rtsp://u:hush@cam/1,yard=0\n")
    assert [spec.camera for spec in load(SOURCES_FILE=str(file)).specs()] == ["door", "yard"]
    with pytest.raises(SettingsError, match="SOURCES_FILE="):
        load(SOURCES_FILE=str(tmp_path / "gone"))


def test_a_password_of_special_characters_is_an_address_once_escaped() -> None:
    assert load(SOURCE="rtsp://u:p%40ss%2Fword@cam/x").specs()


def test_a_producer_without_sources_may_wait_for_cameras() -> None:
    settings = load(RUNTIME_CAMERAS="true", IDENTIFIER_URL="http://127.0.0.1:5011/")
    assert (settings.specs(), settings.waits) == ((), True)
    assert settings.identifier_url == "http://127.0.0.1:5011"
    assert load(INGEST_PORT="5012").waits
    assert not load(SOURCE="0").waits


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"RUNTIME_CAMERAS": "true"}, "set IDENTIFIER_URL"),
        ({"SOURCE": "0", "REPORT_CAMERAS": "true"}, "REPORT_CAMERAS=true: set IDENTIFIER_URL"),
        ({"SOURCE": "0", "IDENTIFIER_URL": "ftp://x"}, "write it as http://host:port"),
        ({"SOURCE": "0", "IDENTIFIER_URL": "http://u:hush@x"}, "only scheme, host, port"),
        ({"INGEST_PORT": "5012", "INGEST_HOST": "10.0.0.1"}, "set INGEST_TOKEN"),
        ({"INGEST_PORT": "5012", "INGEST_TOKEN": "short"}, "INGEST_TOKEN=(secret)"),
        ({"INGEST_PORT": "70000"}, "INGEST_PORT='70000'"),
    ],
)
def test_wrong_settings_of_what_comes_at_run_time_are_refused(
    env: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**env)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)
