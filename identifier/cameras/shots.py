"""Test shots: one picture of an address, taken by a producer, before a camera is saved.

A shot is a row that any identifier makes and any producer takes; it is gone when it was looked at,
after a minute at the latest.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from identifier.cameras.addresses import check_address
from identifier.cameras.moments import present
from identifier.cameras.secrets import AddressBox, AddressUnreadable
from identifier.cameras.tables import ShotRow
from identifier.cameras.values import SHOT_KEPT_S, Shot, WantedShot
from identifier.gallery.database import Database
from services.errors import RecordError

log = structlog.get_logger()

AT_ONCE = 2
"""Shots that one producer takes at a time."""

_MOST_WAITING = 32
_LONGEST_ERROR = 500


class Shots:
    """Wanted pictures; safe to use from any thread.

    Args:
        database: shared by the identifiers.
        box: encrypts addresses.
        files: whether paths on the producers' machines are allowed.
    """

    def __init__(self, database: Database, box: AddressBox, *, files: bool = False) -> None:
        self._database = database
        self._box = box
        self._files = files

    def want(self, address: str) -> str:
        """Ask for a picture; gives the id of the shot.

        Raises:
            RecordError: `bad-address`, or `too-many-shots` while so many are waited for.
            SettingsError: the key of the addresses cannot be had.
            DBAPIError: the database is away.
        """
        check_address(address, files=self._files)
        shot = uuid.uuid4().hex
        with self._database.writing() as session:
            now = present(session)
            _sweep(session, now)
            if (session.scalar(select(func.count()).select_from(ShotRow)) or 0) >= _MOST_WAITING:
                raise RecordError("too-many-shots", "many test shots are being taken: try again")
            session.add(
                ShotRow(id=shot, address=self._box.seal(address), state="wanted", created_at=now)
            )
        return shot

    def look(self, shot: str) -> Shot | None:
        """How a shot stands; None when there is none."""
        with self._database.reading() as session:
            row = session.get(ShotRow, shot)
            return None if row is None else Shot(row.state, row.jpeg, row.reason, row.error)

    def deliver(self, shot: str, producer: str, jpeg: bytes) -> bool:
        """Keep the picture; False when that producer was not asked for it, or too long ago."""
        return self._end(shot, producer, "done", jpeg, "", "")

    def fail(self, shot: str, producer: str, reason: str, error: str) -> bool:
        """Keep why there is no picture; False as above."""
        return self._end(shot, producer, "failed", None, reason, error[:_LONGEST_ERROR])

    def forget(self, shot: str) -> None:
        """Remove a shot with its address and picture."""
        with self._database.writing() as session:
            session.execute(delete(ShotRow).where(ShotRow.id == shot))

    def _end(
        self, shot: str, producer: str, state: str, jpeg: bytes | None, reason: str, error: str
    ) -> bool:
        with self._database.writing() as session:
            row = session.get(ShotRow, shot, with_for_update=True)
            if row is None or row.producer != producer or row.state != "taken":
                return False
            row.state, row.jpeg, row.reason, row.error = state, jpeg, reason, error
            return True


def take_shots(
    session: Session, box: AddressBox, producer: str, now: datetime
) -> tuple[WantedShot, ...]:
    """Shots that nobody is at, for a producer to take; the oldest first."""
    _sweep(session, now)
    busy = session.scalar(
        select(func.count())
        .select_from(ShotRow)
        .where(ShotRow.producer == producer, ShotRow.state == "taken")
    )
    rows = session.scalars(
        select(ShotRow)
        .where(ShotRow.state == "wanted")
        .order_by(ShotRow.created_at)
        .limit(max(0, AT_ONCE - (busy or 0)))
        .with_for_update(skip_locked=True)
    )
    taken = []
    for row in rows:
        try:
            taken.append(WantedShot(row.id, box.open(row.address)))
        except AddressUnreadable:
            continue  # an identifier that has the key will hand it out
        row.state, row.producer = "taken", producer
    return tuple(taken)


def _sweep(session: Session, now: datetime) -> None:
    old = now - timedelta(seconds=SHOT_KEPT_S)
    session.execute(delete(ShotRow).where(ShotRow.created_at < old))
