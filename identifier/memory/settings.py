"""What the memory can be told."""

from __future__ import annotations

from pydantic import Field, SecretStr

from identifier.memory.retention import Keep
from services.settings import ServiceSettings


class MemorySettings(ServiceSettings):
    """Where crops are kept, and how long everything is."""

    media_url: SecretStr | None = Field(
        None,
        description="Where crops of faces are kept: a directory, or `s3://bucket/folder` with the "
        "extra `s3`; `media` in DATA_DIR when unset.",
    )
    media_retention_days: float = Field(
        30, ge=0, le=36_500, description="Days that crops are kept; 0 for ever."
    )
    sightings_retention_days: float = Field(
        0, ge=0, le=36_500, description="Days that sightings are kept; 0 for ever."
    )
    events_retention_days: float = Field(
        30,
        ge=0,
        le=36_500,
        description="Days that events are kept in the database; 0 for ever. On Kafka they are "
        "kept for RETENTION_FACES_H.",
    )

    @property
    def keep(self) -> Keep:
        """How long things are kept."""
        return Keep(
            self.media_retention_days, self.sightings_retention_days, self.events_retention_days
        )
