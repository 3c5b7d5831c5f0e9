"""Blurred heads, looked at by the models that would know them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from fastapi import FastAPI

from identifier.api.analysts import Analysts
from identifier.api.identify import PhotoLimits, identify_routes
from identifier.api.server import ApiServer
from identifier.snapshot import FixedGallery, Snapshot
from services.lifecycle.health import Health
from services.models.analysis import FaceAnalyser
from services.records.jpeg import Image, encode_jpeg
from viewer.blurring import blur_heads
from viewer.board import Board
from viewer.identifier import File, Identifier
from viewer.pages.parts import Parts
from viewer.pages.shots import blurred_shot
from viewer.state import StateReader
from viewer.texts import Texts


@pytest.fixture(scope="module")
def analyser() -> FaceAnalyser:
    return FaceAnalyser.load("buffalo_s", "cpu")


def frames(clip: Path, every: int, most: int) -> list[Image]:
    capture = cv2.VideoCapture(str(clip))
    seen: list[Image] = []
    while capture.grab() and len(seen) < every * most:
        seen.append(capture.retrieve()[1].astype(np.uint8))
    capture.release()
    return seen[::every]


@pytest.mark.parametrize(("clip", "faces_at_least"), [("clip_hamilton", 12), ("clip_sitcom", 8)])
def test_no_face_is_found_where_a_head_was_blurred(
    test_data: Path, analyser: FaceAnalyser, clip: str, faces_at_least: int
) -> None:
    images = frames(test_data / clip / "clip.mp4", 20, 4 if clip == "clip_sitcom" else 8)
    faces_seen = 0
    for image, faces in zip(images, analyser.analyse(images), strict=True):
        height, width = image.shape[:2]
        blur_heads(image, [tuple(face.box_xywh.tolist()) for face in faces], (width, height))
        faces_seen += len(faces)
    assert faces_seen >= faces_at_least
    assert [len(faces) for faces in analyser.analyse(images)] == [0] * len(images)


@pytest.fixture
def identifier(analyser: FaceAnalyser) -> Iterator[Identifier]:
    """The identifier's look at photos, over a socket; its gallery is empty."""
    api = FastAPI()
    nobody = FixedGallery(Snapshot.of("0", {}))
    limits = PhotoLimits(20_971_520, 64_000_000)
    api.include_router(
        identify_routes(nobody, lambda _: 0.33, Analysts(lambda: analyser, 1, 8), limits)
    )
    server = ApiServer(api, "127.0.0.1", 0)
    server.start()
    client = Identifier(f"http://127.0.0.1:{server.port}")
    yield client
    client.close()
    server.stop()


def close_up(image: Image, box_xywh: list[float]) -> Image:
    """The part of a picture of which a face is a third."""
    x, y, width, height = box_xywh
    left, top = max(0, round(x - width)), max(0, round(y - height))
    return np.ascontiguousarray(image[top : round(y + 2 * height), left : round(x + 2 * width)])


@pytest.mark.parametrize("clip", ["clip_hamilton", "clip_sitcom"])
def test_nobody_is_known_again_in_a_blurred_test_shot(
    test_data: Path, analyser: FaceAnalyser, identifier: Identifier, clip: str
) -> None:
    parts = Parts(StateReader(Board(2), Health()), identifier, Texts(), blur_unknown=True)
    images = frames(test_data / clip / "clip.mp4", 40, 3)
    shots = list(images)
    for image, faces in zip(images, analyser.analyse(images), strict=True):
        shots += [close_up(image, face.box_xywh.tolist()) for face in faces[:2]]
    assert len(shots) > len(images)
    for shot in shots:
        known = analyser.analyse_photo(shot)
        shown = blurred_shot(parts, File("image/jpeg", encode_jpeg(shot, 95)))
        seen = cv2.imdecode(np.frombuffer(shown.data, np.uint8), cv2.IMREAD_COLOR)
        assert seen is not None
        assert seen.shape == shot.shape
        for face in analyser.analyse_photo(seen.astype(np.uint8)):
            alike = max((float(face.embedding @ one.embedding) for one in known), default=0.0)
            assert alike < analyser.threshold
