"""Video files: real clips, and small ones made here, whole and broken."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from producer.sources import CapturedFrame, SourceOptions, open_source
from services.errors import SourceError
from tests.unit.producer.media import turn_on_its_side, write_video

OPTIONS = SourceOptions()
NOISE_BYTES = 20_000


def read(path: Path) -> list[CapturedFrame]:
    source = open_source(str(path), OPTIONS)
    try:
        return list(source.frames())
    finally:
        source.close()


def read_until_broken(path: Path) -> tuple[int, str]:
    """How many frames came before the file failed, and what it said."""
    got = 0
    try:
        for _ in open_source(str(path), OPTIONS).frames():
            got += 1
    except SourceError as error:
        return got, str(error)
    raise AssertionError(f"{path} did not fail")


@pytest.mark.parametrize(
    ("clip", "frames", "seconds", "size"),
    [
        ("clip_hamilton/clip.mp4", 275, 275 / 29.97, (360, 640)),
        ("clip_obama_dinner/clip.mp4", 60, 4.0, (614, 844)),
        ("clip_elon_gif/clip.gif", 35, 1.75, (272, 480)),
        ("clip_intel_headpose/clip_both.gif", 56, 4.66, (270, 480)),
        ("clip_intel_asl/again.mkv", 77, 77 / 30, (480, 640)),
    ],
)
def test_real_clips_give_every_frame_at_its_place(
    test_data: Path, clip: str, frames: int, seconds: float, size: tuple[int, int]
) -> None:
    got = read(test_data / clip)
    assert len(got) == frames
    assert got[0].position_s == 0
    assert all(a.position_s < b.position_s for a, b in pairwise(got))
    assert got[-1].position_s + got[-1].duration_s == pytest.approx(seconds, abs=0.1)
    assert got[-1].load().shape == (*size, 3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_every_container_is_read(tmp_path: Path, name: str) -> None:
    frames = read(write_video(tmp_path / name, 20, fps=10))
    assert [round(frame.position_s, 3) for frame in frames] == [n / 10 for n in range(20)]


def test_a_gif_keeps_the_delay_of_each_frame(test_data: Path) -> None:
    frames = read(test_data / "clip_intel_headpose" / "clip_both.gif")
    gaps = {round(b.position_s - a.position_s, 2) for a, b in pairwise(frames)}
    assert gaps == {0.08, 0.09}


def test_a_phone_held_upright_gives_upright_frames(tmp_path: Path) -> None:
    path = turn_on_its_side(write_video(tmp_path / "a.mp4", 5, width=160, height=96))
    last = read(path)[-1].load()
    assert last.shape == (160, 96, 3)
    # The bar has grown from the left; turned clockwise, that is the top.
    assert last[:80].mean() > 200
    assert last[-20:].mean() < 120


def test_frames_are_converted_only_when_asked_for(tmp_path: Path) -> None:
    frames = read(write_video(tmp_path / "a.mp4", 3))
    assert frames[0].jpeg is None
    assert frames[0].load().dtype == np.uint8


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 100])
def test_what_is_no_video_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.mp4: Invalid data") as caught:
        open_source(str(path), OPTIONS)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.mp4: No such file"):
        open_source(str(tmp_path / "gone.mp4"), OPTIONS)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"movflags": "faststart"}),
        ("a.avi", "mjpeg", {}),
        ("a.mkv", "libx264", {}),
    ],
)
def test_a_file_cut_short_gives_what_it_has_and_then_fails(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    path = write_video(tmp_path / name, 100, codec=codec, options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    got, error = read_until_broken(path)
    assert 30 < got < 90
    assert f"{got} " in error


def test_a_gif_cut_short_gives_what_it_has_and_then_fails(tmp_path: Path, test_data: Path) -> None:
    data = (test_data / "clip_elon_gif" / "clip.gif").read_bytes()
    path = tmp_path / "cut.gif"
    path.write_bytes(data[: len(data) // 2])
    source = open_source(str(path), OPTIONS)
    with pytest.raises(SourceError, match="ends early, after 18"):
        list(source.frames())


def test_a_damaged_stretch_costs_only_itself(tmp_path: Path, test_data: Path) -> None:
    data = bytearray((test_data / "clip_hamilton" / "clip.mp4").read_bytes())
    third = len(data) // 3
    data[third : third + NOISE_BYTES] = np.random.default_rng(1).bytes(NOISE_BYTES)
    path = tmp_path / "noise.mp4"
    path.write_bytes(data)
    got, error = read_until_broken(path)
    assert 230 < got < 275
    assert f"broken: {got} of 275 frames read" in error


def test_the_file_says_how_many_frames_to_expect(tmp_path: Path) -> None:
    source = open_source(str(write_video(tmp_path / "a.mp4", 12)), OPTIONS)
    assert (source.total_frames, source.is_live, source.kind) == (12, False, "file")
    assert source.describe().endswith("a.mp4")
