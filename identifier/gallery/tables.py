"""The gallery's tables; `migrations/` makes and changes them.

A photo belongs to one person and is kept as it came. What a model pack saw in it is a row of its
own, so that another pack can read the same photo again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import (
    DateTime,
    Double,
    ForeignKey,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from identifier.names import LONGEST_NAME, LONGEST_SLUG

_NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of every table."""

    metadata = MetaData(naming_convention=_NAMING)
    type_annotation_map: ClassVar[dict[type, Double[float]]] = {float: Double()}


class PersonRow(Base):
    """Someone who is to be recognised."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(LONGEST_SLUG), unique=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    name_key: Mapped[str] = mapped_column(String(4 * LONGEST_NAME), unique=True)
    threshold: Mapped[float | None]
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)

    photos: Mapped[list[PhotoRow]] = relationship(
        back_populates="person",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="PhotoRow.created_at, PhotoRow.id",
    )


class PhotoRow(Base):
    """A reference photo: the file itself is in `photo_files`.

    `folder` and `path` say which file of which PEOPLE_DIR it came from; both are empty for an
    upload.
    """

    __tablename__ = "photos"
    __table_args__ = (UniqueConstraint("person_id", "sha256"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    media_type: Mapped[str] = mapped_column(String(32))
    width: Mapped[int]
    height: Mapped[int]
    folder: Mapped[str] = mapped_column(String(4096), default="")
    path: Mapped[str] = mapped_column(String(4096), default="")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)

    person: Mapped[PersonRow] = relationship(back_populates="photos")
    file: Mapped[PhotoFileRow] = relationship(cascade="all, delete-orphan", passive_deletes=True)
    readings: Mapped[list[ReadingRow]] = relationship(
        back_populates="photo", cascade="all, delete-orphan", passive_deletes=True
    )


class PhotoFileRow(Base):
    """The bytes of a photo, apart so that lists do not load them."""

    __tablename__ = "photo_files"

    photo_id: Mapped[str] = mapped_column(
        ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True
    )
    data: Mapped[bytes] = mapped_column(LargeBinary)


class ReadingRow(Base):
    """The face one model pack found in a photo; boxes are pixels of the upright photo.

    `yaw`, `pitch` and `roll` are degrees; null for readings from before they were measured.
    """

    __tablename__ = "readings"

    photo_id: Mapped[str] = mapped_column(
        ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True
    )
    recogniser_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    detector_sha256: Mapped[str] = mapped_column(String(64))
    pack: Mapped[str] = mapped_column(String(64))
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    score: Mapped[float]
    sharpness: Mapped[float]
    x: Mapped[float]
    y: Mapped[float]
    width: Mapped[float]
    height: Mapped[float]
    yaw: Mapped[float | None]
    pitch: Mapped[float | None]
    roll: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)

    photo: Mapped[PhotoRow] = relationship(back_populates="readings")


class StateRow(Base):
    """One row: which gallery this is, and how often it has changed."""

    __tablename__ = "gallery_state"

    id: Mapped[int] = mapped_column(primary_key=True)
    gallery: Mapped[str] = mapped_column(String(8))
    version: Mapped[int]


class MisreadingRow(Base):
    """A photo in which a recogniser's pack does not find the face: it is not looked at again."""

    __tablename__ = "misreadings"

    photo_id: Mapped[str] = mapped_column(
        ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True
    )
    recogniser_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    reason: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class RecogniserRow(Base):
    """A recogniser that has read photos; matched against once it has read every one of them."""

    __tablename__ = "recognisers"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    pack: Mapped[str] = mapped_column(String(64))
    complete_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ChangeRow(Base):
    """Whom a version of the gallery is about; no `person_id` means everyone.

    People who are gone are in it too, so it refers to nothing.
    """

    __tablename__ = "gallery_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(index=True)
    person_id: Mapped[int | None]
