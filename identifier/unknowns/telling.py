"""Events for those who are there now, when it is said or found out who they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from identifier.gallery.tables import now
from identifier.memory.events import add_event
from identifier.memory.tables import SightingRow
from identifier.memory.who import who_is_in


@contextmanager
def telling(session: Session, which: ColumnElement[bool]) -> Iterator[None]:
    """Whom an open sighting showed has gone, and whom it shows after the change has come.

    Args:
        session: of the transaction that makes the change.
        which: the sightings that may change; those that have ended are history.
    """
    there = [
        (row, who_is_in(session, row))
        for row in session.scalars(select(SightingRow).where(SightingRow.ended.is_(False), which))
    ]
    yield
    session.flush()
    for row, before in there:
        after = who_is_in(session, row)
        if before == after:
            continue
        if before is not None:
            add_event(session, row, before, enter=False, at=now())
        if after is not None:
            add_event(session, row, after, enter=True, at=now())
