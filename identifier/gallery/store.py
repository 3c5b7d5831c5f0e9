"""People and photos in the database: every change is one transaction and one new version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from identifier.gallery.database import Database
from identifier.gallery.rows import new_photo_row, new_reading_row, person_info, photo_info, utc
from identifier.gallery.tables import PersonRow, PhotoRow, ReadingRow, StateRow
from identifier.gallery.values import Enrolled, FolderPhoto, NewPhoto, PersonInfo, PersonSummary
from identifier.matcher import Person, Reference
from identifier.names import clean_name, name_key, numbered, slugify
from identifier.snapshot import Snapshot
from services.records import embeddings

_TRIES = 5


class GalleryStore:
    """The gallery, shared by as many identifiers as open the same database.

    Every method may raise SQLAlchemy's `DBAPIError` when the database is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> str:
        """Which gallery, and which state of it: `1f0c9a42-17`."""
        with self._database.reading() as session:
            return _version(session)

    def snapshot(self) -> Snapshot:
        """Everyone, as the matcher needs them."""
        with self._database.reading() as session:
            # Read first: of a change in between, the next look at the version will tell.
            version = _version(session)
            people = {
                row.id: Person(row.slug, row.name, row.threshold)
                for row in session.execute(
                    select(PersonRow.id, PersonRow.slug, PersonRow.name, PersonRow.threshold)
                )
            }
            found: dict[str, list[Reference]] = {}
            for row in session.execute(
                select(
                    ReadingRow.recogniser_sha256,
                    ReadingRow.embedding,
                    PhotoRow.id,
                    PhotoRow.person_id,
                ).join(PhotoRow, PhotoRow.id == ReadingRow.photo_id)
            ):
                if (person := people.get(row.person_id)) is not None:
                    reference = Reference(row.id, person, embeddings.from_bytes(row.embedding))
                    found.setdefault(row.recogniser_sha256, []).append(reference)
            return Snapshot.of(version, found)

    def people(self) -> list[PersonSummary]:
        """Everyone, by name."""
        with self._database.reading() as session:
            rows = session.execute(
                select(
                    PersonRow.slug,
                    PersonRow.name,
                    PersonRow.threshold,
                    PersonRow.created_at,
                    func.count(PhotoRow.id).label("photos"),
                )
                .outerjoin(PhotoRow)
                .group_by(PersonRow.id)
                .order_by(PersonRow.name_key)
            )
            return [
                PersonSummary(row.slug, row.name, row.threshold, utc(row.created_at), row.photos)
                for row in rows
            ]

    def person(self, slug: str) -> PersonInfo | None:
        """One person, None when there is none of that slug."""
        with self._database.reading() as session:
            row = session.scalar(_with_photos().where(PersonRow.slug == slug))
            return None if row is None else person_info(row)

    def find_photo(self, name: str, sha256: str, recogniser_sha256: str) -> Enrolled | None:
        """The very same photo of that person, where that recogniser has read it already."""
        with self._database.reading() as session:
            person = _find_person(session, clean_name(name))
            photo = None if person is None else _find_photo(person, sha256)
            if person is None or photo is None or not _has_reading(photo, recogniser_sha256):
                return None
            return Enrolled(person_info(person), photo_info(photo), added=False)

    def add(self, name: str, photo: NewPhoto) -> Enrolled:
        """Add a photo to a person, who is made if there is none of that slug or name.

        Raises:
            RecordError: `bad-name`.
        """
        cleaned = clean_name(name)
        for left in range(_TRIES - 1, -1, -1):
            try:
                return self._add(cleaned, photo)
            except IntegrityError:
                # Another identifier made the same person or photo in the meantime.
                if not left:
                    raise
        raise AssertionError("unreachable")

    def remove_person(self, slug: str) -> bool:
        """Remove a person with their photos and embeddings; False when there is none."""
        with self._database.writing() as session:
            person_id = session.scalar(select(PersonRow.id).where(PersonRow.slug == slug))
            if person_id is None:
                return False
            session.execute(delete(PersonRow).where(PersonRow.id == person_id))
            _changed(session)
            return True

    def remove_photo(self, slug: str, photo_id: str) -> bool:
        """Remove one photo; the person stays. False when there is none."""
        with self._database.writing() as session:
            of_person = select(PhotoRow.id).join(PersonRow).where(PersonRow.slug == slug)
            if session.scalar(of_person.where(PhotoRow.id == photo_id)) is None:
                return False
            session.execute(delete(PhotoRow).where(PhotoRow.id == photo_id))
            _changed(session)
            return True

    def folder_photos(self, folder: str) -> list[FolderPhoto]:
        """Every photo that came from a folder."""
        with self._database.reading() as session:
            rows = session.execute(
                select(PersonRow.slug, PhotoRow.id, PhotoRow.sha256, PhotoRow.path)
                .join(PersonRow, PersonRow.id == PhotoRow.person_id)
                .where(PhotoRow.folder == folder)
            )
            return [FolderPhoto(row.slug, row.id, row.sha256, row.path) for row in rows]

    def remove_folder_photos(self, photo_ids: Sequence[str]) -> None:
        """Remove photos whose files are gone, and whoever has no photo left by that."""
        with self._database.writing() as session:
            owners = set(
                session.scalars(select(PhotoRow.person_id).where(PhotoRow.id.in_(photo_ids)))
            )
            session.execute(delete(PhotoRow).where(PhotoRow.id.in_(photo_ids)))
            without_photo = (
                select(PersonRow.id)
                .outerjoin(PhotoRow)
                .where(PersonRow.id.in_(owners))
                .group_by(PersonRow.id)
                .having(func.count(PhotoRow.id) == 0)
            )
            gone = list(session.scalars(without_photo))
            session.execute(delete(PersonRow).where(PersonRow.id.in_(gone)))
            _changed(session)

    def _add(self, name: str, photo: NewPhoto) -> Enrolled:
        with self._database.writing() as session:
            person = _find_person(session, name)
            if person is None:
                person = PersonRow(
                    slug=_free_slug(session, slugify(name)),
                    name=name,
                    name_key=name_key(name),
                    created_at=datetime.now(UTC),
                    photos=[],
                )
                session.add(person)
            row = _find_photo(person, photo.sha256)
            added = row is None
            if row is None:
                row = new_photo_row(photo)
                person.photos.append(row)
                _changed(session)
            elif not _has_reading(row, photo.reading.recogniser_sha256):
                row.readings.append(new_reading_row(photo.reading))
                _changed(session)
            session.flush()
            return Enrolled(person_info(person), photo_info(row), added)


def _version(session: Session) -> str:
    state = session.get_one(StateRow, 1)
    return f"{state.gallery}-{state.version}"


def _changed(session: Session) -> None:
    session.execute(
        update(StateRow)
        .values(version=StateRow.version + 1)
        .execution_options(synchronize_session=False)
    )


def _with_photos() -> Select[PersonRow]:
    return select(PersonRow).options(selectinload(PersonRow.photos).selectinload(PhotoRow.readings))


def _find_person(session: Session, name: str) -> PersonRow | None:
    by_slug = session.scalar(_with_photos().where(PersonRow.slug == name))
    return by_slug or session.scalar(_with_photos().where(PersonRow.name_key == name_key(name)))


def _find_photo(person: PersonRow, sha256: str) -> PhotoRow | None:
    return next((photo for photo in person.photos if photo.sha256 == sha256), None)


def _has_reading(photo: PhotoRow, recogniser_sha256: str) -> bool:
    return any(reading.recogniser_sha256 == recogniser_sha256 for reading in photo.readings)


def _free_slug(session: Session, wanted: str) -> str:
    number = 1
    while session.scalar(select(PersonRow.id).where(PersonRow.slug == numbered(wanted, number))):
        number += 1
    return numbered(wanted, number)
