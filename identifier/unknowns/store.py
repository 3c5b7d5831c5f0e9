"""Unknown people in the database: numbered as they are seen, listed, merged, ignored, deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from identifier.gallery.changes import changed
from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.gallery.tables import PersonRow
from identifier.memory.forgetting import forget_tracks
from identifier.memory.states import recogniser_of
from identifier.memory.tables import EventRow, NegativeRow, SightingRow, UnknownRow
from identifier.tracks.values import TrackState
from identifier.unknowns import listing
from identifier.unknowns.clusters import Cluster, Rule, assign, strengthen, weight_of
from identifier.unknowns.correcting import Corrections
from identifier.unknowns.index import Index, Kept
from identifier.unknowns.moving import become, move_all
from identifier.unknowns.naming import Naming
from identifier.unknowns.telling import telling
from identifier.unknowns.values import (
    NAMING,
    Deleted,
    Gallery,
    Media,
    Named,
    Said,
    UnknownError,
    UnknownInfo,
    UnknownPage,
)
from services.records import embeddings


class Unknowns:
    """The unknown people, shared by as many identifiers as open the same database.

    Safe to be used from any thread: writers take turns, see `Index`. Every method may raise
    SQLAlchemy's `DBAPIError` when the database is away.

    Args:
        database: the gallery's.
        rule: when faces are one person's, by the model pack's name; see `unknown_rules`.
        media: where crops are kept.
        gallery: takes crops as reference photos when an unknown is named.
        on_change: called after a change of what matching needs, once it is committed.
    """

    def __init__(
        self,
        database: Database,
        rule: Callable[[str], Rule],
        media: Media,
        gallery: Gallery,
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        self._database = database
        self._rule = rule
        self._media = media
        self._index = Index()
        self._naming = Naming(database, self._index, rule, media, gallery)
        self._corrections = Corrections(database, self._index, rule, on_change)
        self._on_change = on_change

    def lock(self, session: Session) -> None:
        """Be the only writer of unknowns until the transaction ends.

        `assign` does so itself. Who writes sightings before it in the same transaction calls this
        first, or two writers on PostgreSQL may wait for each other until one of them is refused.
        """
        self._index.lock(session)

    def assign(self, session: Session, state: TrackState) -> int | None:
        """The number of an unnamed track, the same for the same stranger at any time and place.

        To be called with every state that is written, before its sighting is: a track that has a
        number keeps it, a new one gets the nearest unknown's or a number of its own. When a track
        ends, its embedding counts once more, and unknowns that have come close become one.

        Args:
            session: of the transaction that writes the sighting; no savepoints.
            state: as it stands.

        Returns:
            The number; None for a track that is named or not confirmed yet.
        """
        if state.decision is not None or not state.confirmed:
            return None
        self._index.lock(session)
        known = session.execute(
            select(
                SightingRow.person_id,
                SightingRow.unknown_id,
                SightingRow.ended,
                SightingRow.found_by,
            ).where(SightingRow.id == state.id)
        ).one_or_none()
        if known is not None and known.unknown_id is not None:
            return self._again(session, known.unknown_id, state, ended_before=known.ended)
        if known is not None and known.person_id is not None and known.found_by == NAMING:
            return None
        recogniser = recogniser_of(state.models)
        return assign(
            self._index.of(recogniser),
            state.embedding,
            weight_of(state.best.quality),
            self._rule(state.models.name),
            Kept(session, recogniser, (state.first_at, state.last_at), state.id),
        )

    def is_ignored(self, session: Session, number: int) -> bool:
        """Whether events leave out an unknown."""
        return bool(session.scalar(select(UnknownRow.ignored).where(UnknownRow.id == number)))

    def list(
        self,
        *,
        limit: int = 50,
        after: str | None = None,
        named: bool = False,
        ignored: bool = False,
    ) -> UnknownPage:
        """Unknown people, newest seen first; see `listing.page`.

        Raises:
            RecordError: `bad-cursor`.
        """
        with self._database.reading() as session:
            return listing.page(session, limit=limit, after=after, named=named, ignored=ignored)

    def get(self, number: int) -> UnknownInfo:
        """One of them; a number that went into another gives the other.

        Raises:
            UnknownError: `no-such-unknown`.
        """
        with self._database.reading() as session:
            return listing.show(session, listing.find_unknown(session, number))

    def name(self, number: int, name: str) -> Named:
        """Make an unknown a person; see `Naming.name`."""
        return self._naming.name(number, name)

    def not_this_person(self, sighting_id: str) -> Said:
        """A sighting does not show whom it says; see `Corrections.not_this_person`."""
        return self._corrections.not_this_person(sighting_id)

    def this_is(self, sighting_id: str, person: str) -> Said:
        """A sighting shows this person; see `Corrections.this_is`."""
        return self._corrections.this_is(sighting_id, person)

    def merge(self, number: int, into: int) -> UnknownInfo:
        """Two unknowns are one: the first goes into the second, or the person it has become.

        Raises:
            UnknownError: `no-such-unknown`, `already-merged`, `already-named` (the first),
                `same-unknown`.
        """
        with self._database.writing() as session:
            self._index.lock(session)
            gone, survivor = _own(session, number), listing.find_unknown(session, into)
            if gone.id == survivor.id:
                raise UnknownError("same-unknown", f"Unknown {number} is Unknown {into} already")
            if gone.person_id is not None:
                raise UnknownError("already-named", f"Unknown {number} has a name: merge people")
            _join_centres(gone, survivor)
            with telling(session, SightingRow.unknown_id == gone.id):
                move_all(session, gone, survivor)
                if survivor.person_id is not None:
                    become(session, survivor, session.get_one(PersonRow, survivor.person_id))
            self._index.forget(gone.id)
            self._index.forget(survivor.id)
            if survivor.person_id is None:
                self._index.of(survivor.recogniser_sha256).put(survivor.id, _cluster(survivor))
            return listing.show(session, survivor)

    def ignore(self, number: int, ignored: bool) -> UnknownInfo:
        """Leave an unknown out of lists and events, or no longer.

        Raises:
            UnknownError: `no-such-unknown`.
        """
        with self._database.writing() as session:
            self._index.lock(session)
            row = listing.find_unknown(session, number)
            with telling(session, SightingRow.unknown_id == row.id):
                row.ignored = ignored
            return listing.show(session, row)

    def delete(self, number: int) -> Deleted:
        """Forget an unknown: sightings, crops, embeddings, events, the number.

        Crops go first, so that none is left over that nobody knows of; deleting again after a
        failure finishes the work.

        Raises:
            UnknownError: `no-such-unknown`, `already-merged`; `already-named`: erase the person.
        """
        with self._database.reading() as session:
            row = _own(session, number)
            _unnamed(row)
            crops = _crops(session, row.id)
        self._media.delete_many(crops)
        with self._database.writing() as session:
            self._index.lock(session)
            row = _own(session, number)
            _unnamed(row)
            late = [key for key in _crops(session, row.id) if key not in set(crops)]
            removed = _delete_rows(session, row)
            self._index.forget(number)
        self._media.delete_many(late)
        self._on_change()
        return Deleted(removed.sightings, len(crops) + len(late), removed.events)

    def forget_unseen(self, before: datetime) -> int:
        """Forget the faces of those who have no name, no sighting left, and were last seen before.

        For when sightings are kept for some time only; how many there were.
        """
        seen = select(SightingRow.id).where(SightingRow.unknown_id == UnknownRow.id).exists()
        with self._database.writing() as session:
            self._index.lock(session)
            gone = session.scalars(
                delete(UnknownRow)
                .where(
                    UnknownRow.person_id.is_(None),
                    UnknownRow.merged_into.is_(None),
                    UnknownRow.last_at < before,
                    ~seen,
                )
                .returning(UnknownRow.id)
                .execution_options(synchronize_session=False)
            ).all()
            for number in gone:
                self._index.forget(number)
        return len(gone)

    def _again(
        self, session: Session, number: int, state: TrackState, *, ended_before: bool
    ) -> int:
        row = session.get_one(UnknownRow, number)
        if utc(row.last_at) < state.last_at:
            row.last_at = state.last_at
        recogniser = recogniser_of(state.models)
        if (
            ended_before
            or not state.ended
            or row.person_id is not None
            or row.recogniser_sha256 != recogniser
        ):
            return number
        clusters = self._index.of(recogniser)
        clusters.put(number, _cluster(row))
        return strengthen(
            clusters,
            number,
            state.embedding,
            weight_of(state.best.quality),
            self._rule(state.models.name),
            Kept(session, recogniser, (state.first_at, state.last_at), state.id),
        )


def _own(session: Session, number: int) -> UnknownRow:
    """The row of a number that did not go into another."""
    row = listing.find_unknown(session, number)
    if row.id != number:
        raise UnknownError("already-merged", f"Unknown {number} is Unknown {row.id} now")
    return row


def _unnamed(row: UnknownRow) -> None:
    if row.person_id is not None:
        raise UnknownError("already-named", f"Unknown {row.id} has a name: erase the person")


def _cluster(row: UnknownRow) -> Cluster:
    return Cluster(embeddings.from_bytes(row.embedding), row.weight)


def _join_centres(gone: UnknownRow, survivor: UnknownRow) -> None:
    """The survivor's centre: both, or the one seen last where two recognisers made them."""
    if gone.recogniser_sha256 == survivor.recogniser_sha256:
        joined = _cluster(survivor).joined(_cluster(gone))
    elif utc(gone.last_at) > utc(survivor.last_at):
        survivor.recogniser_sha256 = gone.recogniser_sha256
        joined = _cluster(gone)
    else:
        return
    survivor.embedding = embeddings.to_bytes(joined.centre)
    survivor.weight = joined.weight


def _crops(session: Session, number: int) -> list[str]:
    return list(
        session.scalars(
            select(SightingRow.crop).where(SightingRow.unknown_id == number, SightingRow.crop != "")
        )
    )


def _delete_rows(session: Session, row: UnknownRow) -> Deleted:
    sightings = select(SightingRow.id).where(SightingRow.unknown_id == row.id)
    forget_tracks(session, session.scalars(sightings).all())
    of_them = NegativeRow.sighting_id.in_(sightings)
    not_them = set(session.scalars(select(NegativeRow.person_id).where(of_them)))
    session.execute(delete(NegativeRow).where(of_them))
    numbers = select(UnknownRow.id).where(
        or_(UnknownRow.id == row.id, UnknownRow.merged_into == row.id)
    )
    events = _count(
        session,
        EventRow,
        or_(EventRow.unknown_id.in_(numbers), EventRow.sighting_id.in_(sightings)),
    )
    count = _count(session, SightingRow, SightingRow.unknown_id == row.id)
    # Numbers that went into this one go with it, by the database.
    session.execute(delete(UnknownRow).where(UnknownRow.id == row.id))
    if not_them:
        changed(session, *not_them)
    return Deleted(count, 0, events)


def _count(
    session: Session,
    table: type[EventRow | SightingRow],
    condition: ColumnElement[bool],
) -> int:
    """Delete rows; how many there were."""
    return len(session.scalars(delete(table).where(condition).returning(table.id)).all())
