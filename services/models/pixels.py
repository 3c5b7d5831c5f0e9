"""Pictures to network input: scale, pad, and turn BGR bytes into normalised RGB planes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(H, W, 3) uint8, BGR."""


def value_table(mean: float, scale: float) -> NDArray[np.float32]:
    """(256,) float32: what each byte becomes, (byte - mean) / scale."""
    return ((np.arange(256, dtype=np.float32) - np.float32(mean)) / np.float32(scale)).astype(
        np.float32
    )


def to_planes(
    images: Sequence[Image],
    table: NDArray[np.float32],
    size: tuple[int, int],
    padded: tuple[int, int],
) -> NDArray[np.float32]:
    """Scale pictures and lay them out for a network.

    A table look-up into the network's own input takes 0.4 ms for 640x384, where
    `cv2.dnn.blobFromImages` takes 2 to 4.

    Args:
        images: (H, W, 3) uint8 BGR each.
        table: (256,) float32, see `value_table`.
        size: width and height to scale to, pixels.
        padded: width and height of the input, pixels; right and below is what black becomes.

    Returns:
        (N, 3, padded height, padded width) float32, RGB.
    """
    width, height = size
    planes = np.empty((len(images), 3, padded[1], padded[0]), np.float32)
    planes[:, :, height:] = table[0]
    planes[:, :, :height, width:] = table[0]
    for image, target in zip(images, planes, strict=True):
        scaled = image if image.shape[:2] == (height, width) else cv2.resize(image, size)
        for channel, plane in enumerate(cv2.split(scaled)):
            cv2.LUT(plane, table, dst=target[2 - channel, :height, :width])
    return planes
