"""Cameras on this machine (`0`, `/dev/video0`), through OpenCV's Video4Linux."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import cv2
import numpy as np

from producer.addresses import Kind
from producer.sources.frames import CapturedFrame, SourceLost
from services.records.jpeg import Image


class DeviceSource:
    """Frames of a camera that is plugged in.

    Args:
        address: a device number, or the path of a device.

    Raises:
        SourceLost: there is no such camera, or another program has it.
    """

    kind: Kind = "device"
    is_live = True
    total_frames: int | None = None

    def __init__(self, address: str) -> None:
        self._address = address
        # OpenCV has its own word on stderr at every try; one outage is one line of our log.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        index: int | str = int(address) if address.isdigit() else address
        self._capture = cv2.VideoCapture(index, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceLost("no camera there, no permission, or another program has it")
        # A frame that waits in the driver is an old frame.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def describe(self) -> str:
        """The device's number or path."""
        return self._address

    def interrupt(self) -> None:
        """The driver cannot be cut off; it bounds the wait itself."""

    def close(self) -> None:
        """Let go of the device."""
        self._capture.release()

    def frames(self) -> Iterator[CapturedFrame]:
        """Every frame, without end."""
        while True:
            done, image = self._capture.read()
            if not done or image is None:
                raise SourceLost("the camera gave no frame")
            pixels: Image = image.astype(np.uint8, copy=False)
            yield CapturedFrame(
                datetime.now(UTC), time.monotonic(), 0.0, load=partial(_same, pixels)
            )


def _same(image: Image) -> Image:
    return image
