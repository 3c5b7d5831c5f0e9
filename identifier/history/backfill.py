"""Backfills: find someone who was enrolled today in the faces of last week."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import datetime

import structlog
from confluent_kafka import KafkaException
from sqlalchemy.exc import DBAPIError

from identifier.gallery.database import Database
from identifier.history.crops import Crops
from identifier.history.face_log import FaceLog
from identifier.history.jobs import Backfill, Claim, Jobs, LostClaimError
from identifier.history.scanner import BackfillConfig, Parts, Scanner
from identifier.history.target import Target, load_target
from identifier.snapshot import SnapshotSource
from services.errors import FacestreamError, RetriableError
from services.kafka.settings import KafkaSettings
from services.lifecycle.backoff import Backoff
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

_CLOSE_S = 5.0


class Backfills:
    """Searches through the log of faces, one at a time, on a thread of their own.

    Several identifiers may run this on one database: a backfill is worked on by one of them, and
    by another once that one has given no sign of life for `lease_s`. What a scan finds depends
    on the log and the gallery alone, so one that was interrupted, or overlaps another, leaves
    the rows an undisturbed one would.

    Methods that ask the database may raise SQLAlchemy's `DBAPIError`.

    Args:
        database: the gallery's.
        kafka: how Kafka is reached.
        config: see `BackfillConfig`.
        gallery: everyone, as the matcher has them.
        crops: where faces go.
        default_threshold: of a model pack, by its name.
        busy: whether live frames wait; a backfill then takes a tenth of the time.
    """

    def __init__(
        self,
        database: Database,
        kafka: KafkaSettings,
        config: BackfillConfig,
        gallery: SnapshotSource,
        crops: Crops,
        default_threshold: Callable[[str], float],
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._jobs = Jobs(database, uuid.uuid4().hex, config.lease_s)
        self._kafka = kafka
        self._parts = Parts(database, self._jobs, gallery, crops, default_threshold, busy, config)
        self._stop = StopSignal()
        self._backoff = Backoff(first_s=0.5, most_s=30.0)
        self._thread = threading.Thread(
            target=lambda: self.run(self._stop), name="backfill", daemon=True
        )

    def start(self, slug: str, since: datetime) -> Backfill | None:
        """Queue a search for a person from a time on; None when there is no such person."""
        return self._jobs.add(slug, since)

    def get(self, backfill_id: str) -> Backfill | None:
        """One backfill; None when there is none."""
        return self._jobs.get(backfill_id)

    def listed(self, limit: int, after: str | None = None) -> list[Backfill]:
        """Backfills, newest first; `after` is the id of the last one seen."""
        return self._jobs.listed(limit, after)

    def cancel(self, backfill_id: str) -> Backfill | None:
        """End a backfill; what it found stays. None when there is none."""
        return self._jobs.cancel(backfill_id)

    def begin(self) -> None:
        """Work on a thread of its own until `close`."""
        self._thread.start()

    def close(self) -> None:
        """Stop working; what is not done is left to whoever comes next."""
        self._stop.stop()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    def run(self, stop: StopSignal) -> None:
        """Work until `stop`, on the caller's thread."""
        away = False
        while not stop.stopped:
            pause_s = self._parts.config.look_s
            try:
                if self._one(stop):
                    pause_s = 0.0
                away = False
            except DBAPIError as error:
                if not away:
                    log.warning("backfills wait", error=str(error.orig).split("\n")[0])
                away = True
                pause_s = self._backoff.next_s()
            stop.wait(pause_s)

    def _one(self, stop: StopSignal) -> bool:
        """Work on a backfill; whether there was one that could be worked on."""
        claim = self._jobs.claim()
        if claim is None:
            return False
        target = load_target(self._parts.database, claim.person_id)
        if target is None or not self._is_known(target):
            self._jobs.release(claim)  # the snapshot will have them in a moment
            return False
        try:
            return self._work(claim, target, stop)
        except LostClaimError:
            log.info("backfill ended from outside", backfill=claim.id)
        except (RetriableError, KafkaException) as error:
            self._jobs.release(claim)
            log.warning("backfill waits", backfill=claim.id, why=str(error))
            stop.wait(self._backoff.next_s())
        except (FacestreamError, OSError) as error:
            self._jobs.failed(claim, str(error).split("\n")[0])
            log.warning("backfill failed", backfill=claim.id, why=type(error).__name__)
        return True

    def _work(self, claim: Claim, target: Target, stop: StopSignal) -> bool:
        if not target.references:
            self._jobs.done(claim)
            return True
        faces = FaceLog(self._kafka, self._parts.config.topic)
        try:
            log.info("backfill runs", backfill=claim.id, since=claim.since.isoformat())
            ended = Scanner(claim, target, faces, self._parts).run(stop)
        finally:
            faces.close()
        if not ended:
            self._jobs.release(claim)
            return True
        self._jobs.done(claim)
        self._backoff.reset()
        done = self._jobs.get(claim.id)
        if done is not None:
            log.info("backfill done", backfill=claim.id, faces=done.faces, hits=done.hits)
        return True

    def _is_known(self, target: Target) -> bool:
        version = self._parts.gallery.snapshot.version
        return not target.references or target.is_known_to(version)
