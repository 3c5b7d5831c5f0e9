"""Which broker comes up, and what people are told about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.broker.select import start_broker
from services.broker.settings import BrokerSettings, default_data_dir
from services.errors import BrokerError, SettingsError


class Settings(BrokerSettings):
    service_name = "test"
    summary = ""


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Java."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)


def test_memory_says_how_to_get_kafka(tmp_path: Path) -> None:
    broker = start_broker("memory", tmp_path)
    try:
        assert broker.kind == "memory"
        assert "nothing after exit" in broker.explain
        assert "EMBEDDED_BROKER=kafka" in broker.explain
    finally:
        broker.stop()
        broker.stop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_java")
def test_auto_without_java_is_memory_and_says_why_in_one_line(tmp_path: Path) -> None:
    broker = start_broker("auto", tmp_path)
    broker.stop()
    assert broker.kind == "memory"
    assert "needs Java 17 or newer" in broker.explain
    assert "openjdk-17-jre-headless" in broker.explain
    assert "\n" not in broker.explain


@pytest.mark.usefixtures("no_java")
def test_kafka_without_java_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="needs Java 17"):
        start_broker("kafka", tmp_path)


def test_the_choice_is_checked_when_settings_are_read() -> None:
    assert Settings.load(env={}).embedded_broker == "auto"
    with pytest.raises(SettingsError, match=r"EMBEDDED_BROKER='redis': .*auto \| kafka \| memory"):
        Settings.load(env={"EMBEDDED_BROKER": "redis"})


def test_data_go_where_the_desktop_wants_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "facestream"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / ".local/share/facestream"
