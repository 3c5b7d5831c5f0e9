"""Small videos and pictures that tests make for themselves, and a publisher that keeps frames."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from producer.link import OutFrame


def write_video(
    path: Path,
    frames: int = 20,
    *,
    fps: int = 25,
    codec: str = "mpeg4",
    width: int = 160,
    height: int = 96,
    options: dict[str, str] | None = None,
) -> Path:
    """A video of noise with a bright bar that grows from the left; noise, so that bytes matter."""
    rng = np.random.default_rng(7)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=fps))
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(frames):
            image = rng.integers(0, 90, (height, width, 3), np.uint8)
            image[:, : 1 + number * width // frames] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def turn_on_its_side(path: Path) -> Path:
    """Give an MP4 the display matrix of a phone held upright (ISO 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 4
    at += 4 + (20 if data[at] == 0 else 32) + 16
    data[at : at + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def write_image(path: Path, width: int = 64, height: int = 48, *params: int) -> Path:
    """A picture whose left half is dark and whose right half is bright."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = 255
    assert cv2.imwrite(str(path), image, list(params))
    return path


def with_orientation(jpeg: bytes, orientation: int, order: str = "<") -> bytes:
    """A JPEG with an EXIF block that says how to turn it."""
    tiff = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    tiff += struct.pack(f"{order}HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    segment = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


class Kept:
    """A publisher that keeps what it is given."""

    def __init__(self, enough: int = 0, then: Callable[[], None] = lambda: None) -> None:
        self.frames: list[OutFrame] = []
        self._enough = enough
        self._then = then
        self._changed = threading.Condition()

    def publish(self, frame: OutFrame) -> bool:
        with self._changed:
            self.frames.append(frame)
            self._changed.notify_all()
            if len(self.frames) == self._enough:
                self._then()
        return True

    def close(self, timeout_s: float) -> int:
        del timeout_s
        return 0

    def until(self, count: int, timeout_s: float = 60) -> list[OutFrame]:
        """Wait for so many frames."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.frames) >= count, timeout_s), (
                f"{len(self.frames)} of {count} frames within {timeout_s} s"
            )
            return list(self.frames)
