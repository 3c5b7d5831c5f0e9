"""Which face of a frame is which track: by place and by looks.

IoU finds the face that has hardly moved, the embedding refuses it when the picture has changed to
somebody else, and finds again who moved too far or was away for a moment. `docs/tracks.md` has the
figures beside ByteTrack and SORT, which go by boxes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.records.embeddings import Embedding

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""

SAME_PLACE_IOU = 0.2
SAME_PLACE_COSINE = 0.35
"""Of 4,066 pairs of overlapping faces in neighbouring frames of the test clips (buffalo_s), ten on
both sides of a cut have at most 0.12, two doubtful ones 0.22 and 0.32, all others 0.39 or more."""
ANYWHERE_COSINE = 0.5
"""Far above the threshold at which two faces are one person (0.33): here nothing else speaks for
it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a track was last, and what it looks like.

    Attributes:
        box_px: x, y, width, height.
        newest: (D,) float32, embedding of the newest face.
        mean: (D,) float32, unit length, over the track.
    """

    box_px: Box
    newest: Embedding = field(repr=False)
    mean: Embedding = field(repr=False)


def associate(
    tracks: Sequence[Place],
    boxes_px: Sequence[Box],
    embeddings: NDArray[np.float32],
) -> list[int | None]:
    """Give each face of a frame to a track, the surest pair first.

    Args:
        tracks: those that may go on, with embeddings of D dimensions.
        boxes_px: of F faces.
        embeddings: (F, D) float32, rows of unit length.

    Returns:
        For each face the index of its track; None for a face that begins one.
    """
    found: list[int | None] = [None] * len(boxes_px)
    if not tracks or not boxes_px:
        return found
    known = np.stack([place.newest for place in tracks] + [place.mean for place in tracks])
    both = (known @ embeddings.T).reshape(2, len(tracks), len(boxes_px))
    cosines: list[list[float]] = both.max(axis=0).tolist()
    pairs = []
    for index, place in enumerate(tracks):
        for face, box in enumerate(boxes_px):
            cosine = cosines[index][face]
            if cosine < SAME_PLACE_COSINE:
                continue
            iou = intersection_over_union(place.box_px, box)
            if cosine >= ANYWHERE_COSINE or iou >= SAME_PLACE_IOU:
                pairs.append((-(cosine + iou), index, face))
    taken = set()
    for _, index, face in sorted(pairs):
        if index not in taken and found[face] is None:
            found[face] = index
            taken.add(index)
    return found


def intersection_over_union(one: Box, other: Box) -> float:
    """Area shared by two boxes over the area of both, 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
