"""Everything the database knows of a person: found, counted, removed, looked for again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, delete, func, or_, select, text, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from identifier.gallery.changes import changed
from identifier.gallery.tables import (
    Base,
    PersonRow,
    PhotoFileRow,
    PhotoRow,
    ReadingRow,
)
from identifier.memory.forgetting import forget_tracks
from identifier.memory.tables import (
    BackfillRow,
    EventRow,
    NegativeRow,
    SightingRow,
    UnknownRow,
)

_CHUNK = 500
_KNOWN = frozenset(
    {"people", "photos", "photo_files", "readings", "sightings", "negatives", "unknowns"}
    | {"events", "backfills", "forgotten_tracks"}
)


@dataclass(frozen=True, slots=True)
class Traces:
    """Which rows are a person's.

    Attributes:
        person_id: the person's own row.
        slug: of the person.
        name: of the person.
        photos: ids.
        photo_files: files of PEOPLE_DIR that photos came from; they are not the database's.
        unknowns: numbers of unknown people that turned out to be this person.
        sightings: ids.
        events: ids.
        crops: keys of face crops.
    """

    person_id: int
    slug: str = field(repr=False)
    name: str = field(repr=False)
    photos: tuple[str, ...]
    photo_files: tuple[str, ...] = field(repr=False)
    unknowns: tuple[int, ...]
    sightings: tuple[str, ...]
    events: tuple[int, ...]
    crops: tuple[str, ...] = field(repr=False)


def find_traces(
    session: Session, slug: str, *, before: Traces | None = None, lock: bool = False
) -> Traces | None:
    """Every row of a person; None when there is no such person.

    Args:
        session: to ask.
        slug: of the person.
        before: what was found a moment ago: a face in view whose photos are gone has become an
            unknown's since, and is the person's all the same.
        lock: keep others from adding to them until the transaction ends.
    """
    query = select(PersonRow).where(PersonRow.slug == slug)
    person = session.scalar(query.with_for_update() if lock else query)
    if person is None:
        return None
    photos = session.execute(
        select(PhotoRow.id, PhotoRow.folder, PhotoRow.path).where(PhotoRow.person_id == person.id)
    ).all()
    unknowns = _unknowns(session, person.id)
    # A row of their number that has somebody else's name is that somebody's.
    theirs = [SightingRow.person_id == person.id]
    theirs += [
        (SightingRow.person_id.is_(None)) & SightingRow.unknown_id.in_(chunk)
        for chunk in _chunks(unknowns)
    ]
    theirs += [
        (SightingRow.person_id.is_(None)) & SightingRow.id.in_(chunk)
        for chunk in _chunks(() if before is None else before.sightings)
    ]
    columns = select(SightingRow.id, SightingRow.crop, SightingRow.unknown_id)
    sightings = session.execute(columns.where(or_(*theirs))).all()
    ids = tuple(row.id for row in sightings)
    numbers = {row.unknown_id for row in sightings if row.unknown_id is not None}
    unknowns += _of_nobody_else(session, numbers - set(unknowns), set(ids))
    return Traces(
        person_id=person.id,
        slug=person.slug,
        name=person.name,
        photos=tuple(row.id for row in photos),
        photo_files=tuple(f"{row.folder}/{row.path}" for row in photos if row.path),
        unknowns=unknowns,
        sightings=ids,
        events=_events(session, person, unknowns, ids),
        crops=tuple(row.crop for row in sightings if row.crop),
    )


def _of_nobody_else(session: Session, numbers: set[int], ids: set[str]) -> tuple[int, ...]:
    """Those unknown people of whom there are no other sightings."""
    others: set[int] = set()
    for chunk in _chunks(tuple(numbers)):
        rows = session.execute(
            select(SightingRow.id, SightingRow.unknown_id).where(SightingRow.unknown_id.in_(chunk))
        )
        others |= {row.unknown_id for row in rows if row.id not in ids}
    return tuple(sorted(numbers - others))


def remove_references(session: Session, traces: Traces) -> None:
    """Photos and embeddings first: from now on nobody is recognised as this person."""
    session.execute(delete(PhotoRow).where(PhotoRow.person_id == traces.person_id))
    changed(session, traces.person_id)


def count(session: Session, traces: Traces) -> dict[str, int]:
    """How many rows there are of a person, by kind."""
    readings = ReadingRow.photo_id
    counted = {
        "people": _count(session, PersonRow.id == traces.person_id),
        "photos": _count(session, PhotoRow.person_id == traces.person_id),
        "photo_files": _count_in(session, PhotoFileRow.photo_id, traces.photos),
        "embeddings": _count_in(session, readings, traces.photos),
        "sightings": _count_in(session, SightingRow.id, traces.sightings),
        "events": _count_in(session, EventRow.id, traces.events),
        "negatives": _count(session, NegativeRow.person_id == traces.person_id)
        + _count_in(
            session,
            NegativeRow.sighting_id,
            traces.sightings,
            NegativeRow.person_id != traces.person_id,
        ),
        "backfills": _count(session, BackfillRow.person_id == traces.person_id),
        "unknowns": _count_in(session, UnknownRow.id, traces.unknowns),
    }
    # Whatever else has come to point at people since this was written.
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            if table.name not in _KNOWN and key.column is PersonRow.__table__.c.id:
                query = select(func.count()).select_from(table)
                found = session.scalar(query.where(key.parent == traces.person_id))
                counted[table.name] = counted.get(table.name, 0) + (found or 0)
    return counted


def remove_everything(session: Session, traces: Traces) -> None:
    """The rest, the person's own row last."""
    for numbers in _chunks(traces.unknowns):
        session.execute(
            update(SightingRow)
            .where(SightingRow.unknown_id.in_(numbers), SightingRow.person_id != traces.person_id)
            .values(unknown_id=None)
        )
    for photos in _chunks(traces.photos):
        # Somebody else's by now, but it was this person's photo that matched.
        session.execute(
            update(SightingRow)
            .where(SightingRow.reference.in_(photos))
            .values(reference="", reference_sha256="", reference_at=None)
        )
    for events in _chunks(traces.events):
        session.execute(delete(EventRow).where(EventRow.id.in_(events)))
    others: set[int] = set()
    for ids in _chunks(traces.sightings):
        denied = select(NegativeRow.person_id).where(NegativeRow.sighting_id.in_(ids))
        others |= set(session.scalars(denied))
        session.execute(delete(NegativeRow).where(NegativeRow.sighting_id.in_(ids)))
        forget_tracks(session, [str(each) for each in ids])
        session.execute(delete(SightingRow).where(SightingRow.id.in_(ids)))
    session.execute(delete(NegativeRow).where(NegativeRow.person_id == traces.person_id))
    session.execute(delete(BackfillRow).where(BackfillRow.person_id == traces.person_id))
    for numbers in _chunks(traces.unknowns):
        session.execute(delete(UnknownRow).where(UnknownRow.id.in_(numbers)))
    session.execute(delete(PhotoRow).where(PhotoRow.person_id == traces.person_id))
    session.execute(delete(PersonRow).where(PersonRow.id == traces.person_id))
    changed(session, traces.person_id, *others)


def overwrite_what_is_deleted(session: Session) -> None:
    """SQLite only unlinks what is deleted unless told to overwrite it."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("PRAGMA secure_delete = ON"))


def _unknowns(session: Session, person_id: int) -> tuple[int, ...]:
    """Numbers that were named as a person, and those that were merged into them."""
    found = set(session.scalars(select(UnknownRow.id).where(UnknownRow.person_id == person_id)))
    newest = found
    while newest:
        merged: set[int] = set()
        for numbers in _chunks(tuple(newest)):
            merged |= set(
                session.scalars(select(UnknownRow.id).where(UnknownRow.merged_into.in_(numbers)))
            )
        newest = merged - found
        found |= newest
    return tuple(sorted(found))


def _events(
    session: Session, person: PersonRow, unknowns: tuple[int, ...], sightings: tuple[str, ...]
) -> tuple[int, ...]:
    found = set(session.scalars(select(EventRow.id).where(EventRow.person_id == person.id)))
    for numbers in _chunks(unknowns):
        found |= set(session.scalars(select(EventRow.id).where(EventRow.unknown_id.in_(numbers))))
    for ids in _chunks(sightings):
        found |= set(session.scalars(select(EventRow.id).where(EventRow.sighting_id.in_(ids))))
    # An event that was told before a correction still names them.
    naming = session.execute(
        select(EventRow.id, EventRow.payload).where(
            EventRow.payload.contains(json.dumps(person.slug), autoescape=True)
        )
    )
    found |= {row.id for row in naming if _names(json.loads(row.payload), person.slug)}
    return tuple(sorted(found))


def _names(payload: object, slug: str) -> bool:
    if isinstance(payload, dict):
        return any(
            (key in ("slug", "person") and value == slug) or _names(value, slug)
            for key, value in payload.items()
        )
    return isinstance(payload, list) and any(_names(value, slug) for value in payload)


def _count(session: Session, where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(where)) or 0


def _count_in(
    session: Session,
    column: InstrumentedAttribute[str] | InstrumentedAttribute[int],
    values: tuple[str, ...] | tuple[int, ...],
    *more: ColumnElement[bool],
) -> int:
    return sum(
        session.scalar(select(func.count()).where(column.in_(chunk), *more)) or 0
        for chunk in _chunks(values)
    )


def _chunks(values: tuple[str, ...] | tuple[int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Lists that every database takes as parameters of one statement."""
    for at in range(0, len(values), _CHUNK):
        yield values[at : at + _CHUNK]
