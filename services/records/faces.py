"""Whether what a record says of a face can be used: finite numbers, within reach of a frame."""

from __future__ import annotations

import math
from collections.abc import Iterable

from services.errors import RecordError
from services.records.facestream_pb2 import Face, IdentifiedFace

_REACH_PX = 1_000_000.0


def check_faces(faces: Iterable[Face] | Iterable[IdentifiedFace]) -> None:
    """Refuse what arithmetic on boxes and landmarks would choke on.

    Raises:
        RecordError: `bad-face` when a coordinate or score is not finite or far outside any frame.
    """
    for face in faces:
        box = face.box
        numbers = [box.x, box.y, box.width, box.height, face.score]
        for point in face.landmarks:
            numbers += (point.x, point.y)
        if not all(math.isfinite(number) and abs(number) <= _REACH_PX for number in numbers):
            raise RecordError("bad-face", "a face with impossible coordinates or score")
