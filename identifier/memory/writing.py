"""Tracks into rows: one sighting per track, however often it is written; events as it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.gallery.tables import PersonRow, PhotoRow
from identifier.memory.crops import face_crop
from identifier.memory.events import Who, add_event
from identifier.memory.forgetting import forgotten
from identifier.memory.media import Media
from identifier.memory.states import fill, fill_best, fill_match
from identifier.memory.tables import EventRow, NegativeRow, SightingRow
from identifier.memory.who import who_is_in
from identifier.tracks.values import Decision, TrackState

LIVE, NAMING = "live", "naming"

Assign = Callable[[Session, TrackState], int | None]
"""Gives an unnamed track its number, within the transaction that writes it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch came to.

    Attributes:
        unknowns: number of the unknown person by track; None where it has none.
        events: that happened, in order.
    """

    unknowns: dict[str, int | None]
    events: list[EventRow]


@dataclass(frozen=True, slots=True)
class _Crop:
    key: str
    quality: float
    is_new: bool


class SightingWriter:
    """Writes batches of tracks.

    Args:
        database: the gallery's.
        media: where crops go.
        assign: numbers the unknown.
        lock: taken first in every transaction that may call `assign`.
    """

    def __init__(
        self,
        database: Database,
        media: Media,
        assign: Assign,
        lock: Callable[[Session], None],
    ) -> None:
        self._database = database
        self._media = media
        self._assign = assign
        self._lock = lock

    def lock(self, session: Session) -> None:
        """Be the only one who makes events until the session's transaction ends."""
        self._lock(session)

    def write(self, states: Sequence[TrackState]) -> Written:
        """Bring the rows up to these states, and note who came and who went.

        A state that is older than its row changes nothing.

        Raises:
            DBAPIError: the database is away.
            OSError: the crops cannot be kept.
        """
        ordered = sorted(
            (state for state in states if state.confirmed), key=lambda s: (s.first_at, s.id)
        )
        if not ordered:
            return Written({}, [])
        crops = self._keep_crops(ordered)
        replaced: list[str] = []
        try:
            with self._database.writing() as session:
                self._lock(session)
                written = self._write(session, ordered, crops, replaced)
        except BaseException:
            self._media.delete_many(crop.key for crop in crops.values() if crop.is_new)
            raise
        self._media.delete_many(replaced)
        return written

    def _keep_crops(self, states: Sequence[TrackState]) -> dict[str, _Crop]:
        """Put better faces into the media, before the transaction: storage may be far away."""
        with self._database.reading() as session:
            known = {
                row.id: row
                for row in session.execute(
                    select(
                        SightingRow.id,
                        SightingRow.quality,
                        SightingRow.crop,
                        SightingRow.last_seq,
                        SightingRow.ended,
                    ).where(SightingRow.id.in_([state.id for state in states]))
                )
            }
        crops = {}
        for state in states:
            row = known.get(state.id)
            if row is not None and _is_old(state, row.last_seq, ended=row.ended):
                continue
            if row is not None and row.crop and row.quality >= state.best.quality:
                continue
            if state.best.jpeg and (jpeg := face_crop(state.best)) is not None:
                key = self._media.put(row.crop or None if row else None, jpeg)
                is_new = row is None or not row.crop
                crops[state.id] = _Crop(key, state.best.quality, is_new)
        return crops

    def _write(
        self,
        session: Session,
        states: Sequence[TrackState],
        crops: dict[str, _Crop],
        replaced: list[str],
    ) -> Written:
        known = _Known(session, states)
        unknowns: dict[str, int | None] = {}
        events: list[EventRow] = []
        for state in states:
            row = known.rows.get(state.id)
            crop = crops.get(state.id)
            if state.id in known.forgotten:
                unknowns[state.id] = None
                replaced += [] if crop is None else [crop.key]
                continue
            if row is not None and _is_old(state, row.last_seq, ended=row.ended):
                unknowns[state.id] = row.unknown_id
                replaced += [crop.key] if crop is not None and crop.is_new else []
                continue
            before = None if row is None or row.ended else who_is_in(session, row)
            is_new, row = row is None, row or SightingRow(id=state.id, found_by=LIVE, crop="")
            decision = known.decision(state)
            self._decide(session, known, row, state, decision, is_new)
            fill(row, state)
            if is_new or state.best.quality > row.quality:
                fill_best(row, state.best)
            if crop is not None and crop.key != row.crop:
                replaced += [row.crop] if row.crop else []
                row.crop = crop.key
            if is_new:
                session.add(row)
                known.rows[row.id] = row
            session.flush()
            unknowns[row.id] = row.unknown_id
            events += self._happened(session, row, before, who_is_in(session, row), state.last_at)
        return Written(unknowns, events)

    def _decide(
        self,
        session: Session,
        known: _Known,
        row: SightingRow,
        state: TrackState,
        decision: Decision | None,
        is_new: bool,
    ) -> None:
        """Say in the row who it is; what a user said stays."""
        if not is_new and row.found_by == NAMING:
            return
        if decision is None and row.person_id is not None and row.found_by != LIVE:
            return  # found in the log meanwhile, by someone enrolled later
        if decision is None:
            row.person_id = None
            row.unknown_id = self._assign(session, replace(state, decision=None))
            fill_match(row, None)
            return
        if row.person_id != known.people[decision.slug].id:
            row.found_by = LIVE
        row.person_id, row.unknown_id = known.people[decision.slug].id, None
        fill_match(row, decision)
        photo = known.photos.get(decision.reference)
        row.reference_sha256 = "" if photo is None else photo.sha256
        row.reference_at = None if photo is None else utc(photo.created_at)

    def _happened(
        self,
        session: Session,
        row: SightingRow,
        before: Who | None,
        now: Who | None,
        at: datetime,
    ) -> list[EventRow]:
        events = []
        if before is not None and before != now:
            events.append(add_event(session, row, before, enter=False, at=at))
        # The row was ended before where `before` is None: a track that is written again as it
        # was has nothing new to tell.
        if now is not None and before != now and not _told(session, row, now):
            events.append(add_event(session, row, now, enter=True, at=utc(row.started_at)))
            before = now
        if now is not None and row.ended and before == now:
            events.append(add_event(session, row, now, enter=False, at=at))
        return events


def _is_old(state: TrackState, last_seq: int, *, ended: bool) -> bool:
    """Whether a row has come further than a state: a track ends without another frame."""
    return state.last_seq < last_seq or (state.last_seq == last_seq and ended > state.ended)


def _told(session: Session, row: SightingRow, who: Who) -> bool:
    """Whether the last that was told of an ended sighting is that this one went."""
    if not row.ended:
        return False
    last = session.execute(
        select(EventRow.type, EventRow.person_id, EventRow.unknown_id)
        .where(EventRow.sighting_id == row.id)
        .order_by(EventRow.id.desc())
        .limit(1)
    ).first()
    if last is None:
        return False
    same = (last.person_id, last.unknown_id) == (who.person_id, who.unknown)
    return same and last.type.endswith("_exit")


class _Known:
    """What the rows of a batch need from other tables, looked up once."""

    def __init__(self, session: Session, states: Sequence[TrackState]) -> None:
        ids = [state.id for state in states]
        decisions = [state.decision for state in states if state.decision is not None]
        rows = session.scalars(select(SightingRow).where(SightingRow.id.in_(ids)).with_for_update())
        self.rows = {row.id: row for row in rows}
        self.forgotten = forgotten(session, ids)  # after the rows: what is locked is settled
        self.people = {
            row.slug: row
            for row in session.scalars(
                select(PersonRow).where(PersonRow.slug.in_({d.slug for d in decisions}))
            )
        }
        self.photos = {
            row.id: row
            for row in session.execute(
                select(PhotoRow.id, PhotoRow.sha256, PhotoRow.created_at).where(
                    PhotoRow.id.in_({d.reference for d in decisions})
                )
            )
        }
        self._denied = {
            (row.sighting_id, row.person_id)
            for row in session.execute(
                select(NegativeRow.sighting_id, NegativeRow.person_id).where(
                    NegativeRow.sighting_id.in_(ids)
                )
            )
        }

    def decision(self, state: TrackState) -> Decision | None:
        """The track's, unless the person is gone or a user said it is somebody else."""
        decision = state.decision
        person = None if decision is None else self.people.get(decision.slug)
        if person is None or (state.id, person.id) in self._denied:
            return None
        return decision
