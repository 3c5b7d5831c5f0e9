"""One camera from source to publisher: files that end, files that break, cameras that come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from producer.addresses import SourceSpec
from producer.camera import Camera, CameraPlan
from producer.settings import ProducerSettings
from services.errors import SourceError
from services.lifecycle.metrics import REGISTRY
from services.lifecycle.stopping import StopSignal
from services.records.jpeg import decode_jpeg
from tests.unit.producer.media import Kept, write_image, write_video
from tests.unit.producer.mjpeg import MjpegCamera, picture
from tests.waiting import eventually

FRAMES = [picture(number) for number in range(10)]
FAST = {"RECONNECT_MIN_S": "0.02", "RECONNECT_MAX_S": "0.1", "READ_TIMEOUT_S": "2"}


def plan(uri: str | Path, **env: str) -> CameraPlan:
    settings = ProducerSettings.load(env={"SOURCE": str(uri)} | env)
    return CameraPlan.of(SourceSpec(f"cam-{uuid4().hex[:8]}", str(uri)), settings)


def play(the_plan: CameraPlan, kept: Kept | None = None) -> tuple[Camera, Kept]:
    """Run a camera to its own end."""
    kept = kept or Kept()
    camera = Camera(the_plan, "session", StopSignal())
    thread = camera.start(kept)
    thread.join(30)
    assert not thread.is_alive()
    return camera, kept


@contextmanager
def running(the_plan: CameraPlan) -> Iterator[tuple[Camera, Kept]]:
    """A camera that runs until the block ends, and ends then within seconds."""
    stop, kept = StopSignal(), Kept()
    camera = Camera(the_plan, "session", stop)
    thread = camera.start(kept)
    yield camera, kept
    stop.stop()
    camera.interrupt()
    thread.join(60)
    assert not thread.is_alive()


def count(name: str, camera: Camera, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"camera": camera.plan.name} | labels) or 0.0


def test_a_file_is_published_whole_and_in_order(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    video = write_video(tmp_path / "a.mp4", 20)
    camera, kept = play(plan(video, REALTIME="false"))
    assert (camera.state, camera.failure, camera.published) == ("ended", None, 20)
    metas = [frame.meta for frame in kept.frames]
    assert [meta.seq for meta in metas] == list(range(20))
    assert {(m.camera, m.session, m.width, m.height, m.source) for m in metas} == {
        (camera.plan.name, "session", 160, 96, "stored:file")
    }
    assert all(before <= meta.captured_at <= datetime.now(UTC) for meta in metas)
    assert count("facestream_frames_in_total", camera) == 20


def test_a_file_is_played_at_its_own_rate(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 11, fps=20)
    _, kept = play(plan(video))
    taken = kept.frames[-1].meta.captured_at - kept.frames[0].meta.captured_at
    assert timedelta(seconds=0.5) <= taken < timedelta(seconds=5)


def test_fps_leaves_frames_out_and_counts_no_drop(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 50, fps=25)
    camera, kept = play(plan(video, REALTIME="false", FPS="5"))
    assert len(kept.frames) == 10
    assert [frame.meta.seq for frame in kept.frames] == list(range(10))
    assert camera.read == 50


def test_max_side_and_quality_are_heeded(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 2)
    _, large = play(plan(video, JPEG_QUALITY="95"))
    _, small = play(plan(video, MAX_SIDE="80", JPEG_QUALITY="30"))
    assert (small.frames[0].meta.width, small.frames[0].meta.height) == (80, 48)
    image = decode_jpeg(small.frames[0].jpeg, max_bytes=1 << 20, max_pixels=1 << 20)
    assert image.shape == (48, 80, 3)
    assert len(small.frames[0].jpeg) < len(large.frames[0].jpeg) / 3


def test_a_looped_file_counts_on_and_plays_camera(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 5, fps=100)
    with running(plan(video, LOOP="true")) as (_, kept):
        frames = kept.until(12)
    assert [frame.meta.seq for frame in frames] == list(range(len(frames)))
    assert {frame.meta.source for frame in frames} == {"live:file"}
    assert {frame.meta.session for frame in frames} == {"session"}
    gaps = [b.meta.captured_at - a.meta.captured_at for a, b in pairwise(frames[:12])]
    assert sum(gaps, timedelta()) >= timedelta(seconds=0.1)


def test_a_loop_that_is_not_paced_is_stored(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 3)
    with running(plan(video, LOOP="true", REALTIME="false")) as (_, kept):
        assert kept.until(7)[6].meta.source == "stored:file"


def test_pictures_are_published_once_and_none_is_left_out(tmp_path: Path) -> None:
    for number in range(5):
        write_image(tmp_path / f"{number}.png", width=20 + number)
    camera, kept = play(plan(tmp_path, FPS="50"))
    assert [frame.meta.width for frame in kept.frames] == [20, 21, 22, 23, 24]
    assert {frame.meta.source for frame in kept.frames} == {"stored:images"}
    assert camera.state == "ended"


def test_a_looped_picture_is_a_camera_of_five_frames_a_second(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.png")
    with running(plan(image, LOOP="true")) as (_, kept):
        frames = kept.until(3)
    assert frames[2].meta.captured_at - frames[0].meta.captured_at > timedelta(seconds=0.35)
    assert frames[0].meta.source == "live:images"


def test_one_bad_picture_is_named_the_others_are_published_and_the_camera_fails(
    tmp_path: Path,
) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8 no more")
    write_image(tmp_path / "c.png")
    camera, kept = play(plan(tmp_path))
    assert [frame.meta.seq for frame in kept.frames] == [0, 1]
    assert camera.state == "failed"
    assert isinstance(camera.failure, SourceError)
    assert "1 of 3 frames" in str(camera.failure)
    assert "b.jpg" in str(camera.failure)


def test_a_video_that_breaks_publishes_what_it_has_and_fails(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 100, codec="libx264")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with capture_logs() as logs:
        camera, kept = play(plan(path, REALTIME="false"))
    assert 20 < len(kept.frames) < 80
    assert f"after {len(kept.frames)} " in str(camera.failure)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["source failed"]


def test_a_file_that_is_not_there_is_found_out_before_anything_starts(tmp_path: Path) -> None:
    camera = Camera(plan(tmp_path / "gone.mp4"), "session", StopSignal())
    with pytest.raises(SourceError, match=r"gone\.mp4"):
        camera.check()


def test_the_jpegs_of_a_camera_pass_untouched() -> None:
    with (
        MjpegCamera(FRAMES, period_s=0.01) as server,
        running(plan(server.uri, **FAST)) as (_, kept),
    ):
        frames = kept.until(20)
    assert [frame.jpeg for frame in frames[:20]] == [FRAMES[n % 10] for n in range(20)]
    assert frames[0].meta.source == "live:http"
    assert (frames[0].meta.width, frames[0].meta.height) == (64, 48)


def test_a_camera_that_hangs_up_is_opened_again_and_counts_on() -> None:
    with (
        MjpegCamera(FRAMES, per_connection=4) as server,
        running(plan(server.uri, **FAST)) as (camera, kept),
    ):
        frames = kept.until(18)
        assert server.requests >= 4
        assert count("facestream_reconnects_total", camera) >= 3
    assert [frame.meta.seq for frame in frames] == list(range(len(frames)))


def test_an_outage_is_one_warning_and_one_line_when_it_is_over() -> None:
    server = MjpegCamera(FRAMES, period_s=0.01, login="admin:hush")
    with capture_logs() as logs:
        with server:
            secret = server.uri.replace("http://", "http://admin:hush@")
            context = running(plan(secret, **FAST))
            camera, kept = context.__enter__()
            before = len(kept.until(5))
        eventually(lambda: camera.state == "lost", what="the camera is lost")
        tries = count("facestream_reconnects_total", camera)
        eventually(lambda: count("facestream_reconnects_total", camera) >= tries + 5)
        with server:
            kept.until(len(kept.frames) + before)
            assert camera.state == "running"
            context.__exit__(None, None, None)
    told = [(line["log_level"], line["event"]) for line in logs]
    assert told == [("warning", "camera lost"), ("info", "camera is back")]
    assert "hush" not in str(logs)


def test_a_camera_that_is_not_there_yet_is_waited_for() -> None:
    server = MjpegCamera(FRAMES, period_s=0.01)
    with server:
        uri = server.uri
    with capture_logs() as logs, running(plan(uri, **FAST)) as (camera, kept):
        eventually(lambda: count("facestream_reconnects_total", camera) >= 3)
        with server:
            kept.until(3)
            assert camera.state == "running"
            assert [line["event"] for line in logs] == ["camera lost", "camera is back"]


def test_a_bad_jpeg_of_a_camera_is_counted_and_the_next_frame_comes() -> None:
    frames = [FRAMES[0], b"no jpeg", FRAMES[1]]
    with (
        MjpegCamera(frames, period_s=0.01) as server,
        running(plan(server.uri, **FAST)) as (camera, kept),
    ):
        got = kept.until(4)
        assert count("facestream_drops_total", camera, reason="undecodable") >= 1
    assert [frame.jpeg for frame in got[:4]] == [FRAMES[0], FRAMES[1]] * 2


def test_fps_thins_a_camera() -> None:
    with (
        MjpegCamera(FRAMES, period_s=0.005) as server,
        running(plan(server.uri, FPS="10", **FAST)) as (camera, kept),
    ):
        frames = kept.until(6)
        assert camera.read > 2 * len(frames)
    assert frames[5].meta.captured_at - frames[0].meta.captured_at >= timedelta(seconds=0.35)


def test_a_silent_camera_stops_within_seconds() -> None:
    with (
        MjpegCamera(FRAMES, silent_after=1) as server,
        running(plan(server.uri, READ_TIMEOUT_S="60")) as (_, kept),
    ):
        kept.until(1)


def test_an_unforeseen_error_stops_the_process_and_is_not_lost(tmp_path: Path) -> None:
    class Broken(Kept):
        def publish(self, frame: object) -> bool:
            raise ZeroDivisionError(type(frame).__name__)

    stop = StopSignal()
    camera = Camera(plan(write_video(tmp_path / "a.mp4", 2)), "session", stop)
    camera.start(Broken()).join(20)
    assert isinstance(camera.failure, ZeroDivisionError)
    assert stop.stopped
