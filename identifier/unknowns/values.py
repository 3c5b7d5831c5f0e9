"""What is told of unknown people, what is asked of other rooms, and what can go wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from identifier.gallery.values import Enrolled
from services.errors import RecordError

NAMING = "naming"
"""`found_by` of a sighting of whom a user said who it is, or is not: matching leaves it alone."""


class UnknownError(RecordError):
    """Something cannot be done to an unknown person or a sighting.

    Attributes:
        reason: `no-such-unknown`, `no-such-sighting`, `no-such-person`, `already-named`,
            `already-merged`, `same-unknown`, `nobody-named` or `no-picture`.
    """


class Media(Protocol):
    """Where crops are kept."""

    def get(self, key: str) -> bytes | None:
        """A crop's JPEG; None when it is gone."""

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete crops; those that are gone already are no error."""


class Gallery(Protocol):
    """Who takes reference photos: `identifier.people.People`."""

    def enrol(
        self, name: str, data: bytes, *, force: bool = False, folder: str = "", path: str = ""
    ) -> Enrolled:
        """Add a photo to a person, who is made if need be."""

    def remove_photo(self, slug: str, photo_id: str) -> bool:
        """Take a photo away again."""

    def remove(self, slug: str) -> bool:
        """Take a person away again."""


@dataclass(frozen=True, slots=True)
class UnknownInfo:
    """An unknown person.

    Attributes:
        number: as people see it, "Unknown 7".
        slug: of the person they have become; None while unnamed.
        name: of that person.
        ignored: whether lists and events leave them out.
        sightings: how many.
        first_at: first seen, UTC.
        last_at: last seen, UTC.
        cameras: that have seen them, by name.
        best: ids of the sightings with the clearest crops, clearest first.
    """

    number: int
    slug: str | None
    name: str | None
    ignored: bool
    sightings: int
    first_at: datetime
    last_at: datetime
    cameras: tuple[str, ...]
    best: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnknownPage:
    """Part of the list.

    Attributes:
        unknowns: newest seen first.
        next: where the following part begins; None at the end.
    """

    unknowns: tuple[UnknownInfo, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Named:
    """What naming came to.

    Attributes:
        number: of the unknown.
        slug: of the person.
        name: as the person is called.
        sightings: that carry the name now.
        references: ids of the reference photos made of crops.
        refused: for each crop that could not be used, why not.
    """

    number: int
    slug: str
    name: str
    sightings: int
    references: tuple[str, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was removed with an unknown person."""

    sightings: int
    crops: int
    events: int


@dataclass(frozen=True, slots=True)
class Said:
    """Who a sighting shows after somebody said so: a person, or an unknown."""

    sighting: str
    slug: str | None
    name: str | None
    unknown: int | None
