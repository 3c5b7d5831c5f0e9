"""Settings of every service that loads face models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import NoDecode

from services.models.devices import Device
from services.settings import CommaSeparated, ServiceSettings


class ModelSettings(ServiceSettings):
    """Which models run, where, and how closely they look."""

    model_pack: str = Field(
        "buffalo_s",
        pattern=r"^[a-z0-9_]+$",
        description="Model pack that finds and embeds faces; `facestream models list` names them.",
    )
    models_dir: Path | None = Field(
        None,
        description="Directory packs are kept in; the user's cache directory when unset.",
    )
    models_path: CommaSeparated = Field(
        (),
        description="Directories that may hold model files already, looked in before downloading.",
    )
    device: Device = Field(
        "auto",
        description="Where models run; `auto` takes CUDA, then OpenVINO, then the CPU.",
    )
    inference_threads: int = Field(
        1,
        ge=1,
        le=256,
        description="Threads per model on a CPU; more workers gain more than more threads.",
    )
    detection_sizes: Annotated[tuple[Annotated[int, Field(ge=64, le=4096)], ...], NoDecode] = Field(
        (640, 160),
        min_length=1,
        max_length=4,
        description="Longer side, pixels, at which a frame is looked at; each further, smaller size"
        " adds only faces that fill the picture.",
    )
    detection_padding: int = Field(
        160,
        ge=0,
        le=4096,
        description="Black added right and below at the first detection size, pixels, up to a"
        " square; 0 is faster, and less sure of faces that the picture's edge cuts off.",
    )
    detection_score: float = Field(
        0.5, ge=0.05, le=0.99, description="Detection score from which something is a face."
    )
    max_faces: int = Field(
        200, ge=1, le=10000, description="Most faces taken from one frame, best first."
    )
