"""Forgetting what is too old or nobody's; several identifiers may do it at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from identifier.gallery.database import Database
from identifier.memory.media import Media, days_ago, first_key_of
from identifier.memory.tables import EventRow, ForgottenRow, SightingRow

log = structlog.get_logger()

_EVERY_S = 600.0
_FIRST_S = 5.0
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Keep:
    """How long things are kept, in days; 0 keeps them for ever.

    Attributes:
        media_days: crops.
        sightings_days: sightings, with their crops.
        events_days: events in the database; those on Kafka have the topic's retention.
    """

    media_days: float
    sightings_days: float
    events_days: float


class Retention:
    """Sweeps every ten minutes in a thread of its own.

    Args:
        database: of the memory.
        media: where crops are.
        keep: how long what is kept.
        forget_unknowns: forgets unknown people without sightings, last seen before a time.
    """

    def __init__(
        self,
        database: Database,
        media: Media,
        keep: Keep,
        forget_unknowns: Callable[[datetime], object] = lambda _: None,
    ) -> None:
        self._database = database
        self._forget_unknowns = forget_unknowns
        self._orphans_looked_for: date | None = None
        self._media = media
        self._keep = keep
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def stop(self) -> None:
        """Sweep no more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(2)

    def sweep(self) -> None:
        """Forget what is too old by now.

        Raises:
            SQLAlchemyError: the database is away.
            OSError: the storage of crops is.
        """
        if self._keep.sightings_days:
            self._forget_sightings()
            self._forget_unknowns(days_ago(self._keep.sightings_days))
        if self._keep.events_days:
            with self._database.writing() as session:
                session.execute(
                    delete(EventRow).where(
                        EventRow.at < days_ago(self._keep.events_days),
                        EventRow.published.is_(True),  # of old footage, an event is old at once
                    )
                )
        if self._keep.media_days:
            day = days_ago(self._keep.media_days).date()
            self._media.sweep(day)
            too_old = (SightingRow.crop != "", SightingRow.crop < first_key_of(day))
            with self._database.writing() as session:
                session.execute(update(SightingRow).where(*too_old).values(crop=""))
        with self._database.writing() as session:
            session.execute(delete(ForgottenRow).where(ForgottenRow.at < days_ago(1)))
        today = days_ago(0).date()
        if self._orphans_looked_for != today:
            self._forget_orphans(today)
            self._orphans_looked_for = today

    def _forget_sightings(self) -> None:
        before = days_ago(self._keep.sightings_days)
        while not self._end.is_set():
            with self._database.writing() as session:
                gone = session.execute(
                    select(SightingRow.id, SightingRow.crop)
                    .where(SightingRow.last_at < before)
                    .limit(_AT_ONCE)
                ).all()
                session.execute(delete(SightingRow).where(SightingRow.id.in_([r.id for r in gone])))
            self._media.delete_many(row.crop for row in gone)
            if len(gone) < _AT_ONCE:
                return

    def _forget_orphans(self, today: date) -> None:
        """Crops of sightings that are gone, or were never written; those of today may yet be."""
        for keys in self._media.keys_before(today):
            for at in range(0, len(keys), _AT_ONCE):
                some = keys[at : at + _AT_ONCE]
                with self._database.reading() as session:
                    owned = set(
                        session.scalars(select(SightingRow.crop).where(SightingRow.crop.in_(some)))
                    )
                self._media.delete_many(key for key in some if key not in owned)

    def _run(self) -> None:
        wait_s = _FIRST_S
        while not self._end.wait(wait_s):
            wait_s = _EVERY_S
            try:
                self.sweep()
            except (SQLAlchemyError, OSError) as error:
                log.warning("retention waits", error=type(error).__name__)
