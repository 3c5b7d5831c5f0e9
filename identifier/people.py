"""Enrolling and removing people while the service runs: photo, gallery and snapshot in one step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from identifier.enrolment import Enroller
from identifier.gallery.store import GalleryStore
from identifier.gallery.values import Enrolled, LooksLike, PersonChange, PersonInfo, PhotoReading
from identifier.gallery.watcher import GalleryWatcher
from identifier.names import clean_name
from services.models.packs import packs


def pack_threshold(pack: str) -> float:
    """The default threshold of a model pack; one that is not in the registry has none: 1."""
    known = packs().get(pack)
    return 1.0 if known is None else known.threshold


class People:
    """What the REST API and the watched folder do to the gallery.

    When a method returns, its change is matched by this process; others follow within half a
    second. Every method may raise SQLAlchemy's `DBAPIError` when the database is away.

    Args:
        store: the gallery.
        watcher: whose snapshot is matched.
        enroller: reads the photos.
        default_threshold: of a model pack, by its name, for people without one of their own.
    """

    def __init__(
        self,
        store: GalleryStore,
        watcher: GalleryWatcher,
        enroller: Enroller,
        default_threshold: Callable[[str], float] = pack_threshold,
    ) -> None:
        self.store = store
        self._watcher = watcher
        self._enroller = enroller
        self.default_threshold = default_threshold

    @property
    def version(self) -> str:
        """Of the gallery that is matched."""
        return self._watcher.snapshot.version

    @property
    def references(self) -> int:
        """How many photos are matched against."""
        return self._watcher.snapshot.references

    def enrol(
        self, name: str, data: bytes, *, force: bool = False, folder: str = "", path: str = ""
    ) -> Enrolled:
        """Add a photo to a person, who is made if need be. The very same photo is added once.

        Whoever else the photo looks like is told with the result, as a warning.

        Raises:
            EnrolmentError: the photo cannot be used.
            RecordError: `bad-name`.
            ModelError: the models cannot be had.
        """
        name = clean_name(name)
        digest = hashlib.sha256(data).hexdigest()
        known = self.store.find_photo(name, digest, self._enroller.recogniser_sha256)
        if known is not None:
            return known
        photo = self._enroller.read(data, force=force, folder=folder, path=path)
        enrolled = self.store.add(name, photo)
        self._watcher.refresh()
        like = self._like(photo.reading, enrolled.person.slug)
        return replace(enrolled, like=like)

    def change(self, slug: str, change: PersonChange) -> PersonInfo | None:
        """Give a person another name, threshold or notes; None when there is none.

        Raises:
            RecordError: `bad-name`, `name-taken` or `bad-notes`.
        """
        changed = self.store.change(slug, change)
        self._watcher.refresh()
        return changed

    def merge(self, slug: str, into: str) -> PersonInfo | None:
        """Give everything of one person to another; None when one of the two is not there.

        Raises:
            RecordError: `same-person`.
        """
        merged = self.store.merge(slug, into)
        self._watcher.refresh()
        return merged

    def remove(self, slug: str) -> bool:
        """Remove a person; False when there is none."""
        removed = self.store.remove_person(slug)
        self._watcher.refresh()
        return removed

    def remove_photo(self, slug: str, photo_id: str) -> bool:
        """Remove one photo of a person; False when there is none."""
        removed = self.store.remove_photo(slug, photo_id)
        self._watcher.refresh()
        return removed

    def remove_folder_photos(self, photo_ids: list[str]) -> None:
        """Remove photos whose files are gone, and people who have none left."""
        self.store.remove_folder_photos(photo_ids)
        self._watcher.refresh()

    def _like(self, reading: PhotoReading, slug: str) -> LooksLike | None:
        matrix = self._watcher.snapshot.matrices.get(reading.recogniser_sha256)
        if matrix is None:
            return None
        default = self.default_threshold(reading.pack)
        match = matrix.most_like(reading.embedding, default, but_not=slug)
        if match is None or match.person is None:
            return None
        return LooksLike(
            slug=match.person.slug,
            name=match.person.name,
            similarity=match.similarity,
            threshold=match.threshold,
            photo_id=match.photo_id,
        )
