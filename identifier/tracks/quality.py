"""How good a look at a face is: its pose from five landmarks, and one number from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

FULL_SIZE_PX = 112.0
"""What the recognisers look at; a larger face shows them nothing more."""

# A face in the picture's axes: x right, y down, z towards the camera. x and y are the ArcFace
# template (services/models/align.py) about its middle: where a frontal face has its eyes, nose and
# mouth corners. z is how far the tip of the nose stands before the plane of eyes and mouth, from
# the six-point model that is common for this (S. Mallick, "Head pose estimation using OpenCV and
# Dlib", 2016): 130 of its units at 450 between the outer eye corners, 14.5 at our scale.
_MODEL = np.array(
    [
        [-17.6, -20.3, 0.0],
        [17.6, -20.3, 0.0],
        [0.0, -0.2, 14.5],
        [-14.6, 20.4, 1.0],
        [14.6, 20.4, 1.0],
    ]
)
# (3, 5): landmarks times this are the 2 x 3 camera closest to them, whatever the shift.
_FIT: list[list[float]] = np.linalg.pinv(_MODEL - _MODEL.mean(axis=0)).tolist()

_SHARP_HALF = 30.0  # variance of the Laplacian at which sharpness counts half
_SCORE_NONE, _SCORE_FULL = 0.35, 0.8
_LEAST = 0.02
_UNSEEN_POSE = 0.5


def pose_deg(landmarks: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Where a face looks, roughly: within some ten degrees up to 45, beyond only "far".

    The scaled orthographic camera that brings a rigid model of the face closest to the landmarks,
    in the least-squares sense: the first step of POSIT (DeMenthon and Davis, 1995).

    Args:
        landmarks: five (x, y) in pixels: eyes, nose, mouth corners (InsightFace order).

    Returns:
        Yaw (positive: the face turns to the picture's right), pitch (positive: it looks up) and
        roll (positive: clockwise in the picture), in degrees.

    Raises:
        ValueError: there are not five points.
    """
    if len(landmarks) != 5:
        raise ValueError(f"expected five landmarks, got {len(landmarks)}")
    xs = [float(point[0]) for point in landmarks]
    ys = [float(point[1]) for point in landmarks]
    ax, bx, cx = (sum(f * x for f, x in zip(row, xs, strict=True)) for row in _FIT)
    ay, by, cy = (sum(f * y for f, y in zip(row, ys, strict=True)) for row in _FIT)
    scale = math.sqrt((ax * ax + bx * bx + cx * cx + ay * ay + by * by + cy * cy) / 2)
    if scale < 1e-9:
        return 0.0, 0.0, 0.0
    roll = math.atan2(ay, ax)
    # The model's z axis, the way the nose points, with the roll taken out.
    right = (cx * math.cos(roll) + cy * math.sin(roll)) / scale
    down = (cy * math.cos(roll) - cx * math.sin(roll)) / scale
    return (
        math.degrees(math.asin(max(-1.0, min(1.0, right)))),
        math.degrees(math.asin(max(-1.0, min(1.0, -down)))),
        math.degrees(roll),
    )


def face_quality(
    box_px: Sequence[float],
    landmarks: Sequence[Sequence[float]],
    score: float,
    sharpness: float | None,
) -> float:
    """How much a look at a face is worth, 0 to 1: the geometric mean of what is known of it.

    Size counts up to the recogniser's 112 pixels, pose by the cosines of yaw and pitch, the
    detection score between 0.35 and 0.8, sharpness half at a Laplacian variance of 30.

    Args:
        box_px: x, y, width, height in pixels.
        landmarks: five (x, y) in pixels, or none.
        score: detection score, 0 to 1.
        sharpness: variance of the Laplacian of the aligned crop; None when not known.
    """
    size = min(1.0, math.sqrt(max(0.0, box_px[2] * box_px[3])) / FULL_SIZE_PX)
    pose = _UNSEEN_POSE
    if len(landmarks) == 5:
        yaw, pitch, _ = pose_deg(landmarks)
        pose = math.cos(math.radians(yaw)) * math.cos(math.radians(pitch))
    detection = min(1.0, (score - _SCORE_NONE) / (_SCORE_FULL - _SCORE_NONE))
    factors = [size, pose, detection]
    if sharpness is not None:
        factors.append(max(0.0, sharpness) / (max(0.0, sharpness) + _SHARP_HALF))
    product = math.prod(max(_LEAST, factor) for factor in factors)
    return float(product ** (1 / len(factors)))
