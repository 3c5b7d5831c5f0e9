"""Looking people and photos up inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, selectinload

from identifier.gallery.tables import PersonRow, PhotoRow
from identifier.memory.tables import SightingRow
from identifier.names import name_key, numbered

_IDS_AT_ONCE = 500


def with_photos() -> Select[PersonRow]:
    """People with their photos and what was read in them."""
    return select(PersonRow).options(selectinload(PersonRow.photos).selectinload(PhotoRow.readings))


def find_person(session: Session, name: str) -> PersonRow | None:
    """The person of that slug, else of that name."""
    by_slug = session.scalar(with_photos().where(PersonRow.slug == name))
    return by_slug or session.scalar(with_photos().where(PersonRow.name_key == name_key(name)))


def find_photo(person: PersonRow, sha256: str) -> PhotoRow | None:
    """The very same photo of a person."""
    return next((photo for photo in person.photos if photo.sha256 == sha256), None)


def has_reading(photo: PhotoRow, recogniser_sha256: str) -> bool:
    """Whether that recogniser has read it."""
    return any(reading.recogniser_sha256 == recogniser_sha256 for reading in photo.readings)


def free_slug(session: Session, wanted: str) -> str:
    """The slug, or the first that is free with a number."""
    number = 1
    while session.scalar(select(PersonRow.id).where(PersonRow.slug == numbered(wanted, number))):
        number += 1
    return numbered(wanted, number)


def named_like(part: str) -> ColumnElement[bool]:
    """People whose name has a part in it, upper and lower case alike."""
    return PersonRow.name_key.contains(name_key(part), autoescape=True)


def counts_of(
    session: Session, person_ids: Sequence[int]
) -> tuple[dict[int, int], dict[int, tuple[int, datetime]]]:
    """Number of photos, and number and end of sightings, of those people who have any."""
    photos: dict[int, int] = {}
    seen: dict[int, tuple[int, datetime]] = {}
    for start in range(0, len(person_ids), _IDS_AT_ONCE):
        some = person_ids[start : start + _IDS_AT_ONCE]
        counted = session.execute(
            select(PhotoRow.person_id, func.count())
            .where(PhotoRow.person_id.in_(some))
            .group_by(PhotoRow.person_id)
        )
        photos.update((owner, count) for owner, count in counted)
        for person_id, count, last_at in session.execute(
            select(SightingRow.person_id, func.count(), func.max(SightingRow.last_at))
            .where(SightingRow.person_id.in_(some))
            .group_by(SightingRow.person_id)
        ):
            if person_id is not None:
                seen[person_id] = (count, last_at)
    return photos, seen
