"""Real photos through the real models: one face is enrolled, anything else is refused with why."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from identifier.enrolment import Enroller, EnrolmentLimits
from identifier.photos import EnrolmentError
from services.models.analysis import FaceAnalyser
from tests.integration.identifier.conftest import LIMITS
from tests.photos import lying_on_its_side, resized

PROFILE = "Peter_Mugyeni/Peter_Mugyeni_0001.jpg"  # looks aside by 85 degrees


def refused(enroller: Enroller, data: bytes, *, force: bool = False) -> EnrolmentError:
    with pytest.raises(EnrolmentError) as caught:
        enroller.read(data, force=force)
    return caught.value


@pytest.mark.parametrize(
    "name",
    [
        "clip_hamilton/ref/lin_manuel_miranda.png",
        "clip_hamilton/ref/alex_lacamoire.png",
        "pach_seed/train/faces1/trump1.jpg",
        "pach_seed/train/faces1/trump2.jpg",
        "pach_seed/train/faces1/trump3.jpg",
        "pach_seed/train/faces2/clinton1.jpg",
    ],
)
def test_a_portrait_is_enrolled_also_where_the_face_fills_the_picture(
    name: str, test_data: Path, enroller: Enroller
) -> None:
    photo = enroller.read((test_data / name).read_bytes())
    assert photo.reading.pack == "buffalo_s"
    assert photo.reading.score >= 0.5
    assert min(photo.reading.box_px[2:]) >= 40
    assert abs(float(np.linalg.norm(photo.reading.embedding)) - 1) < 1e-3
    assert len(photo.reading.recogniser_sha256) == len(photo.reading.detector_sha256) == 64


def test_a_group_is_refused_with_the_number_of_faces_even_by_force(
    test_data: Path, enroller: Enroller
) -> None:
    group = (test_data / "group_bbt" / "bbt1.jpg").read_bytes()
    error = refused(enroller, group)
    assert error.reason == "several-faces"
    assert error.measured["faces"] >= 4
    assert refused(enroller, group, force=True).reason == "several-faces"


def test_a_scene_without_a_face_is_refused(test_data: Path, enroller: Enroller) -> None:
    scene = test_data / "det_cmumit" / "nonface" / "golf_course_sun_babrwpwsaeessjtj.jpg"
    error = refused(enroller, scene.read_bytes(), force=True)
    assert (error.reason, error.measured) == ("no-face", {"faces": 0})


def test_a_small_face_is_refused_with_its_size_unless_forced(
    test_data: Path, enroller: Enroller
) -> None:
    portrait = test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"
    side_px = min(enroller.read(portrait.read_bytes()).reading.box_px[2:])
    small = resized(portrait, 30 / side_px)
    error = refused(enroller, small)
    assert error.reason == "face-too-small"
    assert 20 < error.measured["face_px"] < 40
    assert error.allowed == {"face_px": 40}
    assert enroller.read(small, force=True).reading.pack == "buffalo_s"


def test_an_uncertain_face_is_refused_with_its_score_unless_forced(
    test_data: Path, analyser: FaceAnalyser
) -> None:
    strict = EnrolmentLimits(40, 0.999, LIMITS.max_bytes, LIMITS.max_pixels)
    enroller = Enroller(lambda: analyser, strict)
    portrait = (test_data / "clip_hamilton" / "ref" / "alex_lacamoire.png").read_bytes()
    error = refused(enroller, portrait)
    assert error.reason == "low-score"
    assert 0.5 < error.measured["score"] < 0.999
    assert error.allowed == {"score": 0.999}
    assert enroller.read(portrait, force=True).reading.score < 0.999


def test_a_face_turned_away_is_refused_with_its_pose_unless_forced(
    test_data: Path, enroller: Enroller
) -> None:
    photo = test_data / "lfw" / "images" / PROFILE
    error = refused(enroller, photo.read_bytes())
    assert error.reason == "strong-pose"
    assert abs(error.measured["yaw_deg"]) > error.allowed["yaw_deg"] == 70
    forced = enroller.read(photo.read_bytes(), force=True)
    assert forced.reading.pose_deg is not None
    assert abs(forced.reading.pose_deg[0]) > 70


def test_a_blurred_face_is_refused_with_its_sharpness_unless_forced(
    test_data: Path, enroller: Enroller
) -> None:
    portrait = test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"
    sharp = enroller.read(portrait.read_bytes()).reading
    image = cv2.imread(str(portrait))
    assert image is not None
    sigma_px = min(sharp.box_px[2:]) / 16
    blurred = cv2.imencode(".png", cv2.GaussianBlur(image, (0, 0), sigma_px))[1].tobytes()
    error = refused(enroller, blurred)
    assert error.reason == "blurred"
    assert error.measured["sharpness"] < error.allowed["sharpness"] < sharp.sharpness
    assert set(error.measured) >= {"face_px", "score", "yaw_deg", "pitch_deg", "roll_deg"}
    assert enroller.read(blurred, force=True).reading.sharpness < 10


def test_the_same_face_is_read_again_where_several_are(
    test_data: Path, analyser: FaceAnalyser, enroller: Enroller
) -> None:
    group = (test_data / "group_bbt" / "bbt1.jpg").read_bytes()
    image = cv2.imdecode(np.frombuffer(group, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    for face in analyser.analyse_photo(image.astype(np.uint8, copy=False))[:3]:
        x, y, width, height = face.box_xywh.tolist()
        again = enroller.read_again(group, (x + 2, y - 2, width, height))
        assert float(again.embedding @ face.embedding) > 0.999
    with pytest.raises(EnrolmentError, match="not found again"):
        enroller.read_again(group, (0, 0, 5, 5))


def test_a_photo_on_its_side_is_turned_as_its_exif_says(
    test_data: Path, enroller: Enroller
) -> None:
    portrait = test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"
    upright = enroller.read(portrait.read_bytes())
    turned = enroller.read(lying_on_its_side(portrait))
    assert turned.size_px == upright.size_px
    assert float(turned.reading.embedding @ upright.reading.embedding) > 0.9


def test_the_models_are_loaded_with_the_first_photo_that_can_be_read(
    test_data: Path, analyser: FaceAnalyser
) -> None:
    loads = []

    def load() -> FaceAnalyser:
        loads.append(1)
        return analyser

    enroller = Enroller(load, LIMITS)
    refused(enroller, b"no photo")
    assert not loads
    for _ in range(2):
        enroller.read((test_data / "clip_hamilton" / "ref" / "alex_lacamoire.png").read_bytes())
    assert loads == [1]
