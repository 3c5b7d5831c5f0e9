"""Who came and who went: made from changes of a sighting, kept, published, read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.memory.tables import EventRow, SightingRow

EventType = Literal["person_enter", "person_exit", "unknown_enter", "unknown_exit"]
EVENT_TYPES: tuple[EventType, ...] = (
    "person_enter",
    "person_exit",
    "unknown_enter",
    "unknown_exit",
)


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a sighting shows.

    Attributes:
        person_id: row of the person; None for an unknown.
        slug: of the person; empty for an unknown.
        name: of the person; empty for an unknown.
        unknown: number of the unknown; None for a person.
    """

    person_id: int | None = None
    slug: str = ""
    name: str = ""
    unknown: int | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is kept.

    Attributes:
        id: increases from event to event.
        type: what happened.
        payload: JSON, as it is published and delivered.
    """

    id: int
    type: str
    payload: str = field(repr=False)


def crop_path(sighting_id: str) -> str:
    """Where the REST API has the best face of a sighting."""
    return f"/api/v1/sightings/{sighting_id}/crop"


def add_event(
    session: Session, row: SightingRow, who: Who, *, enter: bool, at: datetime
) -> EventRow:
    """Note that someone came or went, within the transaction that changes the sighting.

    Once per change: the row tells what was so before, however often a track is written.
    """
    kind: EventType
    if who.unknown is None:
        kind = "person_enter" if enter else "person_exit"
    else:
        kind = "unknown_enter" if enter else "unknown_exit"
    often = session.scalar(
        select(func.count())
        .select_from(EventRow)
        .where(EventRow.sighting_id == row.id, EventRow.type == kind)
    )
    parts = (row.id, kind, who.person_id, who.unknown, often)
    event = EventRow(
        key=hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32],
        type=kind,
        camera=row.camera,
        sighting_id=row.id,
        person_id=who.person_id,
        unknown_id=who.unknown,
        at=at,
        payload="",
        published=False,
    )
    session.add(event)
    session.flush()
    event.payload = _payload(event, row, who)
    session.flush()
    return event


def _payload(event: EventRow, row: SightingRow, who: Who) -> str:
    person = None if who.person_id is None else {"slug": who.slug, "name": who.name}
    return json.dumps(
        {
            "id": event.id,
            "type": event.type,
            "camera": row.camera,
            "session": row.session,
            "sighting": row.id,
            "person": person,
            "unknown": who.unknown,
            "at": utc(event.at).isoformat().replace("+00:00", "Z"),
            "started_at": utc(row.started_at).isoformat().replace("+00:00", "Z"),
            "score": row.best_similarity,
            "crop": crop_path(row.id) if row.crop else None,
        },
        ensure_ascii=False,
    )


class EventLog:
    """The events in the database, in the order of their ids."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def after(self, last_id: int, limit: int) -> list[tuple[int, str]]:
        """The first events above an id: id and payload (JSON), ascending, at most `limit`."""
        return [(each.id, each.payload) for each in self.page(last_id, limit)]

    def page(
        self,
        last_id: int,
        limit: int,
        *,
        types: Sequence[str] = (),
        camera: str | None = None,
        person_id: int | None = None,
    ) -> list[StoredEvent]:
        """As `after`, of some types, one camera or one person alone if that is asked for."""
        query = select(EventRow.id, EventRow.type, EventRow.payload).where(EventRow.id > last_id)
        if types:
            query = query.where(EventRow.type.in_(types))
        if camera is not None:
            query = query.where(EventRow.camera == camera)
        if person_id is not None:
            query = query.where(EventRow.person_id == person_id)
        with self._database.reading() as session:
            rows = session.execute(query.order_by(EventRow.id).limit(limit))
            return [StoredEvent(row.id, row.type, row.payload) for row in rows]

    def newest_id(self) -> int:
        """The highest id there is; 0 where there is none."""
        with self._database.reading() as session:
            return session.scalar(select(func.max(EventRow.id))) or 0

    def unpublished(self, before: datetime, limit: int) -> list[EventRow]:
        """Events of before some time that were never published: their writer ended too early."""
        with self._database.reading() as session:
            return list(
                session.scalars(
                    select(EventRow)
                    .where(EventRow.published.is_(False), EventRow.at < before)
                    .order_by(EventRow.id)
                    .limit(limit)
                )
            )

    def published(self, ids: Sequence[int]) -> None:
        """Kafka has these."""
        with self._database.writing() as session:
            session.execute(update(EventRow).where(EventRow.id.in_(ids)).values(published=True))
