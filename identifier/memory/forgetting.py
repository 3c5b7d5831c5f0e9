"""Faces that are to be forgotten while they are still in view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from identifier.gallery.tables import now
from identifier.memory.tables import ForgottenRow, SightingRow

_MAY_BE_FOLLOWED_FOR = timedelta(minutes=10)


def forget_tracks(session: Session, sightings: Sequence[str]) -> None:
    """Do not write these sightings again; to be called before they are deleted.

    Whoever follows a face goes on writing its track, and knows nothing of what was erased. Only of
    those that are open, or were a moment ago, an id is kept, for a day.
    """
    followed = session.scalars(
        select(SightingRow.id).where(
            SightingRow.id.in_(sightings),
            or_(
                SightingRow.ended.is_(False),
                SightingRow.updated_at >= now() - _MAY_BE_FOLLOWED_FOR,
            ),
        )
    ).all()
    for track in followed:
        session.merge(ForgottenRow(id=track))


def forgotten(session: Session, tracks: Sequence[str]) -> set[str]:
    """Which of these tracks are not to be written any more."""
    return set(session.scalars(select(ForgottenRow.id).where(ForgottenRow.id.in_(tracks))))
