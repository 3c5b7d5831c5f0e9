"""Where unknown faces were a moment ago: one that is missed for a few frames stays blurred.

A face that turns or is half covered is not found in every frame. Under a blur it would flash up
in the frames between, so a place where an unknown face was stays blurred for a moment, unless a
face is found there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""Left, top, width, height; pixels in the frame."""

_HOLD = timedelta(seconds=1)
# Boxes of one face in two frames that follow each other share more than this.
_SAME_FACE = 0.2


class Shadow(NamedTuple):
    """A place to blur until a moment of the camera's own time."""

    box: Box
    until: datetime


class Face(Protocol):
    """A face that was found; `person` is empty for an unknown one."""

    @property
    def box(self) -> Box:
        """See `Box`."""

    @property
    def person(self) -> str:
        """Slug."""


class Frame(Protocol):
    """What is known of the frame before."""

    captured_at: datetime
    size: tuple[int, int]

    @property
    def marks(self) -> Sequence[Face]:
        """Faces found in it."""

    @property
    def shadows(self) -> Sequence[Shadow]:
        """Places where there were some."""


def shadows_after(
    before: Frame, captured_at: datetime, size: tuple[int, int], faces: Sequence[Face]
) -> tuple[Shadow, ...]:
    """The shadows in a frame.

    Args:
        before: the frame before it.
        captured_at: its time.
        size: its width and height in pixels.
        faces: found in it.
    """
    until = before.captured_at + _HOLD
    cast = [Shadow(face.box, until) for face in before.marks if not face.person]
    # The clock of a camera may jump, and a replay begins in the past.
    if before.size != size or captured_at < before.captured_at:
        return ()
    lasting = [shadow for shadow in (*cast, *before.shadows) if captured_at <= shadow.until]
    if not lasting or not faces:
        return tuple(lasting)
    found = _overlaps([shadow.box for shadow in lasting], [face.box for face in faces])
    return tuple(
        shadow for shadow, best in zip(lasting, found.max(axis=1), strict=True) if best < _SAME_FACE
    )


def _overlaps(some: Sequence[Box], others: Sequence[Box]) -> NDArray[np.float64]:
    """Intersection over union of N with M boxes, (N, M) float64."""
    a, b = np.asarray(some, np.float64)[:, None], np.asarray(others, np.float64)[None]
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    union = np.prod(a[..., 2:], axis=2) + np.prod(b[..., 2:], axis=2) - shared
    return np.asarray(shared / np.maximum(union, 1e-9))
