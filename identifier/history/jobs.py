"""Backfills as rows: made, claimed by one identifier at a time, moved on, ended."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.gallery.tables import PersonRow
from identifier.memory.tables import BackfillRow

OPEN = ("queued", "running")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAR = datetime(9000, 1, 1, tzinfo=UTC)
_LONGEST_ERROR = 1_000


@dataclass(frozen=True, slots=True)
class Backfill:
    """How far a backfill is.

    Attributes:
        id: 32 hex digits.
        slug: of the person.
        name: of the person when it was asked for.
        since: from which time on the log is read, UTC.
        state: `queued`, `running`, `done`, `failed` or `cancelled`.
        faces: that were looked at.
        faces_total: about how many there are to look at; 0 until it runs.
        hits: faces that were the person's.
        sightings: rows it made, or gave the name to.
        rate_faces_s: faces per second of late.
        error: one sentence where it failed.
        created_at: UTC.
        ended_at: UTC; None while it is open.
    """

    id: str
    slug: str = field(repr=False)
    name: str = field(repr=False)
    since: datetime
    state: str
    faces: int
    faces_total: int
    hits: int
    sightings: int
    rate_faces_s: float
    error: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A backfill that is this identifier's for a while.

    Attributes:
        id: of the backfill.
        person_id: who is looked for.
        since: from which time on, UTC.
        positions: next offset by partition; empty before the first look at the log.
        ends: offset by partition where it ends.
        faces: looked at before.
        faces_total: as found at the first look.
        hits: found before.
        sightings: made before.
    """

    id: str
    person_id: int
    since: datetime
    positions: Mapping[int, int]
    ends: Mapping[int, int]
    faces: int
    faces_total: int
    hits: int
    sightings: int


class LostClaimError(Exception):
    """The backfill was cancelled, erased, or is another identifier's by now."""


class Jobs:
    """The table of backfills.

    Every method may raise SQLAlchemy's `DBAPIError` when the database is away.

    Args:
        database: the gallery's.
        owner: a name that no other identifier has.
        lease_s: how long a claim lasts without a sign of life, seconds.
    """

    def __init__(self, database: Database, owner: str, lease_s: float) -> None:
        self._database = database
        self._owner = owner
        self._lease = timedelta(seconds=lease_s)

    def add(self, slug: str, since: datetime) -> Backfill | None:
        """Queue a backfill; None when there is no such person.

        One that waits already and reaches as far back is enough.
        """
        since = min(max(since, _EPOCH), _FAR).astimezone(UTC)
        with self._database.writing() as session:
            person = session.scalar(select(PersonRow).where(PersonRow.slug == slug))
            if person is None:
                return None
            row = session.scalar(
                select(BackfillRow).where(
                    BackfillRow.person_id == person.id,
                    BackfillRow.state == "queued",
                    BackfillRow.since <= since,
                )
            )
            if row is None:
                row = BackfillRow(
                    id=uuid.uuid4().hex,
                    person_id=person.id,
                    name=person.name,
                    since=since,
                    state="queued",
                )
                session.add(row)
                session.flush()
            return _backfill(row, person.slug)

    def get(self, backfill_id: str) -> Backfill | None:
        """One backfill; None when there is none."""
        with self._database.reading() as session:
            found = session.execute(_joined().where(BackfillRow.id == backfill_id)).first()
            return None if found is None else _backfill(*found)

    def listed(self, limit: int, after: str | None) -> list[Backfill]:
        """Backfills, newest first, those after the one of that id."""
        with self._database.reading() as session:
            query = _joined().order_by(BackfillRow.created_at.desc(), BackfillRow.id.desc())
            last = None if after is None else session.get(BackfillRow, after)
            if last is not None:
                same_time = and_(
                    BackfillRow.created_at == last.created_at, BackfillRow.id < last.id
                )
                query = query.where(or_(BackfillRow.created_at < last.created_at, same_time))
            return [_backfill(*found) for found in session.execute(query.limit(limit))]

    def cancel(self, backfill_id: str) -> Backfill | None:
        """End a backfill, if it has not ended; None when there is none."""
        with self._database.writing() as session:
            session.execute(
                update(BackfillRow)
                .where(BackfillRow.id == backfill_id, BackfillRow.state.in_(OPEN))
                .values(state="cancelled", ended_at=datetime.now(UTC), rate_faces_s=0.0, owner="")
            )
        return self.get(backfill_id)

    def claim(self) -> Claim | None:
        """Take the oldest backfill that nobody works on; None when there is none."""
        now = datetime.now(UTC)
        other = aliased(BackfillRow)
        # Two at once over the same hours would not see each other's rows.
        same_person = exists().where(
            other.person_id == BackfillRow.person_id,
            other.id != BackfillRow.id,
            other.state == "running",
            other.owner.not_in(("", self._owner)),
            other.owned_until >= now,
        )
        free = and_(
            BackfillRow.state.in_(OPEN),
            or_(
                BackfillRow.owner.in_(("", self._owner)),
                BackfillRow.owned_until.is_(None),
                BackfillRow.owned_until < now,
            ),
            ~same_person,
        )
        with self._database.writing() as session:
            row = session.scalar(
                select(BackfillRow)
                .where(free)
                .order_by(BackfillRow.created_at, BackfillRow.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if row is None:
                return None
            row.state, row.owner, row.owned_until = "running", self._owner, now + self._lease
            return Claim(
                id=row.id,
                person_id=row.person_id,
                since=utc(row.since),
                positions=_offsets(row.positions),
                ends=_offsets(row.ends),
                faces=row.faces,
                faces_total=row.faces_total,
                hits=row.hits,
                sightings=row.sightings,
            )

    def found_bounds(
        self, claim: Claim, positions: Mapping[int, int], ends: Mapping[int, int]
    ) -> None:
        """Write down where the log begins and ends for a backfill.

        Raises:
            LostClaimError: it is not ours.
        """
        total = sum(ends[partition] - position for partition, position in positions.items())
        with self._database.writing() as session:
            self._update(
                session, claim, positions=_json(positions), ends=_json(ends), faces_total=total
            )

    def moved(
        self,
        session: Session,
        claim: Claim,
        *,
        positions: Mapping[int, int],
        faces: int,
        hits: int,
        sightings: int,
        rate_faces_s: float,
    ) -> None:
        """Write down how far a backfill is, in the transaction of its sightings.

        Raises:
            LostClaimError: it is not ours.
        """
        self._update(
            session,
            claim,
            positions=_json(positions),
            faces=faces,
            hits=hits,
            sightings=sightings,
            rate_faces_s=rate_faces_s,
        )

    def done(self, claim: Claim) -> None:
        """The log is read to the end."""
        self._end(claim, state="done", faces_total=BackfillRow.faces)

    def failed(self, claim: Claim, error: str) -> None:
        """It cannot go on."""
        self._end(claim, state="failed", error=error[:_LONGEST_ERROR])

    def release(self, claim: Claim) -> None:
        """Let go of a backfill that is not done, for anyone to go on with."""
        with self._database.writing() as session:
            session.execute(
                update(BackfillRow)
                .where(self._ours(claim))
                .values(owner="", owned_until=None, rate_faces_s=0.0)
            )

    def _end(self, claim: Claim, **values: object) -> None:
        with self._database.writing() as session:
            session.execute(
                update(BackfillRow)
                .where(self._ours(claim))
                .values(
                    ended_at=datetime.now(UTC),
                    owner="",
                    owned_until=None,
                    **values,
                )
            )

    def _update(self, session: Session, claim: Claim, **values: object) -> None:
        changed = session.execute(
            update(BackfillRow)
            .where(self._ours(claim))
            .values(owned_until=datetime.now(UTC) + self._lease, **values)
            .returning(BackfillRow.id)
        )
        if changed.first() is None:
            raise LostClaimError

    def _ours(self, claim: Claim) -> ColumnElement[bool]:
        return and_(
            BackfillRow.id == claim.id,
            BackfillRow.state == "running",
            BackfillRow.owner == self._owner,
        )


def _joined() -> Select[BackfillRow, str]:
    return select(BackfillRow, PersonRow.slug).join(
        PersonRow, PersonRow.id == BackfillRow.person_id
    )


def _offsets(text: str) -> dict[int, int]:
    return {int(partition): int(offset) for partition, offset in json.loads(text).items()}


def _json(offsets: Mapping[int, int]) -> str:
    return json.dumps({str(partition): offset for partition, offset in sorted(offsets.items())})


def _backfill(row: BackfillRow, slug: str) -> Backfill:
    return Backfill(
        id=row.id,
        slug=slug,
        name=row.name,
        since=utc(row.since),
        state=row.state,
        faces=min(row.faces, row.faces_total) if row.faces_total else row.faces,
        faces_total=row.faces_total,
        hits=row.hits,
        sightings=row.sightings,
        rate_faces_s=row.rate_faces_s,
        error=row.error,
        created_at=utc(row.created_at),
        ended_at=None if row.ended_at is None else utc(row.ended_at),
    )
