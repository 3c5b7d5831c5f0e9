"""Crops that show more than one face: the one in the middle is meant."""

from __future__ import annotations

from services.errors import RecordError
from services.records.jpeg import decode_jpeg, encode_jpeg

_SHARE = 0.6
_JPEG_QUALITY = 95
_MAX_BYTES, _MAX_PIXELS = 4_194_304, 16_000_000


def middle_of(crop: bytes) -> bytes | None:
    """The middle of a crop's JPEG, six tenths of each side; None where it does not decode."""
    try:
        pixels = decode_jpeg(crop, max_bytes=_MAX_BYTES, max_pixels=_MAX_PIXELS)
    except RecordError:
        return None
    height, width = pixels.shape[:2]
    top, left = (round(side * (1 - _SHARE) / 2) for side in (height, width))
    middle = pixels[top : max(top + 1, height - top), left : max(left + 1, width - left)]
    return encode_jpeg(middle, _JPEG_QUALITY)
