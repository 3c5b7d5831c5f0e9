"""Embeddings as bytes: little-endian float32, unit length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.errors import RecordError

Embedding = NDArray[np.float32]
"""(D,) float32, unit length."""

_LENGTH_TOLERANCE = 0.01
_MAX_DIMENSIONS = 4096


def to_bytes(embedding: Embedding) -> bytes:
    """(D,) float32 of unit length to 4 x D bytes."""
    return embedding.astype("<f4", copy=False).tobytes()


def from_bytes(data: bytes) -> Embedding:
    """4 x D bytes to (D,) float32, read-only.

    Raises:
        RecordError: `bad-embedding` unless it is finite and of unit length.
    """
    if not data or len(data) % 4 or len(data) > 4 * _MAX_DIMENSIONS:
        raise RecordError("bad-embedding", f"an embedding of {len(data)} bytes")
    vector = np.frombuffer(data, "<f4")
    with np.errstate(over="ignore", invalid="ignore"):
        length = float(np.sqrt(np.dot(vector, vector)))
    if not abs(length - 1) <= _LENGTH_TOLERANCE:  # also refuses NaN
        raise RecordError("bad-embedding", f"an embedding of length {length:.3f}, not 1")
    return vector.astype(np.float32, copy=False)
