"""People and photos in the database: every change is one transaction and one new version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from identifier.gallery.changes import changed, version_of
from identifier.gallery.database import Database
from identifier.gallery.finding import (
    counts_of,
    find_person,
    find_photo,
    free_slug,
    has_reading,
    named_like,
    with_photos,
)
from identifier.gallery.index import GalleryIndex
from identifier.gallery.loading import load_changes, load_everyone
from identifier.gallery.merging import merge_people
from identifier.gallery.recognisers import Recognisers, know
from identifier.gallery.rows import new_photo_row, new_reading_row, person_info, photo_info, utc
from identifier.gallery.tables import PersonRow, PhotoFileRow, PhotoRow
from identifier.gallery.values import (
    Enrolled,
    FolderPhoto,
    NewPhoto,
    PeoplePage,
    PersonChange,
    PersonInfo,
    PersonSummary,
    PhotoFile,
)
from identifier.names import clean_name, name_key, slugify
from identifier.snapshot import Snapshot
from services.errors import RecordError

T = TypeVar("T")

_TRIES = 5
_AT_ONCE = 500
LONGEST_NOTES = 2_000

_changed = changed


class GalleryStore:
    """The gallery, shared by as many identifiers as open the same database.

    Every method may raise SQLAlchemy's `DBAPIError` when the database is away.

    Attributes:
        recognisers: which of them have read which photos.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.recognisers = Recognisers(database)

    def version(self) -> str:
        """Which gallery, and which state of it: `1f0c9a42-17`."""
        with self._database.reading() as session:
            return version_of(session)

    def snapshot(self) -> Snapshot:
        """Everyone, as the matcher needs them, read anew."""
        return self.load().snapshot()

    def load(self) -> GalleryIndex:
        """Everyone in memory, to be followed from here on."""
        with self._database.reading() as session:
            return load_everyone(session)

    def follow(self, index: GalleryIndex) -> GalleryIndex:
        """Bring what was loaded up to date; of a large gallery only who changed is read.

        Returns:
            The same index, or another when everyone had to be loaded.
        """
        with self._database.reading() as session:
            return load_changes(session, index)

    def people(self) -> list[PersonSummary]:
        """Everyone, by name."""
        return list(self.page(limit=None).people)

    def page(self, query: str = "", after: str = "", limit: int | None = 100) -> PeoplePage:
        """Some people, by name.

        Args:
            query: part of the name, upper and lower case alike; empty for everyone.
            after: where the page before ended, as it said.
            limit: most people; None for all.
        """
        wanted = select(PersonRow).order_by(PersonRow.name_key).where(PersonRow.name_key > after)
        if query.strip():
            wanted = wanted.where(named_like(query.strip()))
        if limit is not None:
            wanted = wanted.limit(limit + 1)
        with self._database.reading() as session:
            rows = list(session.scalars(wanted))
            shown = rows if limit is None else rows[:limit]
            photos, seen = counts_of(session, [row.id for row in shown])
            more = len(rows) > len(shown)
            return PeoplePage(
                tuple(_summary(row, photos.get(row.id, 0), seen.get(row.id)) for row in shown),
                shown[-1].name_key if more and shown else "",
            )

    def person(self, slug: str) -> PersonInfo | None:
        """One person, None when there is none of that slug."""
        with self._database.reading() as session:
            row = session.scalar(with_photos().where(PersonRow.slug == slug))
            return None if row is None else _info(session, row)

    def photo_file(self, slug: str, photo_id: str) -> PhotoFile | None:
        """A photo as it came; None when the person has none of that id."""
        with self._database.reading() as session:
            row = session.execute(
                select(PhotoFileRow.data, PhotoRow.media_type)
                .join(PhotoRow, PhotoRow.id == PhotoFileRow.photo_id)
                .join(PersonRow, PersonRow.id == PhotoRow.person_id)
                .where(PersonRow.slug == slug, PhotoRow.id == photo_id)
            ).first()
            return None if row is None else PhotoFile(row.data, row.media_type)

    def find_photo(self, name: str, sha256: str, recogniser_sha256: str) -> Enrolled | None:
        """The very same photo of that person, where that recogniser has read it already."""
        with self._database.reading() as session:
            person = find_person(session, clean_name(name))
            photo = None if person is None else find_photo(person, sha256)
            if person is None or photo is None or not has_reading(photo, recogniser_sha256):
                return None
            return Enrolled(_info(session, person), photo_info(photo), added=False)

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

    def change(self, slug: str, change: PersonChange) -> PersonInfo | None:
        """Give a person another name, threshold or notes; the slug stays. None when there is none.

        Raises:
            RecordError: `bad-name`, `name-taken` or `bad-notes`.
        """
        name = None if change.name is None else clean_name(change.name)
        notes = None if change.notes is None else clean_notes(change.notes)
        try:
            with self._database.writing() as session:
                row = session.scalar(with_photos().where(PersonRow.slug == slug))
                if row is None:
                    return None
                if name is not None:
                    _check_free(session, name, row.id)
                    row.name, row.name_key = name, name_key(name)
                if notes is not None:
                    row.notes = notes
                if change.set_threshold:
                    row.threshold = change.threshold
                if session.is_modified(row):
                    changed(session, row.id)
                return _info(session, row)
        except IntegrityError:
            raise _name_taken(name or "") from None

    def merge(self, slug: str, into: str) -> PersonInfo | None:
        """Give everything of one person to another, and remove the one.

        Returns:
            The other as they are then; None when one of the two is not there.

        Raises:
            RecordError: `same-person`.
        """
        if slug == into:
            raise RecordError("same-person", f"{slug} cannot be merged into themselves")
        with self._database.writing() as session:
            rows = {
                row.slug: row
                for row in session.scalars(
                    select(PersonRow).where(PersonRow.slug.in_((slug, into))).with_for_update()
                )
            }
            if len(rows) < 2:
                return None
            merge_people(session, rows[slug], rows[into])
            session.expire_all()
            merged = session.scalars(with_photos().where(PersonRow.slug == into)).one()
            return _info(session, merged)

    def remove_person(self, slug: str) -> bool:
        """Remove a person with their photos and embeddings; False when there is none."""
        with self._database.writing() as session:
            person_id = session.scalar(select(PersonRow.id).where(PersonRow.slug == slug))
            if person_id is None:
                return False
            session.execute(delete(PersonRow).where(PersonRow.id == person_id))
            changed(session, person_id)
            return True

    def remove_photo(self, slug: str, photo_id: str) -> bool:
        """Remove one photo; the person stays. False when there is none."""
        with self._database.writing() as session:
            person_id = session.scalar(
                select(PhotoRow.person_id)
                .join(PersonRow)
                .where(PersonRow.slug == slug, PhotoRow.id == photo_id)
            )
            if person_id is None:
                return False
            session.execute(delete(PhotoRow).where(PhotoRow.id == photo_id))
            changed(session, person_id)
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
            owners: set[int] = set()
            for ids in _batches(photo_ids):
                owners.update(
                    session.scalars(select(PhotoRow.person_id).where(PhotoRow.id.in_(ids)))
                )
                session.execute(delete(PhotoRow).where(PhotoRow.id.in_(ids)))
            for some in _batches(sorted(owners)):
                without_photo = (
                    select(PersonRow.id)
                    .outerjoin(PhotoRow)
                    .where(PersonRow.id.in_(some))
                    .group_by(PersonRow.id)
                    .having(func.count(PhotoRow.id) == 0)
                )
                gone = list(session.scalars(without_photo))
                session.execute(delete(PersonRow).where(PersonRow.id.in_(gone)))
            if owners:
                changed(session, *owners)

    def _add(self, name: str, photo: NewPhoto) -> Enrolled:
        with self._database.writing() as session:
            person = find_person(session, name)
            if person is None:
                person = PersonRow(
                    slug=free_slug(session, slugify(name)),
                    name=name,
                    name_key=name_key(name),
                    notes="",
                    created_at=datetime.now(UTC),
                    photos=[],
                )
                session.add(person)
            row = find_photo(person, photo.sha256)
            added = row is None
            reading = photo.reading
            if row is None:
                row = new_photo_row(photo)
                person.photos.append(row)
            elif not has_reading(row, reading.recogniser_sha256):
                row.readings.append(new_reading_row(reading))
            else:
                return Enrolled(_info(session, person), photo_info(row), added)
            session.flush()
            know(session, reading.recogniser_sha256, reading.pack)
            changed(session, person.id)
            return Enrolled(_info(session, person), photo_info(row), added)


def clean_notes(notes: str) -> str:
    """Notes as they are kept.

    Raises:
        RecordError: `bad-notes` when they are too long, or no text a database keeps.
    """
    if len(notes) > LONGEST_NOTES or any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in notes):
        raise RecordError("bad-notes", f"notes are text of at most {LONGEST_NOTES} characters")
    return notes


def _info(session: Session, row: PersonRow) -> PersonInfo:
    _, seen = counts_of(session, [row.id])
    return person_info(row, *seen.get(row.id, (0, None)))


def _summary(row: PersonRow, photos: int, seen: tuple[int, datetime] | None) -> PersonSummary:
    return PersonSummary(
        slug=row.slug,
        name=row.name,
        threshold=row.threshold,
        created_at=utc(row.created_at),
        photos=photos,
        notes=row.notes,
        sightings=0 if seen is None else seen[0],
        last_seen=None if seen is None else utc(seen[1]),
    )


def _check_free(session: Session, name: str, person_id: int) -> None:
    """A name must find nobody else: neither by their name nor by their slug."""
    other = find_person(session, name)
    if other is not None and other.id != person_id:
        raise _name_taken(name)


def _name_taken(name: str) -> RecordError:
    return RecordError("name-taken", f"there is another person {name}")


def _batches(items: Sequence[T]) -> Iterable[Sequence[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
