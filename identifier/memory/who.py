"""Whom a sighting shows, as events tell it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from identifier.gallery.tables import PersonRow
from identifier.memory.events import Who
from identifier.memory.tables import SightingRow, UnknownRow


def who_is_in(session: Session, row: SightingRow) -> Who | None:
    """The person or the unknown; None for somebody to be ignored, or nobody."""
    if row.person_id is not None:
        person = session.get(PersonRow, row.person_id)
        return None if person is None else Who(person.id, person.slug, person.name)
    if row.unknown_id is None:
        return None
    unknown = session.get(UnknownRow, row.unknown_id)
    return None if unknown is None or unknown.ignored else Who(unknown=row.unknown_id)
