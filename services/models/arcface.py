"""ArcFace embeddings: all faces of a batch in one call."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from services.models.sessions import ModelSession

_FACES_PER_BATCH_ITEM = 4  # a 112-pixel crop is a small part of the work a frame is


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
        step = self._session.max_batch * _FACES_PER_BATCH_ITEM
        for start in range(0, len(crops), step):
            blob = cv2.dnn.blobFromImages(
                crops[start : start + step], 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True
            )
            parts.append(self._session.run(np.asarray(blob, np.float32))[0])
        raw = np.concatenate(parts)
        length = np.sqrt(np.einsum("nd,nd->n", raw, raw))[:, np.newaxis]
        return np.asarray(raw / np.maximum(length, 1e-12), np.float32)
