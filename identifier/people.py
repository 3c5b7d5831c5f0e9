"""Enrolling and removing people while the service runs: photo, gallery and snapshot in one step."""

from __future__ import annotations

import hashlib

from identifier.enrolment import Enroller
from identifier.gallery.store import GalleryStore
from identifier.gallery.values import Enrolled
from identifier.gallery.watcher import GalleryWatcher
from identifier.names import clean_name


class People:
    """What the REST API and the watched folder do to the gallery.

    When a method returns, its change is matched by this process; others follow within half a
    second. Every method may raise SQLAlchemy's `DBAPIError` when the database is away.
    """

    def __init__(self, store: GalleryStore, watcher: GalleryWatcher, enroller: Enroller) -> None:
        self.store = store
        self._watcher = watcher
        self._enroller = enroller

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
        return enrolled

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
