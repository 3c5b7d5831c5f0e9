"""Cameras that were added at run time: kept with their addresses encrypted."""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from identifier.cameras.addresses import check_address
from identifier.cameras.leases import heard_of
from identifier.cameras.moments import present
from identifier.cameras.secrets import AddressBox, AddressUnreadable
from identifier.cameras.tables import CameraRow
from identifier.cameras.values import LEASE_S, Camera, CameraChange
from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from services.addresses import redact
from services.errors import RecordError
from services.records.frames import valid_camera_name

log = structlog.get_logger()

MOST_CAMERAS = 1_000


class Cameras:
    """Adds, changes, removes and lists cameras; safe to use from any thread.

    Args:
        database: shared by the identifiers.
        box: encrypts addresses.
        files: whether paths on the producers' machines are allowed.
    """

    def __init__(self, database: Database, box: AddressBox, *, files: bool = False) -> None:
        self._database = database
        self._box = box
        self._files = files

    def add(
        self,
        name: str,
        address: str,
        *,
        enabled: bool = True,
        fps: float = 0.0,
        max_side: int = 0,
    ) -> Camera:
        """Keep a camera.

        Raises:
            RecordError: `bad-name`, `bad-address`, `name-taken` or `too-many-cameras`.
            SettingsError: the key of the addresses cannot be had.
            DBAPIError: the database is away.
        """
        if not valid_camera_name(name):
            raise RecordError(
                "bad-name", "a camera's name has 1 to 64 of A-Z a-z 0-9 _ . -, and not dots alone"
            )
        check_address(address, files=self._files)
        try:
            with self._database.writing() as session:
                now = present(session)
                self._refuse_taken(session, name, now)
                row = CameraRow(
                    name=name,
                    address=self._box.seal(address),
                    shown=redact(address),
                    enabled=enabled,
                    fps=fps,
                    max_side=max_side,
                    created_at=now,
                    changed_at=now,
                )
                session.add(row)
                session.flush()
                return self._camera(row, now)
        except IntegrityError:
            raise _taken(name) from None

    def change(self, name: str, change: CameraChange) -> Camera | None:
        """Change a camera; None when there is none.

        Raises:
            RecordError: `bad-address`.
            SettingsError: the key of the addresses cannot be had.
            DBAPIError: the database is away.
        """
        if change.address is not None:
            check_address(change.address, files=self._files)
        with self._database.writing() as session:
            row = _row(session, name)
            if row is None:
                return None
            if change.address is not None:
                row.address = self._box.seal(change.address)
                row.shown = redact(change.address)
            if change.enabled is not None:
                row.enabled = change.enabled
            if change.fps is not None:
                row.fps = change.fps
            if change.max_side is not None:
                row.max_side = change.max_side
            now = present(session)
            row.changed_at = now
            return self._camera(row, now)

    def remove(self, name: str) -> bool:
        """Forget a camera with its address; False when there is none.

        Raises:
            DBAPIError: the database is away.
        """
        with self._database.writing() as session:
            row = _row(session, name)
            if row is None:
                return False
            session.delete(row)
            return True

    def check_key(self) -> None:
        """Say in the log which cameras cannot run, for their key is not here.

        Raises:
            SettingsError: the key of the addresses cannot be had.
            DBAPIError: the database is away.
        """
        with self._database.reading() as session:
            rows = session.scalars(select(CameraRow).order_by(CameraRow.id)).all()
        unreadable = []
        for row in rows:
            try:
                self._box.open(row.address)
            except AddressUnreadable as error:
                unreadable.append(row.name)
                why = str(error)
        if unreadable:
            log.error("cameras cannot run", cameras=unreadable, error=why)

    def get(self, name: str) -> Camera | None:
        """One camera; None when there is none."""
        with self._database.reading() as session:
            row = _row(session, name)
            return None if row is None else self._camera(row, present(session))

    def all(self) -> list[Camera]:
        """Every camera, in the order they were added."""
        with self._database.reading() as session:
            now = present(session)
            rows = session.scalars(select(CameraRow).order_by(CameraRow.id))
            return [self._camera(row, now) for row in rows]

    def address_of(self, name: str) -> str | None:
        """The address of a camera, for a test shot of it; None when there is none.

        Raises:
            AddressUnreadable: another key encrypted it.
        """
        with self._database.reading() as session:
            row = _row(session, name)
            return None if row is None else self._box.open(row.address)

    def _refuse_taken(self, session: Session, name: str, now: datetime) -> None:
        if _row(session, name) is not None:
            raise _taken(name)
        for producer in heard_of(session, now, LEASE_S):
            if any(camera.name == name and camera.own for camera in producer.report.cameras):
                raise _taken(name)
        if (session.scalar(select(func.count()).select_from(CameraRow)) or 0) >= MOST_CAMERAS:
            raise RecordError("too-many-cameras", f"there are {MOST_CAMERAS} cameras already")

    def _camera(self, row: CameraRow, now: datetime) -> Camera:
        held = row.leased_until is not None and utc(row.leased_until) > now
        return Camera(
            name=row.name,
            shown=row.shown,
            enabled=row.enabled,
            fps=row.fps,
            max_side=row.max_side,
            created_at=utc(row.created_at),
            changed_at=utc(row.changed_at),
            producer=row.leased_by if held else None,
            readable=self._box.can_open(row.address),
        )


def _row(session: Session, name: str) -> CameraRow | None:
    return session.scalar(select(CameraRow).where(CameraRow.name == name))


def _taken(name: str) -> RecordError:
    return RecordError("name-taken", f"there is a camera {name} already")
