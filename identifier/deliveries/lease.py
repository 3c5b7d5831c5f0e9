"""The cursor of a sink, and who may move it: of several identifiers one serves a sink at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from identifier.deliveries.values import EventLog
from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.memory.tables import DeliveryRow

LEASE_S = 30.0


class Lease:
    """A sink's row in `deliveries`, held by one owner until a moment that it keeps putting off.

    Moments are the database's own where it is a server, for the clocks of several machines differ.

    Args:
        database: shared by the identifiers.
        sink: key of the row.
        owner: this identifier; unlike any other's.
        lease_s: how long a lease lasts after its owner was last heard of, seconds.
    """

    def __init__(self, database: Database, sink: str, owner: str, lease_s: float = LEASE_S) -> None:
        self._database = database
        self._sink = sink
        self._owner = owner
        self.lease_s = lease_s

    def take(self, log: EventLog) -> int | None:
        """Become the owner if nobody is; the cursor, or None while another one serves the sink.

        A sink that was never served begins with the event after the newest: it is not told of the
        past.

        Raises:
            DBAPIError: the database is away.
        """
        newest = log.newest_id()
        try:
            with self._database.writing() as session:
                row = self._row(session)
                now = _now(session)
                if row is None:
                    row = DeliveryRow(sink=self._sink, last_event_id=newest)
                    session.add(row)
                elif row.owner not in ("", self._owner) and _after(row.owned_until, now):
                    return None
                self._hold(row, now)
                return row.last_event_id
        except IntegrityError:
            return None  # another one made the row at this moment

    def move(self, last_event_id: int | None = None) -> bool:
        """Stay the owner, and move the cursor; False when another one has taken over.

        Raises:
            DBAPIError: the database is away.
        """
        with self._database.writing() as session:
            row = self._row(session)
            if row is None or row.owner != self._owner:
                return False
            if last_event_id is not None:
                row.last_event_id = last_event_id
            self._hold(row, _now(session))
            return True

    def release(self) -> None:
        """Let another one take over at once.

        Raises:
            DBAPIError: the database is away.
        """
        with self._database.writing() as session:
            row = self._row(session)
            if row is not None and row.owner == self._owner:
                row.owner, row.owned_until = "", None

    def _row(self, session: Session) -> DeliveryRow | None:
        wanted = select(DeliveryRow).where(DeliveryRow.sink == self._sink).with_for_update()
        return session.scalar(wanted)

    def _hold(self, row: DeliveryRow, now: datetime) -> None:
        row.owner, row.owned_until = self._owner, now + timedelta(seconds=self.lease_s)


def _after(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and utc(moment) > now


def _now(session: Session) -> datetime:
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)  # one machine
    return utc(session.scalars(select(func.clock_timestamp())).one())
