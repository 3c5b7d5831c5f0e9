"""What the producer can be told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from producer.addresses import SourceSpec, check_source, parse_source
from services.errors import SettingsError
from services.kafka.settings import KafkaSettings
from services.settings import CommaSeparated


class ProducerSettings(KafkaSettings):
    """Sources, what is done to their frames, and what happens when Kafka is slower than they."""

    service_name: ClassVar[str] = "producer"
    summary: ClassVar[str] = "Publish frames of cameras, videos and pictures to Kafka."

    sources: CommaSeparated = Field(
        (),
        repr=False,
        description="Cameras, `name=uri,...`: device number or path, `rtsp://`, `http://` (MJPEG), "
        "video file, picture, directory or glob of pictures; `%2C` stands for a comma in a uri. "
        "`SOURCES_FILE` names a file that holds the value.",
    )
    source: str = Field(
        "",
        repr=False,
        description="One camera's uri, instead of `SOURCES`; also as `SOURCE_FILE`.",
    )
    camera: str = Field("camera", description="Name of the camera given by `SOURCE`.")
    fps: float = Field(
        0,
        ge=0,
        le=1_000,
        description="Most frames/s to publish per camera, of pictures how many; 0 is the "
        "source's own rate.",
    )
    max_side: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Longest side (px); larger frames are scaled down. 0 leaves them as they are.",
    )
    jpeg_quality: int = Field(
        95, ge=1, le=100, description="Quality of the JPEGs that are encoded here."
    )
    loop: bool = Field(False, description="Play files and pictures again and again.")
    realtime: bool = Field(
        True, description="Play files at their own rate; off, as fast as the workers keep up."
    )
    partition_by: Literal["frame", "camera"] = Field(
        "frame",
        description="`frame` spreads each camera over all workers, `camera` keeps it on one.",
    )
    connect_timeout_s: float = Field(
        10, gt=0, le=300, description="Longest wait (s) for a network camera to answer."
    )
    read_timeout_s: float = Field(
        10, gt=0, le=300, description="A network camera silent this long (s) counts as lost."
    )
    rtsp_transport: Literal["tcp", "udp"] = Field("tcp", description="Transport of RTSP cameras.")
    reconnect_min_s: float = Field(
        1, gt=0, le=300, description="First pause (s) before a lost camera is opened again."
    )
    reconnect_max_s: float = Field(
        30, gt=0, le=3_600, description="Longest pause (s) before a lost camera is opened again."
    )
    live_queue_frames: int = Field(
        50,
        ge=1,
        le=100_000,
        description="Unsent frames a live camera may hold; past that its oldest is dropped.",
    )
    live_timeout_s: float = Field(
        10,
        ge=1,
        le=300,
        description="A live frame that Kafka has not taken after this long (s) is dropped.",
    )
    backlog_groups: CommaSeparated = Field(
        ("facestream-worker:frames.raw",),
        description="`group:topic,...` whose unread records files and pictures wait for.",
    )
    backlog_max_bytes: int = Field(
        67_108_864,
        ge=65_536,
        description="Most unread bytes in Kafka before files and pictures wait; keep it below "
        "what the broker retains.",
    )

    @classmethod
    def collect(cls, variables: Mapping[str, str]) -> dict[str, Any]:
        """Gather `SOURCES_FILE` and `SOURCE_FILE`: camera passwords need not be variables."""
        found = super().collect(variables)
        for name in ("SOURCES", "SOURCE"):
            if name not in variables and (file := variables.get(f"{name}_FILE")):
                try:
                    found[name.lower()] = Path(file).read_text(encoding="utf-8").strip()
                except OSError as error:
                    raise SettingsError(f"{name}_FILE={file}: {error.strerror}") from None
        return found

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reconnect_min_s > self.reconnect_max_s:
            raise ValueError(
                f"RECONNECT_MIN_S={self.reconnect_min_s:g}: "
                f"above RECONNECT_MAX_S={self.reconnect_max_s:g}"
            )
        for pair in self.backlog_groups:
            group, colon, topic = pair.rpartition(":")
            if not (group and colon and topic):
                raise ValueError(f"BACKLOG_GROUPS={pair!r}: not group:topic")
        names = [spec.camera for spec in self.specs()]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"SOURCES: the camera {name} is there twice")
        return self

    def specs(self) -> tuple[SourceSpec, ...]:
        """The sources asked for.

        Raises:
            ValueError: one line that names the variable and shows no credentials.
        """
        if self.source and self.sources:
            raise ValueError("SOURCE and SOURCES are both set: use one of them")
        if not self.source and not self.sources:
            raise ValueError(
                "SOURCES is not set: name=uri,... of what to publish (or SOURCE=uri for one)"
            )
        try:
            if self.source:
                check_source(self.camera, self.source)
                return (SourceSpec(self.camera, self.source),)
            return tuple(parse_source(text) for text in self.sources)
        except ValueError as error:
            raise ValueError(f"{'SOURCE' if self.source else 'SOURCES'}: {error}") from None
