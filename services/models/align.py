"""Cut faces out upright: similarity transform from five landmarks to the ArcFace template."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

CROP_PX = 112

# Where ArcFace models expect eyes, nose and mouth corners in a 112-pixel crop.
_TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float64,
)


def similarity_transforms(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """The rotation, scale and shift that bring landmarks closest to the template.

    The least-squares answer of Umeyama (1991), without reflection: in the complex plane it is
    one division.

    Args:
        landmarks: (N, 5, 2) pixels.

    Returns:
        (N, 2, 3) affine matrices from the picture to the crop.
    """
    points = landmarks.astype(np.float64)
    centre, target_centre = points.mean(axis=1), _TEMPLATE.mean(axis=0)
    z = (points - centre[:, np.newaxis]) @ np.array([1, 1j])
    w = (_TEMPLATE - target_centre) @ np.array([1, 1j])
    spread = np.maximum((z.conj() * z).real.sum(axis=1), 1e-9)
    turn = (z.conj() * w).sum(axis=1) / spread
    linear = np.stack(
        [np.stack([turn.real, -turn.imag], axis=1), np.stack([turn.imag, turn.real], axis=1)],
        axis=1,
    )
    shift = target_centre - np.einsum("nij,nj->ni", linear, centre)
    return np.concatenate([linear, shift[:, :, np.newaxis]], axis=2)


def align_faces(
    image: NDArray[np.uint8], landmarks: NDArray[np.float32]
) -> Sequence[NDArray[np.uint8]]:
    """Cut out the faces of one picture.

    Args:
        image: (H, W, 3) uint8 BGR.
        landmarks: (N, 5, 2) pixels.

    Returns:
        N crops, (112, 112, 3) uint8 BGR.
    """
    return [
        np.asarray(cv2.warpAffine(image, matrix, (CROP_PX, CROP_PX)), np.uint8)
        for matrix in similarity_transforms(landmarks)
    ]


def sharpness_of(crop: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of a (112, 112, 3) uint8 BGR crop: low is blurred."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
