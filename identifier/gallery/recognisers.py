"""Which recognisers have read which photos: one is matched against once it has read them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from identifier.gallery.changes import changed
from identifier.gallery.database import Database
from identifier.gallery.rows import new_reading_row
from identifier.gallery.tables import (
    MisreadingRow,
    PhotoFileRow,
    PhotoRow,
    ReadingRow,
    RecogniserRow,
)
from identifier.gallery.values import PackProgress, PhotoReading


@dataclass(frozen=True, slots=True)
class UnreadPhoto:
    """A photo that a recogniser has not read.

    Attributes:
        id: of the photo.
        data: the file.
        box_px: x, y, width, height of the face as another pack found it; None when none did.
    """

    id: str
    data: bytes = field(repr=False)
    box_px: tuple[float, float, float, float] | None


class Recognisers:
    """The readings of the gallery, recogniser by recogniser.

    Every method may raise SQLAlchemy's `DBAPIError` when the database is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_pack(self, pack: str) -> str | None:
        """SHA-256 of the recogniser that last read photos for a pack; None when none did."""
        with self._database.reading() as session:
            return session.scalar(
                select(RecogniserRow.sha256)
                .where(RecogniserRow.pack == pack)
                .order_by(RecogniserRow.complete_at.is_(None), RecogniserRow.complete_at.desc())
                .limit(1)
            )

    def progress(self, sha256: str | None) -> PackProgress:
        """How far a recogniser is; None has read nothing."""
        with self._database.reading() as session:
            total = session.scalar(select(func.count()).select_from(PhotoRow)) or 0
            if sha256 is None:
                return PackProgress(0, 0, total, matched=False)
            ready, failed = (
                session.scalar(
                    select(func.count()).select_from(table).where(table.recogniser_sha256 == sha256)
                )
                or 0
                for table in (ReadingRow, MisreadingRow)
            )
            return PackProgress(ready, failed, total, is_complete(session, sha256))

    def unread(self, sha256: str, limit: int, after: str = "") -> list[str]:
        """Ids of photos that it has not read, from behind `after` on, in order."""
        with self._database.reading() as session:
            return list(
                session.scalars(
                    select(PhotoRow.id)
                    .where(PhotoRow.id > after, _unread(sha256))
                    .order_by(PhotoRow.id)
                    .limit(limit)
                )
            )

    def photo(self, photo_id: str, sha256: str) -> UnreadPhoto | None:
        """A photo to read; None when it is gone, or another identifier was faster."""
        with self._database.reading() as session:
            data = session.scalar(
                select(PhotoFileRow.data)
                .join(PhotoRow, PhotoRow.id == PhotoFileRow.photo_id)
                .where(PhotoFileRow.photo_id == photo_id, _unread(sha256))
            )
            if data is None:
                return None
            reading = session.scalars(
                select(ReadingRow)
                .where(ReadingRow.photo_id == photo_id)
                .order_by(ReadingRow.created_at)
                .limit(1)
            ).first()
            if reading is None:
                return UnreadPhoto(photo_id, data, None)
            box = (reading.x, reading.y, reading.width, reading.height)
            return UnreadPhoto(photo_id, data, box)

    def keep(self, photo_id: str, reading: PhotoReading) -> None:
        """Keep what it read in a photo; nothing happens when the photo is gone or was read."""
        sha256 = reading.recogniser_sha256
        try:
            with self._database.writing() as session:
                photo = session.get(PhotoRow, photo_id)
                if photo is None or session.get(ReadingRow, (photo_id, sha256)) is not None:
                    return
                row = new_reading_row(reading)
                row.photo_id = photo_id
                session.add(row)
                know(session, sha256, reading.pack)
                if is_complete(session, sha256):
                    changed(session, photo.person_id)
        except IntegrityError:
            return  # another identifier read it, or the photo went, in the meantime

    def keep_failure(self, photo_id: str, sha256: str, reason: str) -> None:
        """Keep that it finds no face in a photo, so that it does not look again."""
        try:
            with self._database.writing() as session:
                session.add(
                    MisreadingRow(photo_id=photo_id, recogniser_sha256=sha256, reason=reason)
                )
        except IntegrityError:
            return  # as above

    def complete(self, sha256: str, pack: str) -> bool:
        """Have it matched against from now on, if it has been through every photo.

        Returns:
            Whether it is matched against.
        """
        try:
            with self._database.writing() as session:
                know(session, sha256, pack)
                return is_complete(session, sha256) or _complete_if_done(session, sha256)
        except IntegrityError:
            return False  # another identifier says the same at this moment


def know(session: Session, sha256: str, pack: str) -> None:
    """Note that a recogniser reads photos; one that is new and has read all is complete."""
    if session.get(RecogniserRow, sha256) is not None:
        return
    session.flush()
    session.execute(insert(RecogniserRow).values(sha256=sha256, pack=pack, complete_at=None))
    _complete_if_done(session, sha256)


def is_complete(session: Session, sha256: str) -> bool:
    """Whether faces are matched against what a recogniser read."""
    return bool(
        session.scalar(
            select(RecogniserRow.complete_at.is_not(None)).where(RecogniserRow.sha256 == sha256)
        )
    )


def _complete_if_done(session: Session, sha256: str) -> bool:
    if session.scalar(select(PhotoRow.id).where(_unread(sha256)).limit(1)) is not None:
        return False
    session.execute(
        update(RecogniserRow)
        .where(RecogniserRow.sha256 == sha256)
        .values(complete_at=datetime.now(UTC))
    )
    changed(session)
    return True


def _unread(sha256: str) -> ColumnElement[bool]:
    tables: Sequence[type[ReadingRow | MisreadingRow]] = (ReadingRow, MisreadingRow)
    read, failed = (
        exists().where(table.photo_id == PhotoRow.id, table.recogniser_sha256 == sha256)
        for table in tables
    )
    return ~read & ~failed
