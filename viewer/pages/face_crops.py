"""Small square pictures of the faces in reference photos, which may be photos of many megabytes.

Where unknown faces are blurred, all of a photo is but the one head it is kept for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import cv2
import numpy as np

from viewer.blurring import Box, blur_around
from viewer.identifier import Json

SIDE_PX = 320
_MOST_KEPT = 1_000
_ROOM = 1.9
_QUALITY = 86
_REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)


class FaceCrops:
    """Cuts faces out and keeps the last; safe to use from any thread.

    One photo is decoded at a time: a large one takes 200 MB meanwhile.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, bool], bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._decoding = threading.Lock()

    def kept(self, face_id: str, *, alone: bool = False) -> bytes | None:
        """The picture of a face that was cut out before."""
        kind = (face_id, alone)
        with self._lock:
            if kind in self._kept:
                self._kept.move_to_end(kind)
            return self._kept.get(kind)

    def cut(self, face: Json, photo: bytes, *, alone: bool = False) -> bytes | None:
        """Cut a face out of its photo; None where the photo cannot be read.

        Args:
            face: as the identifier describes it (`FaceShape`).
            photo: the file.
            alone: whether everything but the head is blurred.

        Returns:
            JPEG, `SIDE_PX` square.
        """
        with self._decoding:
            jpeg = face_crop(photo, int(face["width"]), _box(face), alone=alone)
        if jpeg is not None:
            with self._lock:
                self._kept[str(face["id"]), alone] = jpeg
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        return jpeg


def face_crop(
    photo: bytes, width_px: int, box_px: Box | None, *, alone: bool = False
) -> bytes | None:
    """A square around a face, or the middle of the photo.

    Args:
        photo: JPEG or PNG.
        width_px: of the upright photo.
        box_px: x, y, width, height of the face in it.
        alone: whether everything but the head is blurred; without a box that is all of it.

    Returns:
        JPEG, `SIDE_PX` square; None where the photo cannot be read.
    """
    wanted_px = None if box_px is None else _ROOM * max(box_px[2:])
    flags = next(
        (flag for by, flag in _REDUCED if wanted_px and wanted_px / by >= SIDE_PX),
        cv2.IMREAD_COLOR,
    )
    try:
        image = cv2.imdecode(np.frombuffer(photo, np.uint8), flags)
    except cv2.error:
        return None
    if image is None:
        return None
    height, width = image.shape[:2]
    scale = width / max(1, width_px)
    side = round(min(height, width, (wanted_px or 1e9) * scale))
    x, y, box_width, box_height = box_px or (0.0, 0.0, width / scale, height / scale)
    left = round(min(max(0, (x + box_width / 2) * scale - side / 2), width - side))
    top = round(min(max(0, (y + box_height / 2) * scale - side / 2), height - side))
    crop = image[top : top + side, left : left + side].astype(np.uint8, copy=False)
    if not crop.size:
        return None
    if alone:
        at = None
        if box_px is not None:
            at = (x * scale - left, y * scale - top, box_width * scale, box_height * scale)
        blur_around(crop, at)
    shrinks = side > SIDE_PX
    small = cv2.resize(
        crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )
    made, jpeg = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return jpeg.tobytes() if made else None


def _box(face: Json) -> Box | None:
    box = face.get("box")
    if box is None:
        return None
    return float(box["x"]), float(box["y"]), float(box["width"]), float(box["height"])
