"""What the identifier can be told."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from identifier.cameras.secrets import KEY_FILE
from identifier.deliveries.settings import DeliverySettings
from identifier.gallery.database import sqlite_url
from identifier.memory.settings import MemorySettings
from identifier.names import slugify
from identifier.tracks.settings import TrackSettings
from services.broker.settings import default_data_dir
from services.certificate import Certificate, check_certificate
from services.kafka.settings import KafkaSettings
from services.models.settings import ModelSettings

_LOCAL_NAMES = ("localhost", "ip6-localhost")


class IdentifierSettings(
    KafkaSettings, ModelSettings, TrackSettings, MemorySettings, DeliverySettings
):
    """Ordering, tracks, matching, the gallery, the memory and their REST API."""

    service_name: ClassVar[str] = "identifier"
    summary: ClassVar[str] = "Put frames in order, name the faces, keep the gallery of people."

    group_id: str | None = Field(
        None,
        min_length=1,
        max_length=249,
        description="Consumer group; `facestream-identifier` when unset, "
        "`facestream-person-<slug>` with PERSON.",
    )
    threshold: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="Cosine similarity from which a face gets a name; "
        "the model pack's own (buffalo_s 0.33) when unset.",
    )
    unknown_threshold: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="Cosine similarity from which an unnamed face gets the number of an unknown "
        "person seen before; 0.05 above THRESHOLD when unset.",
    )
    backfill_on_enrol_days: float = Field(
        30,
        ge=0,
        le=36_500,
        description="Days of the past in which somebody who is enrolled over the REST API is "
        "looked for; 0 for none.",
    )
    publish_person_topics: bool = Field(
        True, description="Also publish the frames of each person to a topic of their own."
    )
    person: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Look for this one person only, publish to their topic only; "
        "needs REFERENCE, no database and no API.",
    )
    reference: Path | None = Field(None, description="Photo (JPEG or PNG) of PERSON.")
    people_dir: Path | None = Field(
        None,
        description="Folder of reference photos, `<name>/*.jpg` or `<name>.jpg`; "
        "changes are noticed within seconds.",
    )
    people_dir_poll_s: float = Field(
        1.0, ge=0.1, le=3_600, description="Seconds between two looks at PEOPLE_DIR."
    )
    database_url: SecretStr | None = Field(
        None,
        description="Database of the gallery, `postgresql://user:password@host/name` or "
        "`sqlite:///FILE`; `facestream.db` in DATA_DIR when unset.",
    )
    data_dir: Path | None = Field(
        None,
        description="Directory of everything that is kept; "
        "`${XDG_DATA_HOME:-~/.local/share}/facestream` when unset.",
    )
    camera_key: SecretStr | None = Field(
        None,
        min_length=44,
        description="Key that encrypts the addresses of cameras added at run time: 32 random bytes "
        "in URL-safe base64, several separated by commas to change it; unset, `camera.key` in the "
        "data directory, made when it is first needed. Several identifiers share one.",
    )
    camera_files: bool = Field(
        False,
        description="Allow videos and devices of the producers' machines as cameras added at run "
        "time.",
    )
    reorder_window_ms: int = Field(
        250,
        ge=0,
        le=60_000,
        description="Longest that a frame of a live source waits (ms) for an earlier one.",
    )
    reorder_window_stored_ms: int = Field(
        30_000,
        ge=0,
        le=600_000,
        description="The same (ms) for files, where order matters more than delay.",
    )
    reorder_max_bytes: int = Field(
        268_435_456,
        ge=1_048_576,
        description="Most memory (bytes) for frames that wait; beyond it they go early.",
    )
    enrol_min_face_px: float = Field(
        40, ge=0, le=4_096, description="Smallest face (px, shorter side) a photo may show."
    )
    enrol_min_score: float = Field(
        0.5, ge=0, le=1, description="Lowest detection score a photo's face may have."
    )
    enrol_max_yaw_deg: float = Field(
        70, ge=0, le=90, description="How far (degrees) a photo's face may look aside."
    )
    enrol_max_pitch_deg: float = Field(
        55, ge=0, le=90, description="How far (degrees) a photo's face may look up or down."
    )
    enrol_min_sharpness: float = Field(
        10,
        ge=0,
        le=100_000,
        description="Lowest sharpness (variance of the Laplacian at 112 px) of a photo's face.",
    )
    upload_max_bytes: int = Field(
        20_971_520, ge=1_024, le=1_073_741_824, description="Largest photo (bytes)."
    )
    upload_max_pixels: int = Field(
        64_000_000, ge=1_024, le=1_000_000_000, description="Largest photo (width x height)."
    )
    identify_workers: int = Field(
        0,
        ge=0,
        le=256,
        description="Photos that `POST /api/v1/identify` looks at at once, each with models of its "
        "own; 0 is one per core.",
    )
    identify_waiting: int = Field(
        16, ge=0, le=1_000, description="Photos that may wait beyond those; more are answered 503."
    )
    api_host: str = Field("127.0.0.1", min_length=1, description="Address of the REST API.")
    api_port: int = Field(5011, ge=0, le=65_535, description="Port of the REST API; 0 is any free.")
    api_tls_cert: Path | None = Field(
        None,
        description="Certificate chain (PEM) to serve the REST API over https with, together with "
        "`API_TLS_KEY`.",
    )
    api_tls_key: Path | None = Field(None, description="Private key (PEM) of the certificate.")
    api_token: SecretStr | None = Field(
        None,
        min_length=8,
        description="Bearer token of the REST API; required unless API_HOST is this machine only.",
    )
    producer_token: SecretStr | None = Field(
        None,
        min_length=8,
        description="Bearer token of the REST API for producers: good for the scope `producer` and "
        "nothing else.",
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.person is None) != (self.reference is None):
            raise ValueError("PERSON and REFERENCE belong together: a name and a photo")
        if self.person is None and self.api_token is None and not self.api_on_loopback:
            raise ValueError(
                f"API_HOST={self.api_host} is reachable from other machines: "
                "set API_TOKEN (or API_TOKEN_FILE), or API_HOST=127.0.0.1"
            )
        if self.producer_token is not None and self.producer_token == self.api_token:
            raise ValueError(
                "PRODUCER_TOKEN is API_TOKEN, which is good for everything: give producers another"
            )
        return self

    @model_validator(mode="after")
    def _api_certificate_is_whole(self) -> Self:
        check_certificate("API_TLS", self.api_tls_cert, self.api_tls_key)
        return self

    @property
    def api_certificate(self) -> Certificate | None:
        """What to serve the REST API over https with; None for http."""
        return Certificate.of(self.api_tls_cert, self.api_tls_key)

    @property
    def api_on_loopback(self) -> bool:
        """Whether only this machine reaches the API."""
        try:
            return ipaddress.ip_address(self.api_host).is_loopback
        except ValueError:
            return self.api_host in _LOCAL_NAMES

    @property
    def group(self) -> str:
        """The consumer group."""
        if self.group_id is not None:
            return self.group_id
        if self.person is not None:
            return f"facestream-person-{slugify(self.person)}"
        return "facestream-identifier"

    @property
    def media_address(self) -> str:
        """MEDIA_URL, or the folder in the data directory. May hold a password: never log."""
        if self.media_url is not None:
            return self.media_url.get_secret_value()
        return str((self.data_dir or default_data_dir()).absolute() / "media")

    @property
    def camera_key_file(self) -> Path:
        """Where the key of the cameras' addresses is when CAMERA_KEY is not set."""
        return (self.data_dir or default_data_dir()).absolute() / KEY_FILE

    @property
    def database_address(self) -> str:
        """DATABASE_URL, or the SQLite file in the data directory. Holds a password: never log."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return sqlite_url((self.data_dir or default_data_dir()).absolute())
