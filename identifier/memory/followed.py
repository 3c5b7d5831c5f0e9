"""Reading back the tracks of a camera, so that another identifier goes on with them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, or_, select

from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.gallery.tables import PersonRow
from identifier.memory.states import state_of
from identifier.memory.tables import SightingRow
from identifier.tracks.values import TrackState

_RECENT = timedelta(minutes=1)
_MOST = 256


def followed_tracks(database: Database, camera: str) -> list[TrackState]:
    """A camera's open tracks, and those that ended within a minute of its newest.

    Raises:
        DBAPIError: the database is away.
    """
    of_camera = SightingRow.camera == camera, SightingRow.found_by != "backfill"
    with database.reading() as session:
        newest = session.scalar(select(func.max(SightingRow.last_at)).where(*of_camera))
        if newest is None:
            return []
        rows = session.execute(
            select(SightingRow, PersonRow.slug, PersonRow.name)
            .outerjoin(PersonRow, PersonRow.id == SightingRow.person_id)
            .where(
                *of_camera,
                or_(SightingRow.ended.is_(False), SightingRow.last_at >= utc(newest) - _RECENT),
            )
            .order_by(SightingRow.last_at.desc())
            .limit(_MOST)
        )
        return [state_of(row, slug, name or "") for row, slug, name in rows]
