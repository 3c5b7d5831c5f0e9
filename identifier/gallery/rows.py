"""Between the gallery's rows and the values the rest of the identifier knows."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from identifier.gallery.tables import PersonRow, PhotoFileRow, PhotoRow, ReadingRow
from identifier.gallery.values import NewPhoto, PersonInfo, PhotoInfo, PhotoReading
from services.records import embeddings


def person_info(
    row: PersonRow, sightings: int = 0, last_seen: datetime | None = None
) -> PersonInfo:
    """A person with all their photos, without the files."""
    return PersonInfo(
        slug=row.slug,
        name=row.name,
        threshold=row.threshold,
        created_at=utc(row.created_at),
        photos=tuple(photo_info(photo) for photo in row.photos),
        notes=row.notes,
        sightings=sightings,
        last_seen=None if last_seen is None else utc(last_seen),
    )


def photo_info(row: PhotoRow) -> PhotoInfo:
    """A photo with the newest reading of it."""
    newest = max(row.readings, key=lambda reading: utc(reading.created_at), default=None)
    return PhotoInfo(
        id=row.id,
        sha256=row.sha256,
        media_type=row.media_type,
        size_px=(row.width, row.height),
        folder=row.folder,
        path=row.path,
        created_at=utc(row.created_at),
        reading=None if newest is None else _reading(newest),
    )


def new_photo_row(photo: NewPhoto) -> PhotoRow:
    """The row of a photo that is added, under an id of its own, with its reading."""
    return PhotoRow(
        id=uuid.uuid4().hex,
        sha256=photo.sha256,
        media_type=photo.media_type,
        width=photo.size_px[0],
        height=photo.size_px[1],
        folder=photo.folder,
        path=photo.path,
        created_at=datetime.now(UTC),
        file=PhotoFileRow(data=photo.data),
        readings=[new_reading_row(photo.reading)],
    )


def new_reading_row(reading: PhotoReading) -> ReadingRow:
    """The row of what a model pack found in a photo."""
    x, y, width, height = reading.box_px
    yaw, pitch, roll = reading.pose_deg or (None, None, None)
    return ReadingRow(
        recogniser_sha256=reading.recogniser_sha256,
        detector_sha256=reading.detector_sha256,
        pack=reading.pack,
        embedding=embeddings.to_bytes(reading.embedding),
        score=reading.score,
        sharpness=reading.sharpness,
        x=x,
        y=y,
        width=width,
        height=height,
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        created_at=datetime.now(UTC),
    )


def _reading(row: ReadingRow) -> PhotoReading:
    pose = None
    if row.yaw is not None and row.pitch is not None and row.roll is not None:
        pose = (row.yaw, row.pitch, row.roll)
    return PhotoReading(
        pack=row.pack,
        recogniser_sha256=row.recogniser_sha256,
        detector_sha256=row.detector_sha256,
        embedding=embeddings.from_bytes(row.embedding),
        score=row.score,
        sharpness=row.sharpness,
        box_px=(row.x, row.y, row.width, row.height),
        pose_deg=pose,
    )


def utc(moment: datetime) -> datetime:
    """SQLite keeps no time zone; ours is always UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
