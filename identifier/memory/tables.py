"""The memory's tables: sightings, unknown people, events, and what was said of them.

They lie in the gallery's database, so that erasing a person erases what is remembered of them.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from identifier.gallery.tables import Base, now
from identifier.names import LONGEST_NAME


class UnknownRow(Base):
    """Someone who was seen and has no name: `id` is the number people see, "Unknown 7".

    `embedding` is the mean direction of the sightings' embeddings, `weight` how much it weighs.
    Named, it keeps its number and points to the person; merged, to the one it went into.
    """

    __tablename__ = "unknowns"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    recogniser_sha256: Mapped[str] = mapped_column(String(64), index=True)
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    weight: Mapped[float]
    person_id: Mapped[int | None] = mapped_column(
        ForeignKey("people.id", ondelete="CASCADE"), index=True
    )
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("unknowns.id", ondelete="CASCADE"))
    ignored: Mapped[bool] = mapped_column(default=False)
    first_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class SightingRow(Base):
    """A track that was worth remembering: one row, however often its frames are read.

    Exactly one of `person_id` and `unknown_id` says who; a named unknown has both. `found_by` is
    `live`, `backfill` or `naming`. `ended` is false while the person is still there.
    Boxes are pixels of the best frame; the best frame's raw record is topic/partition/offset.
    """

    __tablename__ = "sightings"
    __table_args__ = (
        Index("ix_sightings_started_at_id", "started_at", "id"),
        Index("ix_sightings_person_id_started_at", "person_id", "started_at"),
        Index("ix_sightings_unknown_id_started_at", "unknown_id", "started_at"),
        Index("ix_sightings_camera_started_at", "camera", "started_at"),
        Index("ix_sightings_ended_camera", "ended", "camera"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    camera: Mapped[str] = mapped_column(String(64))
    session: Mapped[str] = mapped_column(String(64))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    unknown_id: Mapped[int | None] = mapped_column(ForeignKey("unknowns.id", ondelete="CASCADE"))
    found_by: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended: Mapped[bool]
    first_seq: Mapped[int] = mapped_column(BigInteger)
    last_seq: Mapped[int] = mapped_column(BigInteger)
    frames: Mapped[int]
    best_similarity: Mapped[float | None]
    mean_similarity: Mapped[float | None]
    threshold: Mapped[float | None]
    quality: Mapped[float]
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    last_x: Mapped[float]
    last_y: Mapped[float]
    last_width: Mapped[float]
    last_height: Mapped[float]

    best_seq: Mapped[int] = mapped_column(BigInteger)
    best_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    best_score: Mapped[float]
    x: Mapped[float]
    y: Mapped[float]
    width: Mapped[float]
    height: Mapped[float]
    frame_width: Mapped[int]
    frame_height: Mapped[int]
    raw_topic: Mapped[str] = mapped_column(String(249))
    raw_partition: Mapped[int]
    raw_offset: Mapped[int] = mapped_column(BigInteger)
    crop: Mapped[str] = mapped_column(String(255), default="")

    pack: Mapped[str] = mapped_column(String(64))
    recogniser_sha256: Mapped[str] = mapped_column(String(64))
    model_files: Mapped[str] = mapped_column(Text)  # JSON: [{role, name, sha256}]
    reference: Mapped[str] = mapped_column(String(32), default="")
    reference_sha256: Mapped[str] = mapped_column(String(64), default="")
    reference_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    gallery_version: Mapped[str] = mapped_column(String(32), default="")
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, onupdate=now)


class ForgottenRow(Base):
    """A track that was erased while it was followed: it is not written again."""

    __tablename__ = "forgotten_tracks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, index=True)


class NegativeRow(Base):
    """A face that is not this person's ("this is not Alice"), nor are faces still nearer to it."""

    __tablename__ = "negatives"
    __table_args__ = (UniqueConstraint("person_id", "sighting_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    sighting_id: Mapped[str] = mapped_column(String(32))
    recogniser_sha256: Mapped[str] = mapped_column(String(64))
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class EventRow(Base):
    """Something that happened, once: `key` is made of the track, the type and who.

    `payload` is the JSON that is published; `published` whether `faces.events` has it.
    """

    __tablename__ = "events"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(32), unique=True)
    type: Mapped[str] = mapped_column(String(32))
    camera: Mapped[str] = mapped_column(String(64))
    sighting_id: Mapped[str] = mapped_column(String(32), index=True)
    person_id: Mapped[int | None] = mapped_column(
        ForeignKey("people.id", ondelete="CASCADE"), index=True
    )
    unknown_id: Mapped[int | None] = mapped_column(ForeignKey("unknowns.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    payload: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(default=False, index=True)


class DeliveryRow(Base):
    """How far a sink of events (a webhook, MQTT) is, and which identifier serves it now."""

    __tablename__ = "deliveries"

    sink: Mapped[str] = mapped_column(String(255), primary_key=True)
    last_event_id: Mapped[int] = mapped_column(BigInteger)
    owner: Mapped[str] = mapped_column(String(64), default="")
    owned_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class BackfillRow(Base):
    """A search for one person through the log of faces.

    `positions` and `ends` are JSON: offset by partition of `faces.detected`.
    """

    __tablename__ = "backfills"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(String(16), index=True)
    positions: Mapped[str] = mapped_column(Text, default="{}")
    ends: Mapped[str] = mapped_column(Text, default="{}")
    faces: Mapped[int] = mapped_column(BigInteger, default=0)
    faces_total: Mapped[int] = mapped_column(BigInteger, default=0)
    hits: Mapped[int] = mapped_column(default=0)
    sightings: Mapped[int] = mapped_column(default=0)
    rate_faces_s: Mapped[float] = mapped_column(default=0.0)
    error: Mapped[str] = mapped_column(String(1000), default="")
    owner: Mapped[str] = mapped_column(String(64), default="")
    owned_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
