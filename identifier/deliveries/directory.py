"""People, cameras and who is there now, read from the memory's tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select

from identifier.deliveries.presence import OpenSighting
from identifier.deliveries.values import Who
from identifier.gallery.database import Database
from identifier.gallery.tables import PersonRow
from identifier.memory.tables import SightingRow

MOST_PEOPLE = 500
_MOST_OPEN = 10_000


class DatabaseDirectory:
    """Reads the database at every call.

    Args:
        database: of the gallery and the memory.
        most_people: `people` gives the newest of these. Nobody wants a device for each of 100,000
            people; whoever is seen has one anyway.
    """

    def __init__(self, database: Database, most_people: int = MOST_PEOPLE) -> None:
        self._database = database
        self._most_people = most_people

    def open_now(self) -> Sequence[OpenSighting]:
        """Live sightings that have not ended, by when they began.

        Raises:
            DBAPIError: the database is away.
        """
        wanted = (
            select(
                SightingRow.id,
                SightingRow.camera,
                SightingRow.unknown_id,
                PersonRow.slug,
                PersonRow.name,
            )
            .outerjoin(PersonRow, SightingRow.person_id == PersonRow.id)
            .where(SightingRow.ended.is_(False), SightingRow.found_by == "live")
            .order_by(SightingRow.started_at, SightingRow.id)
            .limit(_MOST_OPEN)
        )
        with self._database.reading() as session:
            found = session.execute(wanted).all()
        return [
            OpenSighting(row.id, row.camera, who)
            for row in found
            if (who := _who(row.slug, row.name, row.unknown_id)) is not None
        ]

    def people(self, also: Collection[str] = ()) -> Mapping[str, str]:
        """Names by slug, of the newest people and of `also` whoever is enrolled.

        Raises:
            DBAPIError: the database is away.
        """
        wanted = select(PersonRow.slug, PersonRow.name)
        newest = wanted.order_by(PersonRow.id.desc()).limit(self._most_people)
        with self._database.reading() as session:
            found = session.execute(newest).all()
            if missing := set(also) - {row.slug for row in found}:
                found = [*found, *session.execute(wanted.where(PersonRow.slug.in_(missing)))]
        return {row.slug: row.name for row in found}

    def cameras(self) -> Sequence[str]:
        """Cameras of the sightings that are kept.

        Raises:
            DBAPIError: the database is away.
        """
        wanted = select(SightingRow.camera).distinct().order_by(SightingRow.camera)
        with self._database.reading() as session:
            return session.scalars(wanted).all()


def _who(slug: str | None, name: str | None, unknown: int | None) -> Who | None:
    if slug is not None:
        return Who(slug, name or "")
    return None if unknown is None else Who(unknown=unknown)
