"""The tables of cameras that are added at run time, and of the producers that run them.

They lie in the gallery's database, so that every identifier gives the same answer.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from identifier.gallery.tables import Base, now

LONGEST_CAMERA_NAME = 64
LONGEST_PRODUCER_ID = 64
LONGEST_ADDRESS = 2_048


class CameraRow(Base):
    """A camera somebody added.

    `address` is encrypted, `shown` is the address without its login and query. `leased_by` is
    the producer that runs it, until `leased_until` at least.
    """

    __tablename__ = "cameras"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_CAMERA_NAME), unique=True)
    address: Mapped[str] = mapped_column(Text)
    shown: Mapped[str] = mapped_column(String(LONGEST_ADDRESS))
    enabled: Mapped[bool] = mapped_column(default=True)
    fps: Mapped[float] = mapped_column(default=0.0)
    max_side: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    leased_by: Mapped[str | None] = mapped_column(String(LONGEST_PRODUCER_ID))
    leased_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ProducerRow(Base):
    """A producer that reports; `report` is the newest, as JSON."""

    __tablename__ = "producers"

    id: Mapped[str] = mapped_column(String(LONGEST_PRODUCER_ID), primary_key=True)
    last_seen: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    version: Mapped[str] = mapped_column(String(32))
    report: Mapped[str] = mapped_column(Text)


class ShotRow(Base):
    """A picture wanted of an address, and what came of it; gone after a minute.

    `state` is `wanted`, `taken` (a producer is at it), `done` or `failed`; `reason` and `error`
    say why it failed.
    """

    __tablename__ = "camera_shots"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    address: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    producer: Mapped[str | None] = mapped_column(String(LONGEST_PRODUCER_ID))
    jpeg: Mapped[bytes | None] = mapped_column(LargeBinary)
    reason: Mapped[str] = mapped_column(String(64), default="")
    error: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
