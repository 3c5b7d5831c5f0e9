"""Blurred heads, looked at by the models that would know them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from services.models.analysis import FaceAnalyser
from services.records.jpeg import Image
from viewer.blurring import blur_heads


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
