"""Photos as people upload them: JPEG or PNG, checked in the header before a pixel is decoded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import cv2
import numpy as np

from services.errors import RecordError
from services.records.jpeg import Image, check_jpeg

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
_OTHERS = {
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"BM": "BMP",
    b"%PDF": "PDF",
}
_MAX_SIDE_PX = 30_000
_TOO_LARGE = ("too-many-bytes", "too-many-pixels")


class EnrolmentError(RecordError):
    """A photo that cannot be enrolled.

    Attributes:
        reason: `no-face`, `several-faces`, `face-too-small`, `low-score`, `strong-pose`,
            `blurred`, `unreadable`, `unsupported-format` or `too-large`.
        measured: what was found, by name: numbers, with the unit in the name.
        allowed: what is asked for, by the same names.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        measured: dict[str, float] | None = None,
        allowed: dict[str, float] | None = None,
    ) -> None:
        super().__init__(reason, message)
        self.measured = measured or {}
        self.allowed = allowed or {}


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo.

    Attributes:
        data: the file.
        media_type: `image/jpeg` or `image/png`.
        pixels: height x width x 3, uint8, BGR, upright.
    """

    data: bytes = field(repr=False)
    media_type: str
    pixels: Image = field(repr=False)

    @property
    def sha256(self) -> str:
        """Hex digest of the file."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height, upright."""
        return self.pixels.shape[1], self.pixels.shape[0]


def read_photo(data: bytes, *, max_bytes: int, max_pixels: int) -> Photo:
    """Decode a photo; its EXIF orientation is honoured.

    Args:
        data: the file's bytes.
        max_bytes: longest file.
        max_pixels: largest width x height.

    Raises:
        EnrolmentError: `too-large`, `unreadable` or `unsupported-format`.
    """
    if len(data) > max_bytes:
        raise EnrolmentError(
            "too-large",
            f"the photo has {len(data)} bytes, allowed {max_bytes}",
            {"bytes": len(data)},
            {"bytes": max_bytes},
        )
    if data.startswith(_PNG):
        media_type, size_px = "image/png", _png_size(data)
    elif data.startswith(b"\xff\xd8"):
        media_type, size_px = "image/jpeg", _jpeg_size(data)
    else:
        raise _no_photo(data)
    if size_px[0] * size_px[1] > max_pixels or max(size_px) > _MAX_SIDE_PX:
        raise EnrolmentError(
            "too-large",
            f"the photo has {size_px[0]} x {size_px[1]} pixels, allowed {max_pixels} in all",
            {"width_px": size_px[0], "height_px": size_px[1], "pixels": size_px[0] * size_px[1]},
            {"pixels": max_pixels},
        )
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise EnrolmentError("unreadable", "the photo does not decode")
    return Photo(data, media_type, pixels.astype(np.uint8, copy=False))


def _jpeg_size(data: bytes) -> tuple[int, int]:
    try:
        return check_jpeg(data, max_bytes=len(data), max_pixels=2**62)
    except RecordError as error:
        raise EnrolmentError("unreadable", f"the photo cannot be read: {error}") from None


def _png_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk (PNG, 11.2.2)."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise EnrolmentError("unreadable", "the photo cannot be read: a PNG without its header")
    if _PNG_END not in data[-512:]:
        raise EnrolmentError("unreadable", "the photo cannot be read: the PNG has no end")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if not width or not height:
        raise EnrolmentError("unreadable", f"a picture of {width} x {height} pixels")
    return width, height


def _no_photo(data: bytes) -> EnrolmentError:
    if not data:
        return EnrolmentError("unreadable", "the photo is empty", {"bytes": 0})
    kind = next((name for start, name in _OTHERS.items() if data.startswith(start)), None)
    if data[4:8] == b"ftyp":
        kind = "AVIF" if data[8:12] == b"avif" else "HEIC"
    if kind is not None:
        return EnrolmentError("unsupported-format", f"{kind} is not read: send a JPEG or a PNG")
    return EnrolmentError("unreadable", "the photo is neither a JPEG nor a PNG")
