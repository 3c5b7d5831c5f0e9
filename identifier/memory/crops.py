"""Cutting a face out of its frame, with some of what is around it."""

from __future__ import annotations

import cv2
import numpy as np

from identifier.tracks.values import BestFace
from services.errors import RecordError
from services.records.jpeg import decode_jpeg, encode_jpeg

_MARGIN = 0.4  # of the box's size, on every side: enough to find and align the face again
_MAX_SIDE_PX = 320
_QUALITY = 90
_MAX_PIXELS = 100_000_000


def face_crop(best: BestFace) -> bytes | None:
    """The best face of a track as a JPEG, at most 320 px; None when the frame does not decode."""
    try:
        image = decode_jpeg(best.jpeg, max_bytes=len(best.jpeg), max_pixels=_MAX_PIXELS)
    except RecordError:
        return None
    x, y, width, height = best.box_px
    left, top = max(0, round(x - _MARGIN * width)), max(0, round(y - _MARGIN * height))
    right, bottom = round(x + (1 + _MARGIN) * width), round(y + (1 + _MARGIN) * height)
    crop = image[top:bottom, left:right]
    if not crop.size:
        return None
    shrink = _MAX_SIDE_PX / max(crop.shape[:2])
    if shrink < 1:
        small = cv2.resize(crop, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        return encode_jpeg(small.astype(np.uint8), _QUALITY)
    return encode_jpeg(crop, _QUALITY)
