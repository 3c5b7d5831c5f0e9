from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from services.errors import ModelError
from services.models.analysis import DetectedFace, FaceAnalyser
from services.models.install import InstalledPack
from services.models.pixels import Image

TRUMP_FILLING_THE_PICTURE = "pach_seed/train/faces1/trump3.jpg"


@pytest.fixture(scope="module")
def peer(buffalo_s: InstalledPack, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """insightface as its users run it, on the published files of the pack."""
    import onnxruntime
    from insightface.app import FaceAnalysis

    folder = tmp_path_factory.mktemp("published")
    shutil.copy(buffalo_s.detector.path, folder)
    shutil.copy(buffalo_s.recogniser.path, folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    app = FaceAnalysis(str(folder), providers=["CPUExecutionProvider"], sess_options=options)
    app.prepare(ctx_id=-1, det_size=(640, 640))
    return app


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_every_frame_has_the_faces_and_embeddings_of_insightface(
    analyser: FaceAnalyser, peer: Any, clip: list[Image]
) -> None:
    count = 0
    for frame, ours in zip(clip, analyser.analyse(clip), strict=True):
        theirs = peer.get(frame)
        assert len(ours) == len(theirs)
        for face in theirs:
            same = min(ours, key=lambda one: float(np.abs(one.landmarks - face.kps).max()))
            assert np.abs(same.landmarks - face.kps).max() < 1
            assert abs(same.score - face.det_score) < 0.02
            assert same.embedding @ face.normed_embedding >= 0.999
            count += 1
    assert count > 150


def test_a_face_that_fills_the_picture_is_found(
    analyser: FaceAnalyser, photo: Callable[[str], Image]
) -> None:
    image = photo(TRUMP_FILLING_THE_PICTURE)
    (in_a_stream,) = analyser.analyse([image])[0]
    (as_a_photo,) = analyser.analyse_photo(image)
    assert in_a_stream.score > 0.7
    assert as_a_photo.score > 0.7
    other = analyser.analyse_photo(photo("pach_seed/train/faces1/trump1.jpg"))[0]
    assert as_a_photo.embedding @ other.embedding > analyser.threshold


def test_a_screen_filling_face_does_not_hide_in_a_single_look(
    analyser: FaceAnalyser, buffalo_s: InstalledPack, photo: Callable[[str], Image]
) -> None:
    one_look = FaceAnalyser.load(buffalo_s.pack.name, device="cpu", sizes_px=(640,))
    image = photo(TRUMP_FILLING_THE_PICTURE)
    assert one_look.analyse([image]) == [[]]  # what the second look is for
    assert len(analyser.analyse([image])[0]) == 1


def test_people_are_recognised_in_a_clip_from_one_photo_each(
    analyser: FaceAnalyser, clip: list[Image], photo: Callable[[str], Image]
) -> None:
    references = {
        name: analyser.analyse_photo(photo(f"clip_hamilton/ref/{name}.png"))
        for name in ("lin_manuel_miranda", "alex_lacamoire")
    }
    assert [len(faces) for faces in references.values()] == [1, 1]
    seen: dict[str, set[int]] = {name: set() for name in references}
    for index, faces in enumerate(analyser.analyse(clip)):
        for face in faces:
            for name, (reference,) in references.items():
                if face.embedding @ reference.embedding >= 0.30:
                    seen[name].add(3 * index)
    numbers = range(0, 275, 3)
    miranda = {number for number in numbers if number <= 19 or 82 <= number <= 210}
    assert len(seen["lin_manuel_miranda"] & miranda) >= len(miranda) - 1
    assert seen["lin_manuel_miranda"] <= miranda
    assert len([number for number in seen["alex_lacamoire"] if number <= 19]) >= 6
    assert all(number <= 81 for number in seen["alex_lacamoire"])


def test_a_batch_of_mixed_sizes_gives_what_each_picture_gives_alone(
    analyser: FaceAnalyser, clip: list[Image], photo: Callable[[str], Image]
) -> None:
    images = [
        clip[0],
        photo("pach_seed/unidentified/image2.jpg"),
        clip[1],
        np.zeros((48, 64, 3), np.uint8),
        photo(TRUMP_FILLING_THE_PICTURE),
    ]
    together = analyser.analyse(images)
    assert [len(faces) for faces in together] == [len(together[0]), 2, len(together[2]), 0, 1]
    for image, faces in zip(images, together, strict=True):
        (alone,) = analyser.analyse([image])
        for one, other in zip(faces, alone, strict=True):
            assert np.array_equal(one.box_xywh, other.box_xywh)
            assert one.embedding @ other.embedding > 0.99999


def test_faces_have_the_shapes_and_ranges_they_promise(
    analyser: FaceAnalyser, photo: Callable[[str], Image]
) -> None:
    image = photo("pach_seed/unidentified/image1.jpg")
    faces = analyser.analyse([image])[0]
    assert len(faces) > 5
    assert [face.score for face in faces] == sorted((f.score for f in faces), reverse=True)
    for face in faces:
        left, top, width, height = face.box_xywh
        assert left >= 0
        assert top >= 0
        assert left + width <= image.shape[1]
        assert top + height <= image.shape[0]
        assert face.box_xywh.dtype == face.landmarks.dtype == face.embedding.dtype == np.float32
        assert face.landmarks.shape == (5, 2)
        assert face.embedding.shape == (analyser.embedding_size,)
        assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
        assert face.crop.shape == (112, 112, 3)
        assert face.crop.dtype == np.uint8
        assert face.sharpness > 0


def test_a_face_is_printed_without_its_embedding(
    analyser: FaceAnalyser, photo: Callable[[str], Image]
) -> None:
    face: DetectedFace = analyser.analyse_photo(photo(TRUMP_FILLING_THE_PICTURE))[0]
    assert "embedding" not in repr(face)
    assert "crop" not in repr(face)


def test_of_a_crowd_only_the_best_faces_are_taken(photo: Callable[[str], Image]) -> None:
    few = FaceAnalyser.load(device="cpu", max_faces=3)
    image = photo("pach_seed/unidentified/image1.jpg")
    everyone = FaceAnalyser.load(device="cpu").analyse([image])[0]
    assert [face.score for face in few.analyse([image])[0]] == [f.score for f in everyone[:3]]


def test_no_pictures_give_no_faces(analyser: FaceAnalyser) -> None:
    assert analyser.analyse([]) == []


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused_with_its_shape(analyser: FaceAnalyser, image: Any) -> None:
    with pytest.raises(ValueError, match=r"expected .H, W, 3. uint8, got"):
        analyser.analyse([image])


def test_provenance_names_the_published_files(
    analyser: FaceAnalyser, buffalo_s: InstalledPack
) -> None:
    assert analyser.pack_name == "buffalo_s"
    assert analyser.device == "cpu"
    assert analyser.model_files == buffalo_s.model_files
    assert {file.role: file.name for file in analyser.model_files}["recogniser"] == "w600k_mbf.onnx"


def test_a_device_that_is_not_there_ends_with_what_to_install() -> None:
    with pytest.raises(ModelError, match="facestream"):
        FaceAnalyser.load(device="tensorrt")


MEMORY = """
import json, numpy as np
from pathlib import Path
from services.models.analysis import FaceAnalyser
analyser = FaceAnalyser.load(device="cpu")
for _ in range(3):
    analyser.analyse([np.zeros((720, 1280, 3), np.uint8)] * 16)
lines = Path("/proc/self/status").read_text().splitlines()
print(json.dumps(int(next(l for l in lines if l.startswith("VmHWM")).split()[1]) / 1024))
"""


def test_a_process_that_analyses_batches_stays_well_under_600_mb() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) < 450
