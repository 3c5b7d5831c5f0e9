"""How a service reaches Kafka, and what the topics are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from services.settings import ServiceSettings

RECORD_OVERHEAD_BYTES = 1_048_576
"""Room for headers, faces and batch framing above `kafka_max_message_bytes` of payload."""

_ESCAPE = "KAFKA_CONFIG__"


class KafkaSettings(ServiceSettings):
    """Connection, limits and topic names; the names are the ecosystem's own."""

    kafka_bootstrap_servers: str = Field(
        "127.0.0.1:9092", min_length=1, description="Brokers to start from, `host:port,...`."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Protocol to the brokers."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="SASL mechanism."
    )
    kafka_sasl_username: str | None = Field(None, description="SASL user.")
    kafka_sasl_password: SecretStr | None = Field(None, description="SASL password.")
    kafka_ssl_ca_location: str | None = Field(None, description="CA certificates, a PEM file.")
    kafka_ssl_certificate_location: str | None = Field(
        None, description="Client certificate, a PEM file."
    )
    kafka_ssl_key_location: str | None = Field(None, description="Client key, a PEM file.")
    kafka_ssl_key_password: SecretStr | None = Field(None, description="Password of the key.")
    kafka_group_protocol: Literal["classic", "consumer"] = Field(
        "classic",
        description="`classic` with cooperative-sticky assignment, or the broker-side "
        "`consumer` protocol of Kafka 4.",
    )
    kafka_session_timeout_ms: int = Field(
        10_000,
        ge=1_000,
        le=300_000,
        description="A consumer silent this long (ms) is taken for dead; `classic` only.",
    )
    kafka_max_message_bytes: int = Field(
        8_388_608,
        ge=1_048_576,
        le=104_857_600,
        description="Largest record (bytes), on clients and on topics that are created.",
    )
    kafka_fetch_wait_ms: int = Field(
        100,
        ge=1,
        le=10_000,
        description="Longest that a broker waits (ms) for more records before it answers.",
    )
    kafka_queued_max_kbytes: int = Field(
        65_536,
        ge=1_024,
        le=2_097_151,
        description="Most memory for fetched records (KiB) per consumer.",
    )
    kafka_queue_buffering_max_kbytes: int = Field(
        65_536,
        ge=1_024,
        le=2_097_151,
        description="Most memory for unsent records (KiB) per producer.",
    )
    kafka_config: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="Any other librdkafka property: `KAFKA_CONFIG__socket.timeout.ms=...`, "
        "underscores count as dots.",
    )
    kafka_create_topics: bool = Field(
        True, description="Create topics that are missing, where the broker can."
    )
    topic_partitions: int = Field(
        6, ge=1, le=1_000, description="Partitions of topics that are created."
    )
    topic_replication: int = Field(
        1, ge=1, le=7, description="Replicas of topics that are created."
    )
    retention_frames_h: float = Field(
        6, gt=0, le=8_760, description="Hours that topics with whole frames keep them."
    )
    retention_faces_h: float = Field(
        720, gt=0, le=87_600, description="Hours that `faces.detected` and events are kept."
    )
    topic_raw: str = Field("frames.raw", description="Topic of camera frames.")
    topic_processed: str = Field("frames.processed", description="Topic of frames with faces.")
    topic_detected: str = Field("faces.detected", description="Topic of single faces.")
    topic_identified: str = Field("faces.identified", description="Topic of frames with names.")
    topic_events: str = Field("faces.events", description="Topic of who came and who went.")
    topic_person_prefix: str = Field(
        "faces.person.", description="Start of the topic name of each enrolled person."
    )
    topic_status: str = Field(
        "facestream.status", description="Topic on which every service says how it is doing."
    )
    status_every_s: float = Field(
        2.0,
        ge=0,
        le=3_600,
        description="Seconds between two reports on that topic; 0 reports nothing.",
    )

    @property
    def max_record_bytes(self) -> int:
        """Largest value that a topic takes: a whole frame, and what was found in it."""
        return self.kafka_max_message_bytes + RECORD_OVERHEAD_BYTES // 2

    @classmethod
    def collect(cls, variables: Mapping[str, str]) -> dict[str, Any]:
        """Gather `KAFKA_CONFIG__*`."""
        extra = {
            name[len(_ESCAPE) :].lower().replace("_", "."): value
            for name, value in variables.items()
            if name.upper().startswith(_ESCAPE)
        }
        return {"kafka_config": extra} if extra else {}

    @model_validator(mode="after")
    def _queue_holds_a_record(self) -> Self:
        least_kbytes = (self.kafka_max_message_bytes + 2 * RECORD_OVERHEAD_BYTES) // 1024
        if self.kafka_queue_buffering_max_kbytes < least_kbytes:
            raise ValueError(
                f"KAFKA_QUEUE_BUFFERING_MAX_KBYTES={self.kafka_queue_buffering_max_kbytes}: one "
                f"record of KAFKA_MAX_MESSAGE_BYTES does not fit (allowed: {least_kbytes} or more)"
            )
        return self
