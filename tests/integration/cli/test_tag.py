"""`facestream tag` on the Trump finder's pictures: taught, tagged, taught more, tagged again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import pytest

pytestmark = pytest.mark.timeout(240)


def tag(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Tag `in` with `people` into `out`, on the in-memory broker."""
    command = [sys.executable, "-m", "services.cli.main", "tag", "in", "--people", "people"]
    env = os.environ | {"EMBEDDED_BROKER": "memory", "DEVICE": "cpu"}
    env.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    return subprocess.run(
        [*command, "--out", "out", *flags],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def teach(folder: Path, name: str, photos: Path) -> None:
    shutil.copytree(photos, folder / "people" / name)


def answer(folder: Path, picture: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / f"{picture}.json").read_text())
    return found


def names(folder: Path, picture: str) -> list[str]:
    return sorted(face["name"] for face in answer(folder, picture)["faces"] if face["matched"])


def cut_short(video: Path, target: Path) -> None:
    """The same frames in a file that ends half-way."""
    with av.open(str(video)) as whole, av.open(str(target), "w") as copy:
        stream = whole.streams.video[0]
        twin = copy.add_stream_from_template(stream)
        for packet in whole.demux(stream):
            if packet.dts is not None:
                packet.stream = twin
                copy.mux(packet)
    with target.open("r+b") as file:
        file.truncate(target.stat().st_size // 2)


def state_of(folder: Path, *names: str) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of outputs."""
    paths = [folder / "out" / name for name in names]
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def test_pictures_are_tagged_and_tagged_again_only_where_somebody_new_is_in_them(
    test_data: Path, tmp_path: Path
) -> None:
    seed = test_data / "pach_seed"
    shutil.copytree(seed / "unidentified", tmp_path / "in")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no picture")
    teach(tmp_path, "Trump", seed / "train" / "faces1")
    (tmp_path / "people" / "Nobody.jpg").write_bytes(b"no picture")

    first = tag(tmp_path)
    assert first.returncode == 1, first.stderr  # one input cannot be read
    assert "2 new, 1 failed" in first.stdout
    assert "photo not taken: Nobody.jpg" in first.stdout
    assert names(tmp_path, "image1.jpg") == names(tmp_path, "image2.jpg") == ["Trump"]
    found = answer(tmp_path, "image1.jpg")
    assert found["facesCount"] == len(found["faces"]) > 1
    photos = {Path(photo["path"]).parts[0] for photo in found["provenance"]["photos"]}
    assert photos == {"Trump"}
    assert {model["role"] for model in found["provenance"]["models"]} == {"detector", "recogniser"}
    for picture in ("image1.jpg", "image2.jpg"):
        before, after = (cv2.imread(str(tmp_path / f / picture)) for f in ("in", "out"))
        assert before is not None
        assert after is not None
        assert before.shape == after.shape
    assert (tmp_path / "out" / "contact-sheet.jpg").is_file()

    untouched = state_of(tmp_path, "image1.jpg", "image1.jpg.json")
    (tmp_path / "in" / "broken.jpg").unlink()
    assert "2 unchanged" in tag(tmp_path).stdout
    assert tag(tmp_path, "--check").stdout == "current\n"

    teach(tmp_path, "Clinton", seed / "train" / "faces2")
    stale = tag(tmp_path, "--check")
    assert stale.returncode == 1
    assert "taught or forgotten since: Clinton" in stale.stdout
    again = tag(tmp_path)
    assert again.returncode == 0, again.stderr
    assert "2 inputs: 1 updated (Clinton), 1 unchanged" in again.stdout
    assert names(tmp_path, "image2.jpg") == ["Clinton", "Trump"]
    assert state_of(tmp_path, "image1.jpg", "image1.jpg.json") == untouched
    assert tag(tmp_path, "--check").returncode == 0


def test_a_video_has_a_line_per_frame_and_a_copy_with_labels(
    test_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(test_data / "clip_obama_dinner" / "clip.mp4", tmp_path / "in" / "dinner.mp4")
    reference = sorted((test_data / "clip_obama_dinner").rglob("*obama*.jpg"))[0]
    (tmp_path / "people").mkdir()
    shutil.copy(reference, tmp_path / "people" / "Obama.jpg")
    (tmp_path / "labels").mkdir()
    shutil.copy(reference, tmp_path / "labels" / "obama.jpg")

    cut_short(tmp_path / "in" / "dinner.mp4", tmp_path / "in" / "cut.mkv")

    done = tag(tmp_path, "--labels", "labels")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 new, 1 failed" in done.stdout
    written = (tmp_path / "out" / "dinner.mp4.jsonl").read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    assert lines[0]["provenance"]["input"]["path"] == "in/dinner.mp4"
    frames = lines[1:]
    assert [frame["frame"] for frame in frames] == list(range(60))
    assert sum(any(f["name"] == "Obama" for f in frame["faces"]) for frame in frames) >= 55
    copy = cv2.VideoCapture(str(tmp_path / "out" / "dinner.mp4"))
    assert int(copy.get(cv2.CAP_PROP_FRAME_COUNT)) == 60
    copy.release()

    # What could be read of the broken one is tagged, and the summary says that it is not all.
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    cut = next(row for row in summary["inputs"] if row["input"] == "cut.mkv")
    assert 5 < cut["frames"] < 60
    assert "broken" in cut["error"]
    assert (tmp_path / "out" / "cut.mkv.jsonl").is_file()
    assert "it failed the last time" in tag(tmp_path, "--labels", "labels", "--check").stdout


@pytest.mark.parametrize(
    ("make", "said"),
    [
        ("nothing", "no such folder"),
        ("empty people", "no photo there"),
        ("no input", "no picture and no video there"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, make: str, said: str) -> None:
    (tmp_path / "in").mkdir()
    if make != "nothing":
        (tmp_path / "people").mkdir()
    if make == "no input":
        (tmp_path / "people" / "Sam.jpg").write_bytes(b"")
    else:
        (tmp_path / "in" / "a.jpg").write_bytes(b"")
    failed = tag(tmp_path)
    assert failed.returncode == 2
    assert said in failed.stderr
    assert failed.stderr.count("\n") == 1
