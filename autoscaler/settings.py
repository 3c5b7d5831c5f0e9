"""What the autoscaler can be told."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from autoscaler.decision import Limits
from services.kafka.settings import KafkaSettings


class AutoscalerSettings(KafkaSettings):
    """Settings of `facestream autoscaler`."""

    service_name: ClassVar[str] = "autoscaler"
    summary: ClassVar[str] = (
        "Keep as many worker containers of a compose project as the cameras need. Start one."
    )

    min_workers: int = Field(1, ge=1, le=1_000, description="Fewest workers.")
    max_workers: int = Field(
        4, ge=1, le=1_000, description="Most workers; never more than frames.raw has partitions."
    )
    target_lag_s: float = Field(
        1.0,
        ge=0.1,
        le=3_600,
        description="How far (s) the workers may be behind the cameras before there are more. "
        "With live cameras less than the workers' MAX_FRAME_AGE_S.",
    )
    cool_down_up_s: float = Field(
        20.0,
        ge=1,
        le=3_600,
        description="After workers were started, time (s) for them to show what they bring.",
    )
    cool_down_down_s: float = Field(
        180.0,
        ge=1,
        le=86_400,
        description="Fewer workers must have been enough for so long (s) before some are stopped.",
    )
    look_every_s: float = Field(
        2.0, ge=0.2, le=30, description="Seconds between two looks at the lag."
    )
    drain_warning_s: float = Field(
        60.0,
        ge=1,
        le=86_400,
        description="A worker that takes longer (s) to finish what it holds is told of in the "
        "log. It is never killed.",
    )
    worker_group: str = Field(
        "facestream-worker",
        min_length=1,
        description="Consumer group of the workers: their GROUP_ID.",
    )
    compose_project: str = Field(
        "facestream", min_length=1, description="Compose project whose workers these are."
    )
    worker_service: str = Field(
        "worker", min_length=1, description="Name of the workers' service in the compose file."
    )
    docker_host: str = Field(
        "unix:///var/run/docker.sock",
        min_length=1,
        description="Docker's API, or better a proxy that lets little of it through.",
    )
    dry_run: bool = Field(
        False, description="Say in the log what would be done, and leave the workers alone."
    )

    @property
    def limits(self) -> Limits:
        """What the decision needs of it."""
        return Limits(
            min_workers=self.min_workers,
            max_workers=self.max_workers,
            target_lag_s=self.target_lag_s,
            cool_down_up_s=self.cool_down_up_s,
            cool_down_down_s=self.cool_down_down_s,
        )

    @model_validator(mode="after")
    def _limits_hold(self) -> Self:
        self.limits  # noqa: B018 - refuses what does not fit together
        return self
