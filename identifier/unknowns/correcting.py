"""What a user says about one sighting: it is not this person, or it is."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from identifier.gallery.changes import changed
from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.gallery.tables import PersonRow
from identifier.memory.tables import EventRow, NegativeRow, SightingRow, UnknownRow
from identifier.names import clean_name
from identifier.unknowns.clusters import Cluster, Rule, assign, weight_of
from identifier.unknowns.index import Index, Kept
from identifier.unknowns.naming import find_person
from identifier.unknowns.telling import telling
from identifier.unknowns.values import NAMING, Said, UnknownError
from services.records import embeddings

_RECENT = 500


class Corrections:
    """Keeps what was said: matching does not change it, however often the frames are read again.

    Args:
        database: the gallery's.
        index: of the unknowns.
        rule: when faces are one person's, by the model pack's name.
        on_change: called once a change of what matching needs is committed.
    """

    def __init__(
        self,
        database: Database,
        index: Index,
        rule: Callable[[str], Rule],
        on_change: Callable[[], object],
    ) -> None:
        self._database = database
        self._index = index
        self._rule = rule
        self._on_change = on_change

    def not_this_person(self, sighting_id: str) -> Said:
        """Take a sighting away from its person and give it an unknown's number.

        The face is remembered: no face that is more like it than like the person's photos is given
        that name any more.

        Raises:
            UnknownError: `no-such-sighting`, `nobody-named`.
        """
        with self._database.writing() as session:
            self._index.lock(session)
            row = _sighting(session, sighting_id)
            wrong = row.person_id
            if wrong is None:
                raise UnknownError("nobody-named", "this sighting has no name")
            with telling(session, SightingRow.id == row.id):
                _remember_negative(session, row, wrong)
                _forget_who(row)
                row.unknown_id = self._number(session, row)
            said = Said(row.id, None, None, row.unknown_id)
            changed(session, wrong)
        self._on_change()
        return said

    def this_is(self, sighting_id: str, person: str) -> Said:
        """Give a sighting to a person; whom it said before is remembered as wrong.

        An unknown that has no other sighting becomes that person too.

        Args:
            sighting_id: 32 hex digits.
            person: slug or name of someone who is in the gallery.

        Raises:
            UnknownError: `no-such-sighting`, `no-such-person`.
            RecordError: `bad-name`.
        """
        person = clean_name(person)
        with self._database.writing() as session:
            self._index.lock(session)
            row = _sighting(session, sighting_id)
            found = find_person(session, person)
            if found is None:
                raise UnknownError("no-such-person", f"there is no person {person}")
            wrong = row.person_id
            row.found_by = NAMING
            with telling(session, SightingRow.id == row.id):
                if wrong != found.id:
                    self._give(session, row, found)
            said = Said(row.id, found.slug, found.name, row.unknown_id)
            if wrong != found.id:
                changed(session, found.id, *(() if wrong is None else (wrong,)))
        self._on_change()
        return said

    def _number(self, session: Session, row: SightingRow) -> int:
        return assign(
            self._index.of(row.recogniser_sha256),
            embeddings.from_bytes(row.embedding),
            weight_of(row.quality),
            self._rule(row.pack),
            Kept(session, row.recogniser_sha256, (utc(row.started_at), utc(row.last_at)), row.id),
        )

    def _give(self, session: Session, row: SightingRow, person: PersonRow) -> None:
        if row.person_id is not None:
            _remember_negative(session, row, row.person_id)
        session.execute(
            delete(NegativeRow).where(
                NegativeRow.person_id == person.id, NegativeRow.sighting_id == row.id
            )
        )
        unknown = None if row.unknown_id is None else session.get(UnknownRow, row.unknown_id)
        _forget_who(row)
        row.person_id = person.id
        session.execute(
            update(EventRow)
            .where(EventRow.sighting_id == row.id, EventRow.person_id.is_(None))
            .values(person_id=person.id)
        )
        if unknown is not None and unknown.person_id != person.id:
            self._leave(session, row, unknown, person)

    def _leave(
        self, session: Session, row: SightingRow, unknown: UnknownRow, person: PersonRow
    ) -> None:
        """A sighting goes out of an unknown, whose centre is what is left of it."""
        others = select(SightingRow).where(
            SightingRow.unknown_id == unknown.id, SightingRow.id != row.id
        )
        if unknown.person_id is None:
            if session.scalar(select(func.count()).select_from(others.subquery())) == 0:
                # The number stays with the sighting, and is not given to anybody else.
                unknown.person_id = person.id
                self._index.forget(unknown.id)
                return
            self._recentre(session, unknown, others)
        row.unknown_id = None

    def _recentre(
        self, session: Session, unknown: UnknownRow, members: Select[SightingRow]
    ) -> None:
        centre: Cluster | None = None
        for member in session.scalars(
            members.where(SightingRow.recogniser_sha256 == unknown.recogniser_sha256)
            .order_by(SightingRow.started_at.desc(), SightingRow.id)
            .limit(_RECENT)
        ):
            one = Cluster(embeddings.from_bytes(member.embedding), weight_of(member.quality))
            centre = one if centre is None else centre.joined(one)
        if centre is not None:
            unknown.embedding = embeddings.to_bytes(centre.centre)
            unknown.weight = centre.weight
            self._index.of(unknown.recogniser_sha256).put(unknown.id, centre)


def _sighting(session: Session, sighting_id: str) -> SightingRow:
    row = session.get(SightingRow, sighting_id)
    if row is None:
        raise UnknownError("no-such-sighting", f"there is no sighting {sighting_id}")
    return row


def _forget_who(row: SightingRow) -> None:
    row.person_id = None
    row.found_by = NAMING
    row.best_similarity = row.mean_similarity = row.threshold = None
    row.reference = row.reference_sha256 = ""
    row.reference_at = None


def _remember_negative(session: Session, row: SightingRow, person_id: int) -> None:
    known = select(NegativeRow.id).where(
        NegativeRow.person_id == person_id, NegativeRow.sighting_id == row.id
    )
    if session.scalar(known) is None:
        session.add(
            NegativeRow(
                person_id=person_id,
                sighting_id=row.id,
                recogniser_sha256=row.recogniser_sha256,
                embedding=row.embedding,
            )
        )
