"""Pictures: a file, a directory or a glob, in natural order, upright."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from producer.addresses import IMAGE_SUFFIXES, Kind, is_glob
from producer.sources.frames import CapturedFrame
from producer.sources.jpeg_file import as_it_is
from services.errors import RecordError, SourceError
from services.records.jpeg import Image, check_jpeg

MAX_FILE_BYTES = 268_435_456
MAX_PIXELS = 200_000_000
_DIGITS = re.compile(r"(\d+)")
_PNG = b"\x89PNG\r\n\x1a\n"


class ImageSource:
    """Every picture once; a baseline JPEG that needs no turning keeps its bytes.

    A picture that cannot be read is a frame whose `load` raises RecordError, so that one bad
    file costs only itself.

    Args:
        path: a picture, a directory (its pictures, not those of directories in it), or a glob.
        fps: pictures per second; 0 gives all of them the same position.

    Raises:
        SourceError: there is no picture.
    """

    kind: Kind = "images"
    is_live = False

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        self._period_s = 1.0 / fps if fps else 0.0
        self._files = find_images(path)
        self.total_frames: int | None = len(self._files)

    def describe(self) -> str:
        """The path or pattern."""
        return str(self._path)

    def interrupt(self) -> None:
        """Nothing to do: a file does not wait."""

    def close(self) -> None:
        """Nothing is held open."""

    def frames(self) -> Iterator[CapturedFrame]:
        """Every picture in natural order: 2.jpg before 10.jpg."""
        for number, path in enumerate(self._files):
            yield _frame(path, number * self._period_s, self._period_s)


def find_images(path: Path) -> list[Path]:
    """The pictures that a path, directory or pattern names, in natural order.

    Raises:
        SourceError: none.
    """
    if path.is_dir():
        found = [p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
    elif is_glob(path):
        named = (Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns
        found = [p for p in named if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
    else:
        found = [path] if path.is_file() else []
    if not found:
        raise SourceError(f"{path}: no picture there")
    return sorted(found, key=natural)


def natural(path: Path) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """Sort key by which 2.jpg comes before 10.jpg, directory by directory."""
    return tuple(
        tuple(
            (0, int(piece), "") if piece.isdecimal() and piece.isascii() else (1, 0, piece.lower())
            for piece in _DIGITS.split(part)
            if piece
        )
        for part in path.parts
    )


def _frame(path: Path, position_s: float, duration_s: float) -> CapturedFrame:
    data, jpeg = b"", None
    try:
        if path.stat().st_size <= MAX_FILE_BYTES:
            data = path.read_bytes()
        if data.startswith(b"\xff\xd8"):
            check_jpeg(data, max_bytes=MAX_FILE_BYTES, max_pixels=MAX_PIXELS)
            jpeg = data if as_it_is(data) else None
    except (OSError, RecordError):
        jpeg = None  # `load` says what is wrong with it
    load = partial(load_image, path, data)
    return CapturedFrame(datetime.now(UTC), position_s, duration_s, load=load, jpeg=jpeg)


def load_image(path: Path, data: bytes) -> Image:
    """Decode a picture to (height, width, 3) uint8 BGR, turned as its EXIF says.

    Raises:
        RecordError: naming the file and what is wrong with it.
    """
    if not data:
        raise RecordError("unreadable", f"{path}: empty, unreadable or over {MAX_FILE_BYTES} bytes")
    if data.startswith(b"\xff\xd8"):
        try:
            check_jpeg(data, max_bytes=MAX_FILE_BYTES, max_pixels=MAX_PIXELS)
        except RecordError as error:
            raise RecordError(error.reason, f"{path}: {error}") from None
    elif data.startswith(_PNG):
        width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        if width * height > MAX_PIXELS:
            raise RecordError("too-many-pixels", f"{path}: {width} x {height} pixels")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise RecordError("undecodable", f"{path}: not a picture that can be decoded")
    return image.astype(np.uint8, copy=False)
