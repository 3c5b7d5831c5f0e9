"""The demo's footage: fetched once, verified, all or nothing, and showing whom it says it shows."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.cli.footage import Footage, prepare_footage
from services.cli.footage_build import build_camera, glide
from services.cli.footage_recipe import Camera, Recipe, Scene, load_recipe
from services.errors import ModelError, SourceError
from services.models.analysis import DetectedFace, FaceAnalyser
from tests.conftest import require_or_skip

Image = NDArray[np.uint8]

WHEEL_MEMBER = "tiny_wheel/photo.png"
SDIST_MEMBER = "tiny_sdist-1.0/tests/photo.png"

BUILD_SCRIPT = """
from pathlib import Path

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    Path({marker!r}).touch()
    folder = Path(metadata_directory) / "tiny_sdist-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\\nName: tiny_sdist\\nVersion: 1.0\\n")
    return folder.name

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise NotImplementedError
"""


def png(seed: int, width: int = 320, height: int = 240) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (height // 20, width // 20, 3), np.uint8)
    written, data = cv2.imencode(".png", cv2.resize(noise, (width, height)))
    assert written
    return data.tobytes()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write_wheel(folder: Path, photo: bytes) -> None:
    info = "tiny_wheel-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_wheel-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(WHEEL_MEMBER, photo)
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny_wheel\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def write_sdist(folder: Path, photo: bytes, marker: Path) -> bytes:
    archive = folder / "tiny_sdist-1.0.tar.gz"
    project = '[build-system]\nrequires = []\nbuild-backend = "tiny"\nbackend-path = ["."]\n'
    entries = {
        "tiny_sdist-1.0/PKG-INFO": b"Metadata-Version: 2.1\nName: tiny_sdist\nVersion: 1.0\n",
        "tiny_sdist-1.0/pyproject.toml": project.encode(),
        "tiny_sdist-1.0/tiny.py": BUILD_SCRIPT.format(marker=str(marker)).encode(),
        SDIST_MEMBER: photo,
    }
    with tarfile.open(archive, "w:gz") as opened:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return archive.read_bytes()


@dataclass(frozen=True)
class Shelf:
    """A folder that pip takes packages from, in place of an index."""

    folder: Path
    cache: Path
    build_script_ran: Path
    recipe: Recipe

    def close(self) -> None:
        for archive in self.folder.iterdir():
            archive.unlink()

    def with_file_sha256(self, name: str, digest: str) -> Recipe:
        file = self.recipe.files[name].model_copy(update={"sha256": digest})
        return self.recipe.model_copy(update={"files": self.recipe.files | {name: file}})

    def with_sdist_sha256(self, digest: str) -> Recipe:
        package = self.recipe.packages["sdist"].model_copy(update={"sdist_sha256": digest})
        return self.recipe.model_copy(
            update={"packages": self.recipe.packages | {"sdist": package}}
        )


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    folder, marker = tmp_path / "shelf", tmp_path / "build-script-ran"
    folder.mkdir()
    shown, enrolled = png(1), png(2)
    write_wheel(folder, shown)
    archive = write_sdist(folder, enrolled, marker)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    recipe = Recipe.model_validate(
        {
            "packages": {
                "wheel": {"pypi": "tiny_wheel==1.0", "terms": "free"},
                "sdist": {
                    "pypi": "tiny_sdist==1.0",
                    "sdist_sha256": sha256(archive),
                    "terms": "free too",
                },
            },
            "files": {
                "shown": {"package": "wheel", "member": WHEEL_MEMBER, "sha256": sha256(shown)},
                "enrolled": {
                    "package": "sdist",
                    "member": SDIST_MEMBER,
                    "sha256": sha256(enrolled),
                },
            },
            "people": {"Ann Other": "enrolled"},
            "cameras": {
                "door": {
                    "expected": ["Ann Other"],
                    "size": [160, 120],
                    "fps": 5,
                    "seconds_per_view": 1,
                    "scenes": [{"photo": "shown", "views": [[0, 0, 200], [100, 60, 200]]}],
                }
            },
        }
    )
    return Shelf(folder, tmp_path / "cache", marker, recipe)


def frames_of(video: Path) -> list[Image]:
    with av.open(str(video)) as container:
        return [
            np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            for frame in container.decode(video=0)
        ]


def landed(shelf: Shelf) -> list[str]:
    return sorted(p.name for p in (shelf.cache / "footage").iterdir() if p.name != ".lock")


def test_footage_comes_out_of_a_wheel_and_a_source_distribution(shelf: Shelf) -> None:
    footage = prepare_footage(shelf.cache, shelf.recipe)

    photo = footage.people_dir / "Ann Other" / "photo.jpg"
    assert sha256(photo.read_bytes()) == shelf.recipe.files["enrolled"].sha256
    assert len(frames_of(footage.cameras["door"])) == 10
    assert footage.expected == {"door": ("Ann Other",)}
    assert footage.licences == (
        "tiny_wheel==1.0 (PyPI): free",
        "tiny_sdist==1.0 (PyPI): free too",
    )
    assert footage.fetched
    assert shelf.build_script_ran.exists()


def test_the_second_call_downloads_nothing(shelf: Shelf) -> None:
    first = prepare_footage(shelf.cache, shelf.recipe)
    shelf.close()

    second = prepare_footage(shelf.cache, shelf.recipe)

    assert not second.fetched
    assert second.cameras == first.cameras


def test_a_damaged_video_is_made_anew(shelf: Shelf) -> None:
    video = prepare_footage(shelf.cache, shelf.recipe).cameras["door"]
    whole = video.read_bytes()
    video.write_bytes(whole[: len(whole) // 2])

    again = prepare_footage(shelf.cache, shelf.recipe)

    assert again.fetched
    assert len(frames_of(again.cameras["door"])) == 10


def test_a_file_with_another_digest_is_refused_and_nothing_lands(shelf: Shelf) -> None:
    with pytest.raises(SourceError, match=r"photo\.png of PyPI tiny_wheel==1\.0 has sha256"):
        prepare_footage(shelf.cache, shelf.with_file_sha256("shown", "0" * 64))

    assert landed(shelf) == []


def test_a_source_distribution_with_another_digest_is_refused_before_its_build_script_runs(
    shelf: Shelf,
) -> None:
    with pytest.raises(SourceError, match=r"tiny_sdist==1\.0.*HASH"):
        prepare_footage(shelf.cache, shelf.with_sdist_sha256("0" * 64))

    assert landed(shelf) == []
    assert not shelf.build_script_ran.exists()


def test_a_package_that_cannot_be_had_is_one_sentence_that_says_what_else_to_do(
    shelf: Shelf,
) -> None:
    shelf.close()

    with pytest.raises(SourceError, match=r"PyPI tiny_wheel==1\.0.*`facestream up`") as failure:
        prepare_footage(shelf.cache, shelf.recipe)

    assert "\n" not in str(failure.value)
    assert landed(shelf) == []


def test_what_a_killed_process_left_behind_is_cleared_away(shelf: Shelf) -> None:
    leftover = shelf.cache / "footage" / ".partial-abc"
    leftover.mkdir(parents=True)
    (leftover / "half.mp4").write_bytes(b"half")

    footage = prepare_footage(shelf.cache, shelf.recipe)

    assert landed(shelf) == [footage.people_dir.parent.name]


def test_of_two_that_start_together_one_fetches_and_both_get_it(shelf: Shelf) -> None:
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(prepare_footage, shelf.cache, shelf.recipe) for _ in range(2)]
        footages = [call.result() for call in calls]

    assert sorted(footage.fetched for footage in footages) == [False, True]
    assert footages[0].cameras == footages[1].cameras


def test_a_changed_recipe_is_made_beside_the_old_one(shelf: Shelf) -> None:
    old = prepare_footage(shelf.cache, shelf.recipe)
    door = shelf.recipe.cameras["door"].model_copy(update={"fps": 10})
    changed = shelf.recipe.model_copy(update={"cameras": {"door": door}})

    new = prepare_footage(shelf.cache, changed)

    assert len(frames_of(new.cameras["door"])) == 20
    assert len(frames_of(old.cameras["door"])) == 10


def test_a_directory_that_cannot_be_written_says_so(shelf: Shelf, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()

    with pytest.raises(SourceError, match="cannot be kept in"):
        prepare_footage(in_the_way, shelf.recipe)


def test_an_enrolled_photo_may_not_be_shown_by_a_camera(shelf: Shelf) -> None:
    recipe = shelf.recipe.model_dump()
    recipe["people"]["Ann Other"] = "shown"

    with pytest.raises(ValueError, match="enrolled and shown: shown"):
        Recipe.model_validate(recipe)


def test_a_view_outside_its_photo_is_refused(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(3))
    scene = Scene(photo="photo", views=((0, 0, 200), (200, 0, 200)))
    camera = Camera(expected=(), scenes=(scene,), size=(160, 120), fps=5)

    with pytest.raises(SourceError, match=r"\[200, 0, 200\] lies outside the 320x240 photo"):
        build_camera(camera, {"photo": photo}, tmp_path / "camera.mp4")


def test_a_glide_begins_and_ends_at_its_views() -> None:
    assert glide((0, 10, 100), (50, 20, 200), 0) == (0, 10, 100)
    assert glide((0, 10, 100), (50, 20, 200), 0.5) == pytest.approx((25, 15, 150))
    assert glide((0, 10, 100), (50, 20, 200), 1) == pytest.approx((50, 20, 200))


def test_a_file_that_is_no_recipe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "footage.toml"
    path.write_text("cameras = 3\n")

    with pytest.raises(SourceError, match=r"footage\.toml: not a recipe"):
        load_recipe(path)


@pytest.fixture(scope="module")
def footage() -> Footage:
    try:
        return prepare_footage()
    except SourceError as error:
        require_or_skip(False, str(error))
        raise


@pytest.fixture(scope="module")
def analyser() -> FaceAnalyser:
    try:
        return FaceAnalyser.load("buffalo_s", "cpu")
    except ModelError as error:
        require_or_skip(False, str(error))
        raise


@pytest.fixture(scope="module")
def references(footage: Footage, analyser: FaceAnalyser) -> dict[str, DetectedFace]:
    found = {}
    for photo in footage.people_dir.glob("*/photo.jpg"):
        picture = cv2.imread(str(photo))
        assert picture is not None
        (found[photo.parent.name],) = analyser.analyse_photo(np.asarray(picture, np.uint8))
    return found


def best_scores(
    references: dict[str, DetectedFace], frames: Sequence[Sequence[DetectedFace]]
) -> dict[str, list[float]]:
    """Cosine of every face of some frames to each person, best first."""
    return {
        name: sorted(
            (float(reference.embedding @ face.embedding) for faces in frames for face in faces),
            reverse=True,
        )
        for name, reference in references.items()
    }


@pytest.mark.parametrize("camera", load_recipe().cameras)
def test_the_expected_people_are_recognised_and_nobody_else(
    camera: str,
    footage: Footage,
    analyser: FaceAnalyser,
    references: dict[str, DetectedFace],
) -> None:
    frames = frames_of(footage.cameras[camera])[::4]
    faces = [analyser.analyse([frame])[0] for frame in frames]
    scores = best_scores(references, faces)

    assert set(footage.expected[camera]) <= set(references)
    for name, best in scores.items():
        if name not in footage.expected[camera]:
            assert best[0] < analyser.threshold - 0.1, name
            continue
        recognised = [score for score in best if score >= analyser.threshold]
        others = best[len(recognised) :]
        assert len(recognised) >= len(frames) / 4, name
        assert min(recognised) >= analyser.threshold + 0.15, name
        assert max(others, default=-1) < analyser.threshold - 0.1, name


def test_strangers_are_seen_in_most_cameras(
    footage: Footage, analyser: FaceAnalyser, references: dict[str, DetectedFace]
) -> None:
    def is_stranger(face: DetectedFace) -> bool:
        scores = [float(known.embedding @ face.embedding) for known in references.values()]
        return max(scores) < analyser.threshold

    with_strangers = {
        camera
        for camera, video in footage.cameras.items()
        if any(
            is_stranger(face)
            for frame in frames_of(video)[::20]
            for face in analyser.analyse([frame])[0]
        )
    }

    assert with_strangers == {"car", "hall", "arena"}


@pytest.mark.parametrize("camera", load_recipe().cameras)
def test_consecutive_frames_differ_and_are_small_enough_for_two_cores(
    camera: str, footage: Footage
) -> None:
    frames = frames_of(footage.cameras[camera])

    height, width = frames[0].shape[:2]
    assert max(height, width) <= 640
    assert all(
        (np.abs(a.astype(np.int16) - b) > 8).mean() > 0.001
        for a, b in zip(frames[10::10], frames[5::10], strict=False)
    )
