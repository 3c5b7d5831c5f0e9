"""The producer as a process: how it ends, and what it says."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.records.frames import from_message
from tests.pipeline import read_all
from tests.unit.producer.media import write_video
from tests.unit.producer.mjpeg import MjpegCamera, picture
from tests.waiting import eventually

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path, topic_prefix: str) -> Start:
    """Starts `facestream producer` with variables of the test's own."""

    def run(bootstrap: str, *flags: str, **env: str) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-m", "services.cli.main", "producer", *flags],
            env=kept
            | {
                "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
                "TOPIC_RAW": f"{topic_prefix}frames.raw",
                "BACKLOG_GROUPS": f"{topic_prefix}worker:{topic_prefix}frames.raw",
                "METRICS_TEXTFILE": str(tmp_path / "metrics.prom"),
            }
            | env,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def finish(process: subprocess.Popen[str], timeout_s: float = 60) -> tuple[int, str]:
    """How the process ends, and everything it said."""
    try:
        _, said = process.communicate(timeout=timeout_s)
    finally:
        process.kill()
    return process.returncode, said


def test_a_file_that_ends_ends_the_process_well_with_a_summary(
    memory_broker: str, start: Start, tmp_path: Path, topic_prefix: str
) -> None:
    video = write_video(tmp_path / "a.mp4", 30)
    code, said = finish(start(memory_broker, "--source", str(video), REALTIME="false"))
    assert code == 0, said
    (summary,) = [
        line for line in map(json.loads, said.splitlines()) if "ended" in str(line["event"])
    ]
    assert (summary["frames"], summary["cameras"]) == (30, 1)
    assert 'facestream_frames_out_total{camera="camera"} 30.0' in (
        tmp_path / "metrics.prom"
    ).read_text().replace("3e+01", "30.0")
    assert len(read_all(memory_broker, f"{topic_prefix}frames.raw")) == 30


@pytest.mark.parametrize("content", [None, b"no video"])
def test_a_file_that_cannot_be_used_is_one_line_and_a_failure(
    memory_broker: str, start: Start, tmp_path: Path, content: bytes | None
) -> None:
    video = tmp_path / "a.mp4"
    if content is not None:
        video.write_bytes(content)
    code, said = finish(start(memory_broker, "--source", str(video)))
    assert code == 1
    assert said.splitlines()[-1].startswith(f"facestream producer: {video}: ")
    assert "Traceback" not in said


def test_wrong_settings_are_one_line_and_show_no_password(memory_broker: str, start: Start) -> None:
    code, said = finish(start(memory_broker, SOURCES="a b=rtsp://u:hush@cam/x"))
    assert code == 2
    assert len(said.splitlines()) == 1
    assert "SOURCES" in said
    assert "hush" not in said


def test_several_sources_and_a_stop_lose_nothing_that_was_taken(
    memory_broker: str, start: Start, tmp_path: Path, topic_prefix: str
) -> None:
    video = write_video(tmp_path / "a.mp4", 20, fps=50)
    topic = f"{topic_prefix}frames.raw"
    with MjpegCamera([picture(n) for n in range(5)], period_s=0.02) as camera:
        process = start(memory_broker, SOURCES=f"hall={video},yard={camera.uri}", LOOP="true")
        eventually(lambda: len(read_all(memory_broker, topic)) > 80, 60, "both play")
        process.send_signal(signal.SIGTERM)
        code, said = finish(process)
    assert code == 0, said
    metas = [from_message(message, (64, 48)) for message in read_all(memory_broker, topic)]
    for name, source in (("hall", "live:file"), ("yard", "live:http")):
        of_camera = [meta for meta in metas if meta.camera == name]
        assert {meta.source for meta in of_camera} == {source}
        assert sorted(meta.seq for meta in of_camera) == list(range(len(of_camera)))
    assert len({meta.session for meta in metas}) == 1


def test_a_process_that_waits_for_kafka_stops_when_told_to(start: Start, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 5)
    process = start("127.0.0.1:1", "--source", str(video))
    assert process.stderr is not None
    first = process.stderr.readline()
    assert "producer starts" in first
    process.send_signal(signal.SIGTERM)
    code, _ = finish(process, timeout_s=30)
    assert code == 0


def test_a_broken_file_leaves_the_cameras_running_and_the_process_not_ready(
    memory_broker: str, start: Start, tmp_path: Path, topic_prefix: str
) -> None:
    video = write_video(tmp_path / "a.mkv", 100, codec="libx264")
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    topic = f"{topic_prefix}frames.raw"
    with MjpegCamera([picture(n) for n in range(5)], period_s=0.02) as camera:
        process = start(memory_broker, SOURCES=f"hall={video},yard={camera.uri}", REALTIME="false")
        assert process.stderr is not None
        while "source failed" not in process.stderr.readline():
            assert process.poll() is None
        before = len(read_all(memory_broker, topic))
        eventually(lambda: len(read_all(memory_broker, topic)) > before + 10, 60, "yard goes on")
        process.send_signal(signal.SIGTERM)
        code, said = finish(process)
    assert code == 1
    assert "a.mkv: broken" in said.splitlines()[-1]


def test_a_terminal_shows_progress(memory_broker: str, tmp_path: Path, topic_prefix: str) -> None:
    video = write_video(tmp_path / "a.mp4", 40, fps=40)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", "producer", "--source", str(video)],
        env=os.environ
        | {
            "KAFKA_BOOTSTRAP_SERVERS": memory_broker,
            "TOPIC_RAW": f"{topic_prefix}frames.raw",
            "CAMERA": "hall",
            "TERM": "xterm",
            "COLUMNS": "120",
        },
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65_536):
            shown += chunk
    except OSError:
        pass  # how a terminal says that the other side has gone
    finally:
        os.close(ours)
    text = shown.decode()
    assert process.wait(20) == 0, text
    assert "hall" in text
    assert "/40" in text
    assert "frames/s" in text
