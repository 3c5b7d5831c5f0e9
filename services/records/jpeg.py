"""JPEG read defensively: the size is checked in the header before a pixel is decoded."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.errors import RecordError

Image = NDArray[np.uint8]
"""Height x width x 3, uint8, BGR."""

_SOI = b"\xff\xd8"
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_EOI, _SOS = 0xD9, 0xDA
_EOI_BYTES = b"\xff\xd9"
_TAIL_BYTES = 512
_SOS_BYTES = b"\xff\xda"
_MAX_SCANS = 100


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels from the frame header (ITU T.81, B.2.2), nothing decoded.

    Raises:
        RecordError: `empty`, `not-a-jpeg` or `truncated-jpeg`.
    """
    if not data:
        raise RecordError("empty", "the record has no value")
    if data[:2] != _SOI:
        raise RecordError("not-a-jpeg", f"{len(data)} bytes that do not start as a JPEG")
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise RecordError("not-a-jpeg", f"no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _STANDALONE:
            at += 2
            continue
        if marker in (_EOI, _SOS):
            raise RecordError("not-a-jpeg", "no frame header before the picture's data")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2:
            raise RecordError("not-a-jpeg", f"segment of {length} bytes at byte {at}")
        if marker in _SOF:
            if at + 9 > len(data):
                break
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            width = int.from_bytes(data[at + 7 : at + 9], "big")
            if not width or not height:
                raise RecordError("not-a-jpeg", f"a picture of {width} x {height} pixels")
            return width, height
        at += 2 + length
    raise RecordError("truncated-jpeg", f"{len(data)} bytes end before the frame header")


def check_jpeg(data: bytes, *, max_bytes: int, max_pixels: int) -> tuple[int, int]:
    """Refuse what must not be decoded.

    Args:
        data: the file's bytes.
        max_bytes: longest file.
        max_pixels: largest width x height.

    Returns:
        Width and height in pixels.

    Raises:
        RecordError: `too-many-bytes`, `too-many-pixels`, `too-many-scans`, `truncated-jpeg`, or
            as `jpeg_size`.
    """
    if len(data) > max_bytes:
        raise RecordError("too-many-bytes", f"{len(data)} bytes, allowed {max_bytes}")
    width, height = jpeg_size(data)
    if width * height > max_pixels:
        raise RecordError(
            "too-many-pixels", f"{width} x {height} pixels, allowed {max_pixels} in all"
        )
    # OpenCV fills what is missing of a truncated file with grey and says nothing. Cameras may
    # pad after the end marker, hence the tail.
    if _EOI_BYTES not in data[-_TAIL_BYTES:]:
        raise RecordError("truncated-jpeg", f"{len(data)} bytes without an end marker")
    # Each scan of a progressive JPEG goes over the whole picture, and may take but a few bytes.
    if (scans := data.count(_SOS_BYTES)) > _MAX_SCANS:
        raise RecordError("too-many-scans", f"{scans} scans, allowed {_MAX_SCANS}")
    return width, height


def decode_jpeg(data: bytes, *, max_bytes: int, max_pixels: int) -> Image:
    """Decode a JPEG to (height, width, 3) uint8 BGR; the EXIF orientation is left alone.

    Raises:
        RecordError: as `check_jpeg`, or `corrupt-jpeg` when the decoder gives up.
    """
    check_jpeg(data, max_bytes=max_bytes, max_pixels=max_pixels)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise RecordError("corrupt-jpeg", f"{len(data)} bytes that do not decode")
    return image.astype(np.uint8, copy=False)


def encode_jpeg(image: Image, quality: int) -> bytes:
    """Encode (height, width, 3) uint8 BGR at a quality of 1 to 100."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RecordError("not-encodable", f"a picture of shape {image.shape} does not encode")
    return data.tobytes()
