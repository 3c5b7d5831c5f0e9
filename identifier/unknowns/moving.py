"""Handing what belongs to one unknown person to another, or to a person."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from identifier.gallery.rows import utc
from identifier.gallery.tables import PersonRow
from identifier.memory.tables import EventRow, SightingRow, UnknownRow
from identifier.unknowns.values import NAMING


def move_all(session: Session, gone: UnknownRow, into: UnknownRow) -> None:
    """Sightings, events and earlier numbers of one unknown become another's.

    The number that is gone goes on pointing to the one it went into.
    """
    for table in (SightingRow, EventRow):
        session.execute(update(table).where(table.unknown_id == gone.id).values(unknown_id=into.id))
    session.execute(
        update(UnknownRow).where(UnknownRow.merged_into == gone.id).values(merged_into=into.id)
    )
    gone.merged_into = into.id
    into.first_at = min(utc(into.first_at), utc(gone.first_at))
    into.last_at = max(utc(into.last_at), utc(gone.last_at))
    session.flush()


def become(session: Session, unknown: UnknownRow, person: PersonRow) -> int:
    """Everything of an unknown is a person's from now on; the number of sightings that says.

    Sightings of whom somebody has said something else keep what was said.
    """
    unknown.person_id = person.id
    named = session.scalars(
        update(SightingRow)
        .where(SightingRow.unknown_id == unknown.id, SightingRow.person_id.is_(None))
        .values(person_id=person.id, found_by=NAMING)
        .returning(SightingRow.id)
    ).all()
    session.execute(
        update(EventRow)
        .where(EventRow.unknown_id == unknown.id, EventRow.person_id.is_(None))
        .values(person_id=person.id)
    )
    session.flush()
    return len(named)
