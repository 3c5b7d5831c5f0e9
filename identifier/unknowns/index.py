"""The unknown people of the database in memory, as one process's writers see them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Select, and_, event, func, select, text
from sqlalchemy.orm import Session, SessionTransaction

from identifier.gallery.rows import utc
from identifier.memory.tables import SightingRow, UnknownRow
from identifier.unknowns.clusters import Cluster, Clusters, Keeper
from identifier.unknowns.moving import move_all
from identifier.unknowns.telling import telling
from services.records import embeddings

_ADVISORY_LOCK = 0x756E6B6E  # any number of ours: "unkn"
_RELOAD_S = 600.0


class Index:
    """Centres of the unknowns that faces may join: those neither named nor merged.

    Every change of an unknown is made under one lock of the database, which `lock` takes and the
    end of the transaction gives back, so that two identifiers never make two numbers for one face
    at the same moment. On PostgreSQL it is an advisory lock, so that it holds up nobody who only
    reads, enrols or writes named sightings; on SQLite it is the write lock.

    Under the lock only rows that are newer than the newest known are read. A centre that another
    process has moved is noticed when it is near a face: candidates are read again before they are
    chosen (`Kept.freshen`). After a transaction that was not committed everything is read again.

    Args:
        clock_s: monotonic seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._by_recogniser: dict[str, Clusters] = {}
        self._newest = 0
        self._reload_at_s = 0.0
        self._loaded = False
        self._writer: SessionTransaction | None = None

    def lock(self, session: Session) -> None:
        """Be the only one who changes unknowns until the session's transaction ends.

        To be called before the session writes sightings: everyone takes the locks in that order.
        """
        transaction = session.get_transaction() or session.begin()
        if self._writer is transaction:
            return
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})
        # A writer that has not ended well: what it put here may not be in the database.
        undone = self._writer is not None
        if undone or not self._loaded or self._clock_s() >= self._reload_at_s:
            self._reload(session)
        else:
            self._read(session, _rows().where(UnknownRow.id > self._newest))
        self._writer = transaction

        def committed(ended: Session) -> None:
            del ended
            if self._writer is transaction:
                self._writer = None

        event.listen(session, "after_commit", committed, once=True)

    def of(self, recogniser_sha256: str) -> Clusters:
        """The clusters of one recogniser; only under the lock."""
        return self._by_recogniser.setdefault(recogniser_sha256, Clusters())

    def forget(self, number: int) -> None:
        """A number that faces may not join any more."""
        for clusters in self._by_recogniser.values():
            clusters.remove(number)

    def _reload(self, session: Session) -> None:
        self._by_recogniser = {}
        self._newest = session.scalar(select(func.max(UnknownRow.id))) or 0
        self._read(session, _rows())
        self._loaded = True
        self._reload_at_s = self._clock_s() + _RELOAD_S

    def _read(self, session: Session, rows: Select[int, str, bytes, float]) -> None:
        for number, recogniser_sha256, embedding, weight in session.execute(rows):
            self._newest = max(self._newest, number)
            cluster = Cluster(embeddings.from_bytes(embedding), weight)
            self.of(recogniser_sha256).put(number, cluster)


def _rows() -> Select[int, str, bytes, float]:
    return (
        select(UnknownRow.id, UnknownRow.recogniser_sha256, UnknownRow.embedding, UnknownRow.weight)
        .where(UnknownRow.merged_into.is_(None), UnknownRow.person_id.is_(None))
        .order_by(UnknownRow.id)
    )


class Kept(Keeper):
    """Clusters of one recogniser in the database, within a transaction under the lock.

    Args:
        session: of the transaction.
        recogniser_sha256: whose embeddings they are.
        seen: when the face that is added was first and last seen, UTC.
        track: its id; who writes it tells of it.
    """

    def __init__(
        self,
        session: Session,
        recogniser_sha256: str,
        seen: tuple[datetime, datetime],
        track: str,
    ) -> None:
        self._session = session
        self._recogniser_sha256 = recogniser_sha256
        self._seen = seen
        self._track = track

    def freshen(self, clusters: Clusters, numbers: Sequence[int]) -> None:
        """Read rows again; those that are gone, named or merged are forgotten."""
        fresh = {
            number: Cluster(embeddings.from_bytes(embedding), weight)
            for number, _, embedding, weight in self._session.execute(
                _rows().where(UnknownRow.id.in_(numbers))
            )
        }
        for number in numbers:
            if number in fresh:
                clusters.put(number, fresh[number])
            else:
                clusters.remove(number)

    def create(self, cluster: Cluster) -> int:
        """Insert a row; its number."""
        row = UnknownRow(
            recogniser_sha256=self._recogniser_sha256,
            embedding=embeddings.to_bytes(cluster.centre),
            weight=cluster.weight,
            first_at=self._seen[0],
            last_at=self._seen[1],
        )
        self._session.add(row)
        self._session.flush()
        return row.id

    def moved(self, number: int, cluster: Cluster) -> None:
        """Write the centre, and that they were seen."""
        row = self._session.get_one(UnknownRow, number)
        row.first_at = min(utc(row.first_at), self._seen[0])
        row.last_at = max(utc(row.last_at), self._seen[1])
        row.embedding = embeddings.to_bytes(cluster.centre)
        row.weight = cluster.weight

    def merged(self, number: int, into: int, cluster: Cluster) -> None:
        """Hand everything of one number to the other; whoever was ignored stays ignored."""
        gone = self._session.get_one(UnknownRow, number)
        survivor = self._session.get_one(UnknownRow, into)
        survivor.ignored = survivor.ignored or gone.ignored
        others = and_(SightingRow.unknown_id == number, SightingRow.id != self._track)
        with telling(self._session, others):
            move_all(self._session, gone, survivor)
        self.moved(into, cluster)
