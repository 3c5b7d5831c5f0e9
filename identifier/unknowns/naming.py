"""Naming an unknown: crops become reference photos, and every past sighting carries the name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from identifier.gallery.changes import version_of
from identifier.gallery.database import Database
from identifier.gallery.tables import PersonRow
from identifier.gallery.values import Enrolled, PhotoInfo
from identifier.memory.tables import SightingRow, UnknownRow
from identifier.names import clean_name, name_key
from identifier.photos import EnrolmentError
from identifier.unknowns.clusters import Rule
from identifier.unknowns.crops import middle_of
from identifier.unknowns.index import Index
from identifier.unknowns.listing import Crop, distinct_crops, find_unknown
from identifier.unknowns.moving import become
from identifier.unknowns.telling import telling
from identifier.unknowns.values import NAMING, Gallery, Media, Named, UnknownError
from services.records import embeddings

_REFERENCES = 5


@dataclass(frozen=True, slots=True)
class _Unknown:
    """What naming needs to know before it begins."""

    number: int
    crops: list[Crop]
    person: str | None
    """Slug of the person of that name, where there is one."""


class Naming:
    """Turns unknown people into people.

    Args:
        database: the gallery's.
        index: of the unknowns.
        rule: when faces are one person's, by the model pack's name.
        media: where crops are kept.
        gallery: takes the reference photos.
    """

    def __init__(
        self,
        database: Database,
        index: Index,
        rule: Callable[[str], Rule],
        media: Media,
        gallery: Gallery,
    ) -> None:
        self._database = database
        self._index = index
        self._rule = rule
        self._media = media
        self._gallery = gallery

    def name(self, number: int, name: str) -> Named:
        """Make an unknown a person, new or known: from now on they are matched by that name.

        The clearest crops that differ from each other are enrolled, whatever their size. A crop in
        which another face is found than the track's is left out. Naming again with the same name
        finishes what was interrupted, and adds newer crops.

        Args:
            number: of the unknown.
            name: of the person, or the slug of one there is.

        Raises:
            UnknownError: `no-such-unknown`; `already-named` as somebody else; `no-picture`: the
                person is new and no crop can be used.
            RecordError: `bad-name`.
            ModelError: the models cannot be had.
        """
        name = clean_name(name)
        unknown = self._look(number, name)
        slug, references, refused = self._enrol(unknown, unknown.person or name)
        if slug is None:
            raise UnknownError(
                "no-picture",
                f"no picture of Unknown {unknown.number} can be used as a reference "
                f"({refused[0] if refused else 'none is kept any more'}): add a photo of {name} "
                "first, then name them",
            )
        with self._database.writing() as session:
            self._index.lock(session)
            row = find_unknown(session, unknown.number)
            person = session.scalar(select(PersonRow).where(PersonRow.slug == slug))
            if person is None:
                raise UnknownError("no-such-person", f"{slug} was removed meanwhile")
            _not_somebody_else(row, person)
            with telling(session, SightingRow.unknown_id == row.id):
                count = become(session, row, person)
                _say_why(session, row, references)
            self._index.forget(row.id)
            return Named(
                row.id,
                person.slug,
                person.name,
                count,
                tuple(photo.id for photo in references),
                tuple(refused),
            )

    def _look(self, number: int, name: str) -> _Unknown:
        with self._database.reading() as session:
            row = find_unknown(session, number)
            person = find_person(session, name)
            _not_somebody_else(row, person)
            crops = distinct_crops(session, row.id, _REFERENCES)
            return _Unknown(row.id, crops, None if person is None else person.slug)

    def _enrol(self, unknown: _Unknown, name: str) -> tuple[str | None, list[PhotoInfo], list[str]]:
        """The person's slug, None when there is none yet and no crop made one; photos; refusals."""
        slug = unknown.person
        references: list[PhotoInfo] = []
        refused: list[str] = []
        for crop in unknown.crops:
            data = self._media.get(crop.key)
            if data is None:
                refused.append("the picture is not kept any more")
                continue
            try:
                path = f"unknowns/{unknown.number}/{crop.sighting}"
                enrolled = self._enrol_one(slug or name, data, path)
            except EnrolmentError as error:
                refused.append(str(error))
                continue
            if self._shows_another(enrolled, crop):
                refused.append("another face is the clearest in the picture")
                self._take_back(enrolled, made=slug is None)
                continue
            slug = enrolled.person.slug
            references.append(enrolled.photo)
        return slug, references, refused

    def _enrol_one(self, name: str, crop: bytes, path: str) -> Enrolled:
        try:
            return self._gallery.enrol(name, crop, force=True, path=path)
        except EnrolmentError as error:
            middle = middle_of(crop) if error.reason == "several-faces" else None
            if middle is None:
                raise
            return self._gallery.enrol(name, middle, force=True, path=path)

    def _shows_another(self, enrolled: Enrolled, crop: Crop) -> bool:
        reading = enrolled.photo.reading
        if reading is None or reading.recogniser_sha256 != crop.recogniser_sha256:
            return False
        return float(np.dot(reading.embedding, crop.embedding)) < self._rule(reading.pack).join

    def _take_back(self, enrolled: Enrolled, *, made: bool) -> None:
        """Remove the photo, and the person where it made them."""
        if made and len(enrolled.person.photos) == 1:
            self._gallery.remove(enrolled.person.slug)
        elif enrolled.added:
            self._gallery.remove_photo(enrolled.person.slug, enrolled.photo.id)


def find_person(session: Session, name: str) -> PersonRow | None:
    """The person of that slug, else of that name."""
    found = session.scalars(
        select(PersonRow).where(or_(PersonRow.slug == name, PersonRow.name_key == name_key(name)))
    ).all()
    return min(found, key=lambda row: row.slug != name, default=None)


def _not_somebody_else(row: UnknownRow, person: PersonRow | None) -> None:
    if row.person_id is not None and (person is None or row.person_id != person.id):
        raise UnknownError(
            "already-named", f"Unknown {row.id} has a name already: rename or merge that person"
        )


def _say_why(session: Session, row: UnknownRow, references: list[PhotoInfo]) -> None:
    """Each named sighting says which new reference is most like it, and how much."""
    read = [(photo, photo.reading) for photo in references if photo.reading is not None]
    if not read:
        return
    version = version_of(session)
    for sighting in session.scalars(
        select(SightingRow).where(
            SightingRow.unknown_id == row.id,
            SightingRow.found_by == NAMING,
            SightingRow.reference == "",
        )
    ):
        like = [
            (float(np.dot(reading.embedding, embeddings.from_bytes(sighting.embedding))), photo)
            for photo, reading in read
            if reading.recogniser_sha256 == sighting.recogniser_sha256
        ]
        if like:
            similarity, photo = max(like, key=lambda pair: pair[0])
            sighting.best_similarity = sighting.mean_similarity = similarity
            sighting.reference = photo.id
            sighting.reference_sha256 = photo.sha256
            sighting.reference_at = photo.created_at
            sighting.gallery_version = version
