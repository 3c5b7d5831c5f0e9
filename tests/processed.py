"""Records of `frames.processed` for tests of what reads them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from services.records.embeddings import Embedding, to_bytes
from services.records.facestream_pb2 import (
    Box,
    Face,
    FrameRef,
    ModelFile,
    ModelPack,
    Point,
    ProcessedFrame,
)

RECOGNISER = "5" * 64
START = datetime(2026, 1, 1, tzinfo=UTC)
JPEG = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()


def embedding(seed: int) -> Embedding:
    """A vector of unit length that no other seed's is like: (512,) float32."""
    vector = np.random.default_rng(seed).normal(size=512)
    unit: Embedding = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def processed(
    seq: int,
    faces: Sequence[Embedding] = (),
    *,
    camera: str = "door",
    session: str = "s",
    source: str = "stored:file",
    raw_topic: str = "frames.raw",
    raw_partitions: int = 6,
    recogniser: str = RECOGNISER,
    jpeg: bytes = JPEG,
) -> ProcessedFrame:
    """A frame as a worker would publish it."""
    key = f"{camera}/{session}/{seq}".encode()
    ref = FrameRef(
        camera=camera,
        session=session,
        seq=seq,
        width=64,
        height=48,
        source=source,
        topic=raw_topic,
        partition=zlib.crc32(key) % raw_partitions,
        offset=seq,
    )
    ref.captured_at.FromDatetime(START + timedelta(seconds=seq / 25))
    return ProcessedFrame(
        frame=ref,
        jpeg=jpeg,
        faces=[
            Face(
                box=Box(x=4 + 10 * n, y=5, width=20, height=24),
                landmarks=[Point(x=5 + i, y=6) for i in range(5)],
                score=0.9,
                embedding=to_bytes(face),
                sharpness=100,
            )
            for n, face in enumerate(faces)
        ],
        models=ModelPack(
            name="buffalo_s",
            files=[ModelFile(role="recogniser", name="w600k_mbf.onnx", sha256=recogniser)],
        ),
    )
