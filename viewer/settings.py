"""What the viewer can be told."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from services.certificate import Certificate, check_authority, check_certificate
from services.kafka.settings import KafkaSettings
from services.settings import CommaSeparated
from viewer.access.binding import is_loopback
from viewer.access.settings import AccessSettings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ViewerSettings(KafkaSettings, AccessSettings):
    """Settings of `facestream viewer`."""

    service_name: ClassVar[str] = "viewer"
    summary: ClassVar[str] = (
        "Serve the page: every camera live with boxes and names, and one stream per person."
    )

    viewer_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address to listen on. Without a login it is this machine's alone, whatever "
        "is asked for.",
    )
    viewer_port: int = Field(5010, ge=0, le=65535, description="Port; 0 takes any free one.")
    viewer_tls_cert: Path | None = Field(
        None,
        description="Certificate chain (PEM) to serve https with, together with `VIEWER_TLS_KEY`: "
        "browsers let a page use their camera on https and on localhost alone.",
    )
    viewer_tls_key: Path | None = Field(None, description="Private key (PEM) of the certificate.")
    allowed_hosts: CommaSeparated = Field(
        (),
        description="Host names a browser may ask for, `a,b`; unset, a loopback address answers "
        "to its own names alone and any other address to all.",
    )
    topics: CommaSeparated = Field(
        (),
        description="Topics to show, `a,b`; unset, the value of `TOPIC_IDENTIFIED`. The topic of "
        "one person (`faces.person.sam`) shows that person alone.",
    )
    identifier_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s@]+$",
        description="Address of the identifier's API, for the list of enrolled people; unset, "
        "people appear once they are seen.",
    )
    identifier_token: SecretStr | None = Field(
        None, description="Token for that API, where it asks for one."
    )
    identifier_ca: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority to trust with IDENTIFIER_URL, instead of "
        "the public ones.",
    )
    ingest_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s@]+$",
        description="Address of the producer that takes pictures by HTTP (its INGEST_PORT), for "
        "browsers that are cameras; unset, there are none.",
    )
    ingest_token: SecretStr | None = Field(
        None, description="Token for that producer, where it asks for one (its INGEST_TOKEN)."
    )
    ingest_ca: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority to trust with INGEST_URL, instead of the "
        "public ones.",
    )
    worker_group: str = Field(
        "facestream-worker",
        min_length=1,
        description="Consumer group of the workers, whose lag the system page shows.",
    )
    identifier_group: str = Field(
        "facestream-identifier",
        min_length=1,
        description="Consumer group of the identifiers, whose lag the system page shows.",
    )
    stale_after_s: float = Field(
        2.0,
        ge=0.5,
        le=600,
        description="A camera silent for this long (s) is shown as having no signal.",
    )
    forget_after_h: float = Field(
        24, gt=0, le=8_760, description="A camera or person not seen for this long (h) is left out."
    )
    jpeg_quality: int = Field(82, ge=1, le=100, description="JPEG quality of drawn frames.")
    max_side: int = Field(
        1_920, ge=160, le=16_384, description="Longest side (pixels) of a frame sent to a browser."
    )
    max_frame_pixels: int = Field(
        50_000_000, ge=4_096, le=1_000_000_000, description="Largest picture (pixels) to decode."
    )
    fps_limit: float = Field(
        0, ge=0, le=240, description="Most frames/s per camera and browser; 0 sends them all."
    )
    max_streams: int = Field(
        2_000, ge=1, le=100_000, description="Most streams open at once; more are answered 503."
    )
    max_streams_per_visitor: int = Field(
        64,
        ge=1,
        le=100_000,
        description="Most streams open at once of one user, of one API token, or of one address "
        "where a stream token is all that is sent; more are answered 429. Where there is no login, "
        "there is no such limit.",
    )
    draw_threads: int = Field(2, ge=1, le=64, description="Threads that draw and encode frames.")
    blur_unknown: bool = Field(
        False,
        description="Show the heads of unknown people blurred only, in every picture, whatever "
        "a browser asks for.",
    )
    label_font: Path | None = Field(
        None,
        description="TrueType font for names in scripts that the built-in one lacks (it has "
        "Latin, Cyrillic, Greek, Hebrew, Chinese, Japanese and Korean).",
    )

    @field_validator("identifier_ca", "ingest_ca")
    @classmethod
    def _an_authority(cls, value: Path | None) -> Path | None:
        return check_authority(value)

    @model_validator(mode="after")
    def _users_are_kept_somewhere(self) -> Self:
        if self.viewer_users and self.identifier_url is None:
            raise ValueError("VIEWER_USERS=true: IDENTIFIER_URL has to say who keeps the users")
        return self

    @model_validator(mode="after")
    def _font_is_there(self) -> Self:
        if self.label_font is not None and not self.label_font.is_file():
            raise ValueError(f"LABEL_FONT={self.label_font}: no such file")
        return self

    @model_validator(mode="after")
    def _certificate_is_whole(self) -> Self:
        check_certificate("VIEWER_TLS", self.viewer_tls_cert, self.viewer_tls_key)
        return self

    @property
    def certificate(self) -> Certificate | None:
        """What to serve https with; None for http."""
        return Certificate.of(self.viewer_tls_cert, self.viewer_tls_key)

    @property
    def shown_topics(self) -> tuple[str, ...]:
        """The topics to read."""
        return self.topics or (self.topic_identified,)

    @property
    def loopback_only(self) -> bool:
        """Whether only this machine can reach the page."""
        return is_loopback(self.viewer_host) or not self.has_login

    @property
    def host_names(self) -> frozenset[str] | None:
        """Host names to answer to, lower case; None for any."""
        if self.allowed_hosts:
            return frozenset(name.lower() for name in self.allowed_hosts)
        return frozenset((*_LOOPBACK, self.viewer_host.lower())) if self.loopback_only else None
