"""What following faces can be told."""

from __future__ import annotations

from pydantic import Field

from identifier.tracks.identity import WaitLimits
from identifier.tracks.track import TrackRules
from services.settings import ServiceSettings


class TrackSettings(ServiceSettings):
    """When a track has a name, and how long frames wait for it."""

    confirm_frames: int = Field(
        3, ge=1, le=1_000, description="Frames of a track that must agree on a name."
    )
    track_wait_ms: int = Field(
        250,
        ge=0,
        le=10_000,
        description="Longest that a live frame waits (ms) for the names of the tracks in it.",
    )
    track_wait_stored_ms: int = Field(
        5_000,
        ge=0,
        le=60_000,
        description="The same for files: as much capture time (ms), or twice as much of ours where "
        "nothing follows.",
    )
    track_lost_ms: int = Field(
        2_000,
        ge=100,
        le=600_000,
        description="Unseen for so long (ms of capture time), a face's track ends.",
    )
    unknown_after_ms: int = Field(
        1_000,
        ge=0,
        le=600_000,
        description="An unnamed face is remembered once it was followed for so long (ms).",
    )
    unknown_min_quality: float = Field(
        0.35,
        ge=0,
        le=1,
        description="An unnamed face is remembered if its best view is so good: 0 to 1, of size, "
        "pose, sharpness and detection score.",
    )

    @property
    def track_rules(self) -> TrackRules:
        """What makes a track."""
        return TrackRules(
            confirm_frames=self.confirm_frames,
            lost_s=self.track_lost_ms / 1000,
            unknown_after_s=self.unknown_after_ms / 1000,
            unknown_min_quality=self.unknown_min_quality,
        )

    @property
    def wait_limits(self) -> WaitLimits:
        """How long frames wait for names."""
        return WaitLimits(
            live_s=self.track_wait_ms / 1000, stored_s=self.track_wait_stored_ms / 1000
        )
