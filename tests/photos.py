"""Photos that no one should send, and how to make them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np


def png_claiming(width: int, height: int) -> bytes:
    """A small PNG whose header claims any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    chunks = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def jpeg_claiming(width: int, height: int) -> bytes:
    """A small JPEG whose header claims any size."""
    small = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    at = small.index(b"\xff\xc0") + 5
    return small[:at] + struct.pack(">HH", height, width) + small[at + 4 :]


def resized(photo: Path, factor: float) -> bytes:
    """A photo made larger or smaller, as PNG."""
    image = cv2.imread(str(photo))
    assert image is not None
    shrunk = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".png", shrunk)[1].tobytes()


def lying_on_its_side(photo: Path) -> bytes:
    """A JPEG stored turned by 90 degrees, with the EXIF orientation that turns it back."""
    image = cv2.imread(str(photo))
    assert image is not None
    turned = cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)
    plain = cv2.imencode(".jpg", turned)[1].tobytes()
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)  # orientation 6: turn clockwise to view
    tiff = b"MM\x00*" + struct.pack(">I", 8) + struct.pack(">H", 1) + entry + bytes(4)
    exif = b"Exif\x00\x00" + tiff
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]
