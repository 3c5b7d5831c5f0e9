"""Who is before which camera now: from the open sightings, then from event to event."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from identifier.deliveries.values import Happening, Who


@dataclass(frozen=True, slots=True)
class OpenSighting:
    """Someone who is there now."""

    sighting: str
    camera: str
    who: Who


class Directory(Protocol):
    """What the memory knows of people and cameras."""

    def open_now(self) -> Sequence[OpenSighting]:
        """Sightings that have not ended, by when they began."""

    def people(self, also: Collection[str]) -> Mapping[str, str]:
        """Names of those enrolled, by slug: a bounded number, and of `also` whoever exists."""

    def cameras(self) -> Sequence[str]:
        """Cameras that have ever seen someone."""


class Presence:
    """Who is where. A sighting that changes its mind about who it is, is two."""

    def __init__(self, open_now: Iterable[OpenSighting] = ()) -> None:
        self._there = {_key(each.sighting, each.who): (each.camera, each.who) for each in open_now}

    def apply(self, happening: Happening) -> None:
        """Someone came or went; the same event twice changes nothing more."""
        if happening.who is None:
            return
        key = _key(happening.sighting, happening.who)
        if happening.enter:
            self._there.setdefault(key, (happening.camera, happening.who))
        else:
            self._there.pop(key, None)

    def camera_of(self, slug: str) -> str | None:
        """The camera that began to see the person last; None while none does."""
        seen = [camera for camera, who in self._there.values() if who.slug == slug]
        return seen[-1] if seen else None

    def people_at(self, camera: str) -> dict[str, str]:
        """Names by slug, of the people this camera sees."""
        return {
            who.slug: who.name
            for where, who in self._there.values()
            if where == camera and who.slug
        }

    def unknowns_at(self, camera: str) -> list[int]:
        """Numbers of the unknown people this camera sees, ascending."""
        there = (who.unknown for where, who in self._there.values() if where == camera)
        return sorted({number for number in there if number is not None})

    @property
    def people(self) -> dict[str, str]:
        """Names by slug, of everyone who is anywhere."""
        return {who.slug: who.name for _, who in self._there.values() if who.slug}

    @property
    def cameras(self) -> set[str]:
        """Cameras that see someone."""
        return {camera for camera, _ in self._there.values()}


def _key(sighting: str, who: Who) -> tuple[str, str, int | None]:
    # Not by name: a person may be renamed while they are there.
    return sighting, who.slug, who.unknown
