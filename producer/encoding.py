"""A captured frame to the JPEG that is published; one that already fits is not touched."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from producer.sources.frames import CapturedFrame
from services.errors import RecordError
from services.records.jpeg import Image, encode_jpeg, jpeg_size


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A JPEG and its size in pixels."""

    jpeg: bytes = field(repr=False)
    width: int
    height: int


def encode(frame: CapturedFrame, *, max_side_px: int, quality: int) -> EncodedFrame:
    """Turn a frame into a JPEG whose longest side is at most `max_side_px` (0: any).

    Raises:
        RecordError: the picture does not decode or encode.
    """
    if frame.jpeg is not None:
        width, height = jpeg_size(frame.jpeg)
        if not max_side_px or max(width, height) <= max_side_px:
            return EncodedFrame(frame.jpeg, width, height)
    image = shrink(frame.load(), max_side_px)
    height, width = image.shape[:2]
    try:
        return EncodedFrame(encode_jpeg(image, quality), width, height)
    except cv2.error:
        raise RecordError("not-encodable", f"{width} x {height} pixels do not encode") from None


def shrink(image: Image, max_side_px: int) -> Image:
    """Scale (height, width, 3) uint8 BGR down to `max_side_px` at its longest; never up."""
    height, width = image.shape[:2]
    scale = max_side_px / max(height, width)
    if not max_side_px or scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
