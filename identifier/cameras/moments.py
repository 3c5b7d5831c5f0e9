"""The present, as everyone who shares the database sees it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from identifier.gallery.rows import utc


def present(session: Session) -> datetime:
    """The database's own time where it is a server: clocks of several machines differ."""
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)  # one machine
    return utc(session.scalars(select(func.clock_timestamp())).one())
