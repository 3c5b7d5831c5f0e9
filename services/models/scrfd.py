"""SCRFD face detection: many pictures of one size in one call, at one or several input sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.models.pixels import Image, to_planes, value_table
from services.models.sessions import ModelSession, Tensor

_STRIDES = (8, 16, 32)
_ANCHORS_PER_CELL = 2
_MAX_CANDIDATES = 2000
_INPUT_MULTIPLE_PX = 32
_TABLE = value_table(127.5, 128)


@dataclass(frozen=True, slots=True)
class Detections:
    """Faces of one picture, best first.

    Attributes:
        boxes: (N, 4) float32, pixels: left, top, right, bottom.
        scores: (N,) float32, 0 to 1.
        landmarks: (N, 5, 2) float32, pixels: eyes, nose, mouth corners.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Detections:
        """The faces at `index`: positions, or (N,) bool."""
        return Detections(self.boxes[index], self.scores[index], self.landmarks[index])

    @staticmethod
    def join(parts: Sequence[Detections]) -> Detections:
        """All faces of several detections of one picture."""
        return Detections(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.landmarks for part in parts]),
        )


class Scrfd:
    """The SCRFD family, with landmarks.

    Args:
        session: the network.
        min_score: detection score under which an anchor is not looked at, 0 to 1.
        max_overlap: boxes that overlap more than this (intersection over union) are one face.
    """

    def __init__(self, session: ModelSession, min_score: float, max_overlap: float = 0.4) -> None:
        self._session = session
        self._min_score = min_score
        self._max_overlap = max_overlap

    def detect(
        self, images: Sequence[Image], longest_px: int, padding_px: int = 0
    ) -> list[Detections]:
        """Find faces in pictures of one size.

        Args:
            images: (H, W, 3) uint8 BGR each, all of one size.
            longest_px: the network sees pictures whose longer side is this many pixels.
            padding_px: black to add right and below, up to a square, beyond what fills blocks of
                32 pixels. A face cut off by the picture's lower edge looks different to the
                network with black there than with nothing.
        """
        found: list[Detections] = []
        step = self._session.max_batch
        for start in range(0, len(images), step):
            found += self._detect_batch(images[start : start + step], longest_px, padding_px)
        return found

    def _detect_batch(
        self, images: Sequence[Image], longest_px: int, padding_px: int
    ) -> list[Detections]:
        height, width = images[0].shape[:2]
        scale = longest_px / max(height, width)
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        square = _in_blocks(longest_px)
        padded_width, padded_height = (min(_in_blocks(side + padding_px), square) for side in size)
        batch = to_planes(images, _TABLE, size, (padded_width, padded_height))
        outputs = self._session.run(batch)
        # The exports of the upstream release leave the batch dimension out.
        levels = [output if output.ndim == 3 else output[np.newaxis] for output in outputs]
        back = np.array([width / size[0], height / size[1]], np.float32)
        return self._decode(levels, batch.shape[3], len(images), back)

    def _decode(
        self, levels: list[Tensor], input_width: int, count: int, back: NDArray[np.float32]
    ) -> list[Detections]:
        """Turn anchors above the score into faces.

        Args:
            levels: of each stride, scores (B, A, 1), then boxes (B, A, 4), then landmarks
                (B, A, 10).
            input_width: of the network's input, pixels.
            count: pictures in the batch.
            back: (2,) factors from the network's pixels to the picture's.
        """
        frames, scores, boxes, landmarks = [], [], [], []
        for level, stride in enumerate(_STRIDES):
            frame, anchor = np.nonzero(levels[level][..., 0] >= self._min_score)
            row, column = np.divmod(anchor // _ANCHORS_PER_CELL, input_width // stride)
            centre = np.stack([column, row], axis=1).astype(np.float32) * stride
            edges = levels[level + 3][frame, anchor] * stride
            points = levels[level + 6][frame, anchor].reshape(-1, 5, 2) * stride
            frames.append(frame)
            scores.append(levels[level][frame, anchor, 0])
            boxes.append(np.hstack([centre - edges[:, :2], centre + edges[:, 2:]]))
            landmarks.append(centre[:, np.newaxis] + points)
        frame_of = np.concatenate(frames)
        all_faces = Detections(
            np.concatenate(boxes) * np.tile(back, 2),
            np.concatenate(scores),
            np.concatenate(landmarks) * back,
        )
        return [
            suppress(all_faces.take(np.flatnonzero(frame_of == frame)), self._max_overlap)
            for frame in range(count)
        ]


def _in_blocks(side_px: int) -> int:
    return -(-side_px // _INPUT_MULTIPLE_PX) * _INPUT_MULTIPLE_PX


def suppress(faces: Detections, max_overlap: float) -> Detections:
    """Keep the best of every group of boxes that overlap more than `max_overlap`."""
    order = np.argsort(-faces.scores, kind="stable")[:_MAX_CANDIDATES]
    faces = faces.take(order)
    alive = np.ones(len(faces), bool)
    for index in range(len(faces)):
        if alive[index]:
            rest = slice(index + 1, None)
            alive[rest] &= overlap(faces.boxes[index], faces.boxes[rest]) <= max_overlap
    return faces.take(alive)


def overlap(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of one (4,) box with (N, 4) boxes; corners in pixels."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    own = np.prod(np.maximum(box[2:] - box[:2], 0))
    return np.asarray(shared / np.maximum(own + areas - shared, 1e-6), np.float32)
