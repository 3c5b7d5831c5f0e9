from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.models.align import CROP_PX, align_faces, sharpness_of, similarity_transforms

TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)


def apply(matrix: NDArray[np.float64], points: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


@given(
    angle=st.floats(-math.pi, math.pi),
    scale=st.floats(0.05, 20),
    shift=st.tuples(st.floats(-4000, 4000), st.floats(-4000, 4000)),
)
def test_a_turned_scaled_and_moved_template_comes_back_to_the_template(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    landmarks = (scale * TEMPLATE @ turn.T + np.array(shift)).astype(np.float32)
    (matrix,) = similarity_transforms(landmarks[np.newaxis])
    # float32 landmarks thousands of pixels out carry 0.0005 px, magnified by 1 / scale
    np.testing.assert_allclose(apply(matrix, landmarks), TEMPLATE, atol=0.002 / min(scale, 1))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_transforms_are_those_of_insightface() -> None:
    from insightface.utils.face_align import estimate_norm

    random = np.random.default_rng(5)
    landmarks = (TEMPLATE * 3 + random.normal(0, 12, (50, 5, 2)) + 200).astype(np.float32)
    ours = similarity_transforms(landmarks)
    theirs = np.stack([estimate_norm(points) for points in landmarks])
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-4)


def test_landmarks_in_one_point_give_a_crop_and_no_error() -> None:
    image = np.full((50, 60, 3), 9, np.uint8)
    (crop,) = align_faces(image, np.full((1, 5, 2), 20, np.float32))
    assert crop.shape == (CROP_PX, CROP_PX, 3)


def test_no_landmarks_give_no_crops() -> None:
    assert list(align_faces(np.zeros((9, 9, 3), np.uint8), np.empty((0, 5, 2), np.float32))) == []


def test_a_blurred_crop_is_less_sharp() -> None:
    import cv2

    crop = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)
    assert sharpness_of(np.asarray(cv2.GaussianBlur(crop, (0, 0), 3), np.uint8)) < sharpness_of(
        crop
    )
    assert sharpness_of(np.full((112, 112, 3), 128, np.uint8)) == 0
