"""Ending the sightings of identifiers that are gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.memory.events import add_event
from identifier.memory.tables import EventRow, SightingRow
from identifier.memory.who import who_is_in

_MOST = 500


def end_abandoned(
    database: Database, abandoned_s: float, lock: Callable[[Session], None]
) -> list[EventRow]:
    """End what nobody has written for so long; the exits that this makes.

    Whoever follows a face writes it every second or two, and ends it when it is gone.

    Args:
        database: of the memory.
        abandoned_s: how long, seconds.
        lock: taken first by everyone who makes events: their ids come in the order of commits,
            so that nobody who reads on from an id misses one.

    Raises:
        DBAPIError: the database is away.
    """
    before = datetime.now(UTC) - timedelta(seconds=abandoned_s)
    open_too_long = (SightingRow.ended.is_(False), SightingRow.updated_at < before)
    with database.reading() as session:
        if session.scalar(select(SightingRow.id).where(*open_too_long).limit(1)) is None:
            return []
    events = []
    with database.writing() as session:
        lock(session)
        rows = session.scalars(
            select(SightingRow).where(*open_too_long).limit(_MOST).with_for_update(skip_locked=True)
        ).all()
        for row in rows:
            row.ended = True
            if (who := who_is_in(session, row)) is not None:
                events.append(add_event(session, row, who, enter=False, at=utc(row.last_at)))
    return events
