"""One backfill from where it stands to its end: read, match, group, write, move on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from identifier.gallery.database import Database
from identifier.history.crops import Crops
from identifier.history.face_log import FaceLog
from identifier.history.hits import LoggedFace, find_hits
from identifier.history.jobs import Claim, Jobs
from identifier.history.runs import Run, Runs
from identifier.history.target import Target, load_target
from identifier.history.writer import RunWriter
from identifier.snapshot import SnapshotSource
from services.lifecycle.stopping import StopSignal

_LONGEST_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class BackfillConfig:
    """How backfills work.

    Attributes:
        topic: `faces.detected`.
        confirm_frames: hits that make a sighting; one is enough for single pictures.
        gap_s: the longest time between two hits of one sighting, seconds.
        checkpoint_s: how often it is written down how far a backfill is, seconds.
        lease_s: how long a backfill waits for an identifier that gives no sign of life, seconds.
        look_s: how often to look for backfills that others have queued, seconds.
        settle_s: how long after a face was logged its live sighting is sure to be in the
            database, seconds.
        batch_faces: faces that are matched at once.
        duty: share of the time a backfill works, 0..1.
        duty_busy: the same while live frames wait.
    """

    topic: str
    confirm_frames: int = 3
    gap_s: float = 2.0
    checkpoint_s: float = 1.0
    lease_s: float = 10.0
    look_s: float = 0.5
    settle_s: float = 10.0
    batch_faces: int = 500
    duty: float = 0.7
    duty_busy: float = 0.1


@dataclass(frozen=True, slots=True)
class Parts:
    """What every backfill is made with.

    Attributes:
        database: the gallery's.
        jobs: the table of backfills.
        gallery: everyone, for who is more like a face.
        crops: where faces go.
        default_threshold: of a model pack, by its name.
        busy: whether live frames wait.
        config: see there.
    """

    database: Database
    jobs: Jobs
    gallery: SnapshotSource
    crops: Crops
    default_threshold: Callable[[str], float]
    busy: Callable[[], bool]
    config: BackfillConfig


class Scanner:
    """Works on one claimed backfill.

    Rows and positions move in one transaction. A position stays before the first hit that is not
    in a row yet, so whoever goes on after a crash finds the same runs again.

    Args:
        claim: the backfill.
        target: who is looked for.
        log: where the faces are.
        parts: see there.
    """

    def __init__(self, claim: Claim, target: Target, log: FaceLog, parts: Parts) -> None:
        self._claim = claim
        self._target = target
        self._log = log
        self._parts = parts
        self._runs = Runs(parts.config.gap_s)
        self._writer = RunWriter(parts.config.gap_s, parts.config.confirm_frames, parts.crops)
        self._version = parts.gallery.snapshot.version
        self._faces, self._hits, self._sightings = claim.faces, claim.hits, claim.sightings
        self._checkpoint_at_s = time.monotonic()
        self._faces_then = claim.faces

    def run(self, stop: StopSignal) -> bool:
        """Work until the end of the log, or `stop`; whether the end was reached.

        Raises:
            LostClaimError: the backfill is not ours any more.
            RetriableError: Kafka is away.
            BrokerError: Kafka refuses.
            DBAPIError: the database is away.
            OSError: crops cannot be kept.
        """
        self._open()
        while not self._log.ended:
            if stop.stopped:
                self._checkpoint(self._runs.whole())
                return False
            began_s = time.monotonic()
            faces = self._log.read(self._parts.config.batch_faces)
            read_s = time.monotonic()
            self._match(faces)
            if read_s - self._checkpoint_at_s >= self._parts.config.checkpoint_s:
                self._checkpoint(self._runs.whole())
            if faces:
                self._yield(stop, time.monotonic() - began_s)
        # Of someone who is there right now the memory writes a moment later.
        latest_s = time.monotonic() + self._parts.config.settle_s  # whatever the log's clock says
        while (left_s := min(self._unsettled_s(), latest_s - time.monotonic())) > 0:
            self._checkpoint(self._runs.whole())
            if stop.wait(min(left_s, self._parts.config.checkpoint_s)):
                return False
        self._checkpoint(self._runs.rest())
        return True

    def _unsettled_s(self) -> float:
        settled_at_s = self._runs.newest_logged_ms / 1000 + self._parts.config.settle_s
        return settled_at_s - time.time()

    def _open(self) -> None:
        positions, ends = dict(self._claim.positions), dict(self._claim.ends)
        if not ends:
            positions, ends = self._log.bounds(self._claim.since)
            self._parts.jobs.found_bounds(self._claim, positions, ends)
        self._log.open(self._claim.since, positions, ends)

    def _match(self, faces: list[LoggedFace]) -> None:
        self._faces += len(faces)
        hits = find_hits(
            faces, self._target, self._parts.gallery.snapshot, self._parts.default_threshold
        )
        self._runs.add(hits)
        for face in faces:
            self._runs.passed(face.partition, face.logged_ms)

    def _checkpoint(self, runs: list[Run]) -> None:
        now_s = time.monotonic()
        elapsed_s = max(1e-3, now_s - self._checkpoint_at_s)
        rate_faces_s = (self._faces - self._faces_then) / elapsed_s
        positions, unwritten = self._safe_positions()
        hits = self._hits + sum(len(run.hits) for run in runs)
        try:
            with self._parts.database.writing() as session:
                made = self._write(session, runs)
                self._parts.jobs.moved(
                    session,
                    self._claim,
                    positions=positions,
                    faces=max(self._claim.faces, self._faces - unwritten),
                    hits=hits,
                    sightings=self._sightings + made,
                    rate_faces_s=rate_faces_s,
                )
        except BaseException:
            self._writer.rolled_back()
            raise
        self._writer.committed()
        self._hits, self._sightings = hits, self._sightings + made
        self._checkpoint_at_s, self._faces_then = now_s, self._faces
        self._look_again()

    def _write(self, session: Session, runs: list[Run]) -> int:
        return sum(self._writer.write(session, self._target, run) for run in runs)

    def _safe_positions(self) -> tuple[dict[int, int], int]:
        """Where somebody else would have to go on, and how much of what was read that repeats."""
        positions, repeated = self._log.positions, 0
        for partition, position in positions.items():
            held = self._runs.held_from(partition)
            if held is not None:
                positions[partition] = held
                repeated += position - held
        return positions, repeated

    def _look_again(self) -> None:
        """Follow the gallery: photos and negatives may have come or gone."""
        version = self._parts.gallery.snapshot.version
        if version != self._version:
            target = load_target(self._parts.database, self._claim.person_id)
            if target is not None:
                self._target = target
            self._version = version

    def _yield(self, stop: StopSignal, worked_s: float) -> None:
        """Leave the processor to the live frames for a share of the time."""
        config = self._parts.config
        duty = config.duty_busy if self._parts.busy() else config.duty
        if (pause_s := rest_s(worked_s, duty)) > 0:
            stop.wait(pause_s)


def rest_s(worked_s: float, duty: float) -> float:
    """Seconds to rest, at most one, for the work to be that share of the time."""
    return min(_LONGEST_PAUSE_S, worked_s * (1 - duty) / duty)
