"""ArcFace embeddings: all faces of a batch in one call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.models.align import CROP_PX
from services.models.pixels import to_planes, value_table
from services.models.sessions import ModelSession

_FACES_PER_FRAME = 8  # a crop is a twentieth of a frame's pixels
_SIZE = (CROP_PX, CROP_PX)
_TABLE = value_table(127.5, 127.5)


class ArcFace:
    """A recogniser with the ArcFace input: 112 pixels, RGB, about -1 to 1."""

    def __init__(self, session: ModelSession, embedding_size: int) -> None:
        self._session = session
        self._embedding_size = embedding_size

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed aligned faces.

        Args:
            crops: (112, 112, 3) uint8 BGR each.

        Returns:
            (N, D) float32, unit length.
        """
        parts = [np.empty((0, self._embedding_size), np.float32)]
        step = self._session.max_batch * _FACES_PER_FRAME
        for start in range(0, len(crops), step):
            planes = to_planes(crops[start : start + step], _TABLE, _SIZE, _SIZE)
            parts.append(self._session.run(planes)[0])
        raw = np.concatenate(parts)
        length = np.sqrt(np.einsum("nd,nd->n", raw, raw))[:, np.newaxis]
        return np.asarray(raw / np.maximum(length, 1e-12), np.float32)
