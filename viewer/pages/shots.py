"""Test shots for those who are shown unknown faces only blurred: where a camera looks, and nobody.

The viewer finds no faces itself, so the identifier looks for them. When it cannot, the shot is not
shown: a picture of a kept camera would be to be had raw for as long as the models are away.
"""

from __future__ import annotations

import cv2
import numpy as np
from flask import abort

from services.errors import RecordError
from services.records.jpeg import Image, check_jpeg, encode_jpeg
from viewer.blurring import Box, blur_heads, coarse
from viewer.identifier import File, Identifier, IdentifierAway, IdentifierProblem
from viewer.pages.parts import Parts

_MOST_BYTES = 4_194_304
_MOST_PX = 4_000_000
_SENT_QUALITY = 95
_SHOWN_QUALITY = 80


def blurred_shot(parts: Parts, shot: File) -> File:
    """A test shot without anybody to be known in it, in the size it has.

    Every head is blurred, also of people with names: who somebody is takes more than one picture
    to tell.

    Args:
        parts: whom to ask for faces, and the words where it cannot say.
        shot: JPEG.
    """
    image = _upright(shot.data)
    if image is None:
        abort(404, parts.texts("cameras.no_shot"))
    try:
        heads = _faces(parts.identifier, image)
    except (IdentifierAway, IdentifierProblem) as error:
        abort(503, parts.texts("cameras.shot_unseen", detail=str(error)))
    height, width = image.shape[:2]
    blur_heads(image, heads, (width, height))
    return File("image/jpeg", encode_jpeg(coarse(image), _SHOWN_QUALITY))


def _faces(identifier: Identifier, image: Image) -> list[Box]:
    photo = File("image/jpeg", encode_jpeg(image, _SENT_QUALITY))
    found = identifier.send("POST", "/identify", file=photo, params={"shape": "facestream"})
    boxes = [face["box"] for face in found["faces"]]
    return [(box["x"], box["y"], box["width"], box["height"]) for box in boxes]


def _upright(jpeg: bytes) -> Image | None:
    """The picture as its EXIF orientation has it: lying on its side nobody is found."""
    try:
        check_jpeg(jpeg, max_bytes=_MOST_BYTES, max_pixels=_MOST_PX)
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except (RecordError, cv2.error):
        return None
    return None if image is None else image.astype(np.uint8, copy=False)
