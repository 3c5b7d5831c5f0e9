"""What the producer can be told."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from producer.addresses import SourceSpec, check_source, parse_source
from services.addresses import host_of
from services.certificate import Certificate, check_authority, check_certificate
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

    runtime_cameras: bool = Field(
        False,
        description="Run cameras that are added at the identifier (its page, its REST API), too; "
        "needs IDENTIFIER_URL.",
    )
    report_cameras: bool = Field(
        False,
        description="Tell the identifier how the sources are, so that its page lists them; needs "
        "IDENTIFIER_URL. RUNTIME_CAMERAS does it too.",
    )
    identifier_url: str | None = Field(
        None,
        max_length=2_000,
        description="Address of the identifier's REST API, `http://host:5011`.",
    )
    identifier_token: SecretStr | None = Field(
        None,
        min_length=8,
        description="Bearer token of the identifier's REST API; the scope `producer` will do.",
    )
    identifier_ca: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority to trust with IDENTIFIER_URL, instead of "
        "the public ones.",
    )
    ingest_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port that takes pictures by HTTP, `POST /push/<camera>`; 0 is off.",
    )
    ingest_host: str = Field("127.0.0.1", min_length=1, description="Address of INGEST_PORT.")
    ingest_tls_cert: Path | None = Field(
        None,
        description="Certificate chain (PEM) to serve INGEST_PORT over https with, together with "
        "`INGEST_TLS_KEY`.",
    )
    ingest_tls_key: Path | None = Field(None, description="Private key (PEM) of the certificate.")
    ingest_token: SecretStr | None = Field(
        None,
        min_length=8,
        description="Bearer token of INGEST_PORT; required unless only this machine reaches it.",
    )
    ingest_max_cameras: int = Field(
        64, ge=1, le=10_000, description="Most cameras that push at a time."
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
        if self.reports and self.identifier_url is None:
            name = "RUNTIME_CAMERAS" if self.runtime_cameras else "REPORT_CAMERAS"
            raise ValueError(f"{name}=true: set IDENTIFIER_URL, the identifier it is about")
        if self.ingest_port and self.ingest_token is None and not self.ingest_on_loopback:
            raise ValueError(
                f"INGEST_HOST={self.ingest_host} is reachable from other machines: "
                "set INGEST_TOKEN (or INGEST_TOKEN_FILE), or INGEST_HOST=127.0.0.1"
            )
        names = [spec.camera for spec in self.specs()]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"SOURCES: the camera {name} is there twice")
        return self

    @field_validator("identifier_url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not host_of(value):
            raise ValueError("write it as http://host:port")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("only scheme, host, port and path belong here")
        return value.rstrip("/")

    @field_validator("identifier_ca")
    @classmethod
    def _an_authority(cls, value: Path | None) -> Path | None:
        return check_authority(value)

    @model_validator(mode="after")
    def _ingest_certificate_is_whole(self) -> Self:
        check_certificate("INGEST_TLS", self.ingest_tls_cert, self.ingest_tls_key)
        return self

    @property
    def ingest_certificate(self) -> Certificate | None:
        """What to serve INGEST_PORT over https with; None for http."""
        return Certificate.of(self.ingest_tls_cert, self.ingest_tls_key)

    @property
    def ingest_on_loopback(self) -> bool:
        """Whether only this machine reaches INGEST_PORT."""
        try:
            return ipaddress.ip_address(self.ingest_host).is_loopback
        except ValueError:
            return self.ingest_host in ("localhost", "ip6-localhost")

    @property
    def reports(self) -> bool:
        """Whether the identifier is told how the cameras are."""
        return self.runtime_cameras or self.report_cameras

    @property
    def waits(self) -> bool:
        """Whether cameras may come while it runs, so that it ends only when told to."""
        return self.runtime_cameras or self.ingest_port > 0

    def specs(self) -> tuple[SourceSpec, ...]:
        """The sources asked for.

        Raises:
            ValueError: one line that names the variable and shows no credentials.
        """
        if self.source and self.sources:
            raise ValueError("SOURCE and SOURCES are both set: use one of them")
        if not self.source and not self.sources:
            if self.waits:
                return ()
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
