"""Reports of producers, and what each is told to run.

A camera runs on exactly one producer. Its lease is put off by every report; a producer that is
silent for `LEASE_S` has lost it, and has stopped it by itself. Nobody gets a camera that another
producer, heard of since, still says it runs: so nothing runs twice while it moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from pydantic import TypeAdapter
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from identifier.cameras.moments import present
from identifier.cameras.secrets import AddressBox, AddressUnreadable
from identifier.cameras.sharing import share_of
from identifier.cameras.shots import take_shots
from identifier.cameras.tables import CameraRow, ProducerRow
from identifier.cameras.values import LEASE_S, Given, Orders, Producer, Report
from identifier.gallery.database import Database
from identifier.gallery.rows import utc

log = structlog.get_logger()

_ALONE = 0x63616D73  # any number of ours: "cams"
_FORGOTTEN_AFTER_S = 300.0
_REPORTS = TypeAdapter(Report)


class Leases:
    """Hands cameras out to producers.

    Args:
        database: shared by the identifiers.
        box: decrypts addresses.
        lease_s: how long a camera stays with a producer that is silent, seconds.
    """

    def __init__(self, database: Database, box: AddressBox, lease_s: float = LEASE_S) -> None:
        self._database = database
        self._box = box
        self._unreadable: set[str] = set()
        self.lease_s = lease_s

    def report(self, producer: str, report: Report) -> Orders:
        """Note what a producer says, and tell it what to run.

        Raises:
            SettingsError: the key of the addresses cannot be had.
            DBAPIError: the database is away.
        """
        with self._database.writing() as session:
            _wait_for_others(session)
            now = present(session)
            _note(session, producer, report, now)
            others = [p for p in heard_of(session, now, self.lease_s) if p.id != producer]
            if report.leaving:
                session.execute(delete(ProducerRow).where(ProducerRow.id == producer))
            if report.leaving or not report.follows:
                _free(session, producer)
                return Orders((), (), ())
            rows = session.scalars(select(CameraRow).order_by(CameraRow.id)).all()
            mine = self._hand_out(producer, report, rows, others, now)
            return Orders(
                cameras=self._given([row for row in rows if row.name in mine]),
                shots=take_shots(session, self._box, producer, now),
                taken=_taken(rows, others, mine),
            )

    def producers(self) -> list[Producer]:
        """All that have reported of late, by their ids.

        Raises:
            DBAPIError: the database is away.
        """
        with self._database.reading() as session:
            return heard_of(session, present(session), self.lease_s)

    def _hand_out(
        self,
        producer: str,
        report: Report,
        rows: Sequence[CameraRow],
        others: Sequence[Producer],
        now: datetime,
    ) -> set[str]:
        own = {c.name for p in others for c in p.report.cameras if c.own}
        own |= {camera.name for camera in report.cameras if camera.own}
        wanted = [row for row in rows if row.enabled and row.name not in own]
        elsewhere = {camera.name for other in others for camera in other.report.cameras}
        alive = {producer, *(other.id for other in others if other.report.follows)}
        holders = {row.name: _holder(row, now, alive) for row in wanted}
        mine = set(share_of(producer, holders, alive, elsewhere))
        for row in rows:
            if row.name in mine:
                row.leased_by, row.leased_until = producer, now + timedelta(seconds=self.lease_s)
            elif row.leased_by == producer:
                row.leased_by, row.leased_until = None, None
        return mine

    def _given(self, rows: Sequence[CameraRow]) -> tuple[Given, ...]:
        given = []
        for row in rows:
            try:
                address = self._box.open(row.address)
            except AddressUnreadable as error:
                if row.name not in self._unreadable:
                    self._unreadable.add(row.name)
                    log.error("camera cannot run", camera=row.name, error=str(error))  # noqa: TRY400
                continue
            self._unreadable.discard(row.name)
            given.append(Given(row.name, address, row.fps, row.max_side))
        return tuple(given)


def heard_of(session: Session, now: datetime, within_s: float) -> list[Producer]:
    """Producers that have reported within so many seconds, by their ids."""
    since = now - timedelta(seconds=within_s)
    rows = session.scalars(
        select(ProducerRow).where(ProducerRow.last_seen > since).order_by(ProducerRow.id)
    )
    return [Producer(r.id, utc(r.last_seen), _REPORTS.validate_json(r.report)) for r in rows]


def _wait_for_others(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer anyway
        session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ALONE})


def _note(session: Session, producer: str, report: Report, now: datetime) -> None:
    forgotten = now - timedelta(seconds=_FORGOTTEN_AFTER_S)
    session.execute(delete(ProducerRow).where(ProducerRow.last_seen < forgotten))
    session.merge(
        ProducerRow(
            id=producer,
            last_seen=now,
            version=report.version,
            report=_REPORTS.dump_json(report).decode(),
        )
    )
    session.flush()


def _free(session: Session, producer: str) -> None:
    session.execute(
        update(CameraRow)
        .where(CameraRow.leased_by == producer)
        .values(leased_by=None, leased_until=None)
    )


def _holder(row: CameraRow, now: datetime, alive: set[str]) -> str | None:
    if row.leased_by not in alive or row.leased_until is None or utc(row.leased_until) <= now:
        return None
    return row.leased_by


def _taken(
    rows: Sequence[CameraRow], others: Sequence[Producer], mine: set[str]
) -> tuple[str, ...]:
    names = {row.name for row in rows}
    names |= {c.name for other in others for c in other.report.cameras if c.own}
    return tuple(sorted(names - mine))
