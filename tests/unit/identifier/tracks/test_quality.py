"""Pose and quality of a face."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identifier.tracks.quality import face_quality, pose_deg

FRONTAL = [(38.3, 51.7), (73.5, 51.5), (56.0, 71.7), (41.5, 92.4), (70.7, 92.2)]
# A face in space: x right, y down, z towards the camera; millimetres.
HEAD = np.array([[-32, -36, 0], [32, -36, 0], [0, 0, 26], [-26, 37, 2], [26, 37, 2]], float)


def turned(yaw: float, pitch: float, roll: float, scale: float = 1.5) -> list[tuple[float, float]]:
    """Landmarks of a head that was pitched, turned, then tilted (degrees)."""
    y, p, r = map(math.radians, (yaw, pitch, roll))
    up = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    side = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    tilt = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    points = HEAD @ (tilt @ side @ up).T * scale + 200
    return [(float(x), float(y)) for x, y, _ in points]


def test_the_faces_of_the_recognisers_template_look_straight_ahead() -> None:
    assert pose_deg(FRONTAL) == pytest.approx((0, 0, 0), abs=1)


@given(st.integers(-40, 40), st.integers(-30, 30), st.integers(-60, 60), st.floats(0.3, 9))
def test_a_turned_head_is_measured_within_some_degrees(
    yaw: int, pitch: int, roll: int, scale: float
) -> None:
    found = pose_deg(turned(yaw, pitch, roll, scale))
    assert found[0] == pytest.approx(yaw, abs=12)
    assert found[1] == pytest.approx(pitch, abs=12)
    assert found[2] == pytest.approx(roll, abs=20)


def test_landmarks_in_one_point_have_no_pose() -> None:
    assert pose_deg([(5, 5)] * 5) == (0, 0, 0)


def test_a_pose_needs_five_landmarks() -> None:
    with pytest.raises(ValueError, match="expected five landmarks, got 4"):
        pose_deg(FRONTAL[:4])


def test_a_large_sharp_frontal_face_is_worth_nearly_everything() -> None:
    assert face_quality((0, 0, 200, 240), FRONTAL, 0.9, 500) > 0.95


@pytest.mark.parametrize(
    ("size", "landmarks", "score", "sharpness"),
    [
        (20, FRONTAL, 0.9, 500),
        (200, turned(60, 0, 0), 0.9, 500),
        (200, FRONTAL, 0.5, 500),
        (200, FRONTAL, 0.9, 5),
    ],
    ids=["small", "profile", "uncertain", "blurred"],
)
def test_each_weakness_costs(
    size: float, landmarks: list[tuple[float, float]], score: float, sharpness: float
) -> None:
    best = face_quality((0, 0, 200, 200), FRONTAL, 0.9, 500)
    assert face_quality((0, 0, size, size), landmarks, score, sharpness) < 0.9 * best


@given(
    st.tuples(*[st.floats(0, 5000)] * 4),
    st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=5, max_size=5),
    st.floats(0, 1),
    st.none() | st.floats(0, 1e6),
)
def test_quality_is_between_0_and_1(
    box: tuple[float, float, float, float],
    landmarks: list[tuple[float, float]],
    score: float,
    sharpness: float | None,
) -> None:
    assert 0 <= face_quality(box, landmarks, score, sharpness) <= 1
    assert 0 <= face_quality(box, [], score, sharpness) <= 1
