"""Two people who are one: photos, sightings and what was said of them move to the other."""

from __future__ import annotations

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from identifier.gallery.changes import changed
from identifier.gallery.tables import MisreadingRow, PersonRow, PhotoRow, ReadingRow
from identifier.memory.tables import (
    BackfillRow,
    EventRow,
    NegativeRow,
    SightingRow,
    UnknownRow,
)


def merge_people(session: Session, gone: PersonRow, into: PersonRow) -> None:
    """Give everything one person has to another, and remove the one.

    A photo that both have is one photo then. That a sighting of the one is not the other was a
    mistake, now that they are the same, and is forgotten.

    Args:
        session: of the transaction.
        gone: who ceases to be.
        into: who stays.
    """
    _move_photos(session, gone.id, into.id)
    _move_negatives(session, gone.id, into.id)
    for table in (SightingRow, UnknownRow, EventRow, BackfillRow):
        session.execute(update(table).where(table.person_id == gone.id).values(person_id=into.id))
    ids = gone.id, into.id
    session.expunge(gone)  # its photos are another's now: nothing of it may be written back
    session.execute(delete(PersonRow).where(PersonRow.id == ids[0]))
    changed(session, *ids)


def _move_photos(session: Session, gone: int, into: int) -> None:
    kept = {
        row.sha256: row.id
        for row in session.execute(
            select(PhotoRow.sha256, PhotoRow.id).where(PhotoRow.person_id == into)
        )
    }
    for photo in session.execute(
        select(PhotoRow.id, PhotoRow.sha256).where(PhotoRow.person_id == gone)
    ).all():
        if (same := kept.get(photo.sha256)) is None:
            session.execute(update(PhotoRow).where(PhotoRow.id == photo.id).values(person_id=into))
        else:
            _move_readings(session, photo.id, same)
            session.execute(delete(PhotoRow).where(PhotoRow.id == photo.id))


def _move_readings(session: Session, photo_id: str, same: str) -> None:
    """What only one of two equal photos was read by, the other was read by then."""
    read = select(ReadingRow.recogniser_sha256).where(ReadingRow.photo_id == same)
    session.execute(
        update(ReadingRow)
        .where(
            ReadingRow.photo_id == photo_id,
            ReadingRow.recogniser_sha256.not_in(read),
        )
        .values(photo_id=same)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(MisreadingRow)
        .where(
            MisreadingRow.photo_id == same,
            MisreadingRow.recogniser_sha256.in_(read),
        )
        .execution_options(synchronize_session=False)
    )


def _move_negatives(session: Session, gone: int, into: int) -> None:
    of_both = select(SightingRow.id).where(
        or_(SightingRow.person_id == gone, SightingRow.person_id == into)
    )
    of_other = select(NegativeRow.sighting_id).where(NegativeRow.person_id == into)
    session.execute(
        delete(NegativeRow)
        .where(
            NegativeRow.person_id.in_((gone, into)),
            NegativeRow.sighting_id.in_(of_both),
        )
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(NegativeRow)
        .where(
            NegativeRow.person_id == gone,
            NegativeRow.sighting_id.in_(of_other),
        )
        .execution_options(synchronize_session=False)
    )
    session.execute(update(NegativeRow).where(NegativeRow.person_id == gone).values(person_id=into))
