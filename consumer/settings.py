"""What the worker can be told."""

from __future__ import annotations

import os
import socket
from typing import ClassVar, Literal

from pydantic import Field

from services.kafka.settings import KafkaSettings
from services.models.settings import ModelSettings


class WorkerSettings(KafkaSettings, ModelSettings):
    """Settings of `facestream worker`."""

    service_name: ClassVar[str] = "worker"
    summary: ClassVar[str] = (
        "Find and embed the faces of every frame in frames.raw. Start as many as there are cores."
    )

    group_id: str = Field(
        "facestream-worker", min_length=1, description="Consumer group that shares the frames."
    )
    delivery: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once", description="`at_least_once` turns Kafka transactions off."
    )
    transactional_id: str = Field(
        default_factory=lambda: f"facestream-worker-{socket.gethostname()}-{os.getpid()}",
        description="Name of this worker's transactions; unique among workers. A worker that "
        "comes back under the same name ends what its predecessor left open at once.",
    )
    batch_max: int = Field(8, ge=1, le=256, description="Most frames in one batch.")
    batch_wait_ms: int = Field(
        20, ge=0, le=10_000, description="Longest wait (ms) for a batch to fill."
    )
    max_frame_age_s: float = Field(
        2.0,
        ge=0,
        le=86_400,
        description="Frames of live sources older than this (s) are skipped and counted; "
        "0 processes every frame. Files and pictures are always processed whole.",
    )
    max_frame_pixels: int = Field(
        50_000_000, ge=4_096, le=1_000_000_000, description="Largest picture (pixels) to decode."
    )
    crop_jpeg_quality: int = Field(
        90, ge=1, le=100, description="JPEG quality of face crops in faces.detected."
    )
