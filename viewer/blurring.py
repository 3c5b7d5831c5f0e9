"""Heads made unrecognisable: what is left of one is a few patches of colour.

A blur alone can be sharpened again. So a head is first reduced to the mean colours of a few
cells, which is all that is known of it from then on, and only made soft to look at after that.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from services.records.jpeg import Image

# A box holds the face from brow to chin: hair, ears and jaw lie around it.
_MARGIN = 0.25
# Of a close-up 64 px wide every face is still known again; as a second fence it keeps the small
# ones that no detector finds.
_COARSE_PX = 64
# With 6 x 8 cells a detector finds every second face again, with 4 x 5 some, with these none.
_CELLS = (3, 4)

Box = tuple[float, float, float, float]
"""Left, top, width, height."""


def blur_heads(image: Image, boxes: Sequence[Box], frame_size: tuple[int, int]) -> None:
    """Make the heads around some faces unrecognisable.

    Args:
        image: (height, width, 3) uint8 BGR, changed in place.
        boxes: the faces, in pixels of the frame.
        frame_size: width and height of the frame, which `image` may be a smaller copy of.
    """
    height, width = image.shape[:2]
    across, down = width / frame_size[0], height / frame_size[1]
    for box in boxes:
        columns, rows = _head(box, across, down, width, height)
        _smear(image[rows, columns])


def blur_all(image: Image) -> None:
    """Make everything in `image` unrecognisable: a crop of a head, or a picture full of faces.

    Args:
        image: (height, width, 3) uint8 BGR, changed in place.
    """
    _smear(image)


def blur_around(image: Image, face: Box | None) -> None:
    """Make everything but one head unrecognisable: somebody else may be beside it.

    Args:
        image: (height, width, 3) uint8 BGR, changed in place.
        face: the face, in pixels of `image`; None where it is not known, and nothing is left.
    """
    height, width = image.shape[:2]
    whole = image.copy()
    _smear(image)
    if face is not None:
        columns, rows = _head(face, 1.0, 1.0, width, height)
        image[rows, columns] = whole[rows, columns]


def coarse(image: Image) -> Image:
    """The same picture in the same size, with as little in it as there is in 64 pixels of width."""
    height, width = image.shape[:2]
    if width <= _COARSE_PX:
        return image
    few = (_COARSE_PX, max(1, round(height * _COARSE_PX / width)))
    small = cv2.resize(image, few, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(
        np.uint8, copy=False
    )


def _head(face: Box, across: float, down: float, width: int, height: int) -> tuple[slice, slice]:
    """Columns and rows of the head around a face that is in pixels of a larger picture."""
    x, y, w, h = face
    left, right = _span((x - _MARGIN * w) * across, (x + w + _MARGIN * w) * across, width)
    top, bottom = _span((y - _MARGIN * h) * down, (y + h + _MARGIN * h) * down, height)
    return slice(left, right), slice(top, bottom)


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    """Whole pixels from `low` to `high`, rounded outwards, inside a picture of `limit` pixels."""
    return int(np.floor(np.clip(low, 0, limit))), int(np.ceil(np.clip(high, 0, limit)))


def _smear(region: Image) -> None:
    height, width = region.shape[:2]
    if not height or not width:
        return
    few = (min(_CELLS[0], width), min(_CELLS[1], height))
    means = cv2.resize(region, few, interpolation=cv2.INTER_AREA)
    region[:] = cv2.resize(means, (width, height), interpolation=cv2.INTER_CUBIC)
