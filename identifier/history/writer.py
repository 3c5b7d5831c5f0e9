"""Runs into sightings: a row that is there already gets the person, the rest becomes rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from identifier.gallery.rows import utc
from identifier.history.crops import Crops
from identifier.history.hits import Box, Hit
from identifier.history.runs import Run, split
from identifier.history.target import Target
from identifier.memory.tables import NegativeRow, SightingRow
from services.records import embeddings

BACKFILL = "backfill"
MADE_HERE = "bacf1110"
"""Start of the id of every row that a backfill made; a track's starts so once in 4 billion."""

_SAME_BOX_IOU = 0.4
_STILL_THERE = timedelta(seconds=60)


class RunWriter:
    """Writes runs within the caller's transaction.

    What it does depends on the rows alone, so a stretch of the log that is scanned again, by the
    same backfill or by another, changes nothing.

    Args:
        gap_s: hits as close as this to a row of the person belong to it, seconds.
        confirm_frames: fewer hits are not worth a row, unless the frames are single pictures.
        crops: where the best face goes.
    """

    def __init__(self, gap_s: float, confirm_frames: int, crops: Crops) -> None:
        self._gap = timedelta(seconds=gap_s)
        self._confirm_frames = confirm_frames
        self._crops = crops
        self._put: list[str] = []

    def write(self, session: Session, target: Target, run: Run) -> int:
        """Bring the rows up to a run; gives how many were made or got the person's name.

        Raises:
            DBAPIError: the database is away.
            OSError: the crops cannot be kept.
        """
        rows = self._near(session, run)
        hits = list(run.hits)
        named = 0
        for row in rows:
            if row.person_id == target.person_id:
                hits = [hit for hit in hits if not _within(row, hit)]
                continue
            theirs = [hit for hit in hits if _within(row, hit)]
            if not theirs or not _is_same_face(row, theirs, target):
                continue
            hits = [hit for hit in hits if not _within(row, hit)]
            if row.person_id is None and not _is_refused(session, row, target):
                self._name(row, target, theirs)
                named += 1
        for part in split(hits, self._gap):
            named += self._keep(session, target, Run(tuple(part)), rows)
        return named

    def committed(self) -> None:
        """The transaction is through: its crops stay."""
        self._put.clear()

    def rolled_back(self) -> None:
        """The transaction is not through: its crops belong to nobody."""
        if self._put:
            self._crops.delete_many(self._put)
            self._put.clear()

    def _near(self, session: Session, run: Run) -> list[SightingRow]:
        return list(
            session.scalars(
                select(SightingRow)
                .where(
                    SightingRow.camera == run.camera,
                    SightingRow.session == run.session,
                    SightingRow.started_at <= run.last_at + self._gap,
                    or_(
                        SightingRow.last_at >= run.first_at - self._gap,
                        and_(
                            SightingRow.ended.is_(False),
                            SightingRow.last_at >= run.first_at - _STILL_THERE,
                        ),
                    ),
                )
                .order_by(SightingRow.started_at, SightingRow.id)
                .with_for_update()
            )
        )

    def _name(self, row: SightingRow, target: Target, hits: Sequence[Hit]) -> None:
        row.person_id = target.person_id
        row.unknown_id = None
        row.found_by = BACKFILL
        _set_match(row, target, hits)
        if not row.crop and hits[0].crop:
            best = max(hits, key=lambda hit: hit.quality)
            row.crop = self._new_crop(best.crop)

    def _keep(self, session: Session, target: Target, run: Run, rows: list[SightingRow]) -> int:
        for row in rows:
            # A track keeps its own bounds: what lies beside it gets a row beside it.
            made_here = row.person_id == target.person_id and row.id.startswith(MADE_HERE)
            if made_here and self._touches(row, run):
                self._extend(row, target, run)
                return 0
        if len(run.hits) < self._confirm_frames and not run.from_pictures:
            return 0
        row = self._new_row(target, run)
        if session.get(SightingRow, row.id) is not None:
            return 0
        if run.best.crop:
            row.crop = self._new_crop(run.best.crop)
        session.add(row)
        session.flush()
        rows.append(row)
        return 1

    def _touches(self, row: SightingRow, run: Run) -> bool:
        return (
            utc(row.started_at) - self._gap <= run.last_at
            and utc(row.last_at) + self._gap >= run.first_at
        )

    def _new_row(self, target: Target, run: Run) -> SightingRow:
        first, last, best = run.hits[0], run.hits[-1], run.best
        row = SightingRow(
            id=made_id(first),
            camera=run.camera,
            session=run.session,
            person_id=target.person_id,
            unknown_id=None,
            found_by=BACKFILL,
            started_at=run.first_at,
            last_at=run.last_at,
            ended=True,
            first_seq=min(hit.frame.seq for hit in run.hits),
            last_seq=max(hit.frame.seq for hit in run.hits),
            frames=len(run.hits),
            embedding=_mean(run.hits),
            crop="",
        )
        _set_last(row, last)
        _set_best(row, best)
        _set_match(row, target, run.hits)
        return row

    def _extend(self, row: SightingRow, target: Target, run: Run) -> None:
        before = row.frames
        mean = embeddings.from_bytes(row.embedding) * before
        mean = mean + np.sum([hit.embedding for hit in run.hits], axis=0)
        row.embedding = _unit_bytes(mean)
        row.frames = before + len(run.hits)
        row.first_seq = min(row.first_seq, *(hit.frame.seq for hit in run.hits))
        row.last_seq = max(row.last_seq, *(hit.frame.seq for hit in run.hits))
        row.started_at = min(utc(row.started_at), run.first_at)
        if run.last_at > utc(row.last_at):
            row.last_at = run.last_at
            _set_last(row, run.hits[-1])
        _set_match(row, target, run.hits, before)
        if run.best.quality > row.quality:
            _set_best(row, run.best)
            if run.best.crop:
                row.crop = self._crops.put(row.crop or None, run.best.crop)

    def _new_crop(self, jpeg: bytes) -> str:
        self._put.append(self._crops.put(None, jpeg))
        return self._put[-1]


def made_id(first: Hit) -> str:
    """The id of a row whose first hit this is: 32 hex digits."""
    parts = (first.frame.camera, first.frame.session, *first.raw, first.index)
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return MADE_HERE + digest[: 32 - len(MADE_HERE)]


def _within(row: SightingRow, hit: Hit) -> bool:
    # A track that is not over is written a little later than it is seen.
    until = utc(row.last_at) if row.ended else utc(row.last_at) + _STILL_THERE
    return utc(row.started_at) <= hit.at <= until


def _is_refused(session: Session, row: SightingRow, target: Target) -> bool:
    """Whether somebody said that this sighting is not the person."""
    return (
        session.scalar(
            select(NegativeRow.id).where(
                NegativeRow.person_id == target.person_id, NegativeRow.sighting_id == row.id
            )
        )
        is not None
    )


def _is_same_face(row: SightingRow, hits: Sequence[Hit], target: Target) -> bool:
    """Whether a row is of the face that was hit: its box where both know one, else its looks."""
    for hit in hits:
        if hit.raw == (row.raw_topic, row.raw_partition, row.raw_offset):
            best = (row.x, row.y, row.width, row.height)
            return iou(best, hit.box_px) >= _SAME_BOX_IOU
        if hit.frame.seq == row.last_seq:
            last = (row.last_x, row.last_y, row.last_width, row.last_height)
            return iou(last, hit.box_px) >= _SAME_BOX_IOU
    references = target.references.get(row.recogniser_sha256)
    if references is None or len(row.embedding) != 4 * references.shape[1]:
        return False
    looks = float((references @ embeddings.from_bytes(row.embedding)).max())
    return looks >= hits[0].threshold


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def _set_last(row: SightingRow, last: Hit) -> None:
    row.last_x, row.last_y, row.last_width, row.last_height = last.box_px


def _set_best(row: SightingRow, best: Hit) -> None:
    row.quality = best.quality
    row.best_seq, row.best_at, row.best_score = best.frame.seq, best.at, best.score
    row.x, row.y, row.width, row.height = best.box_px
    row.frame_width, row.frame_height = best.frame.width, best.frame.height
    row.raw_topic, row.raw_partition, row.raw_offset = best.raw
    row.pack = best.models.name[:64]
    row.recogniser_sha256 = best.recogniser_sha256
    row.model_files = json.dumps(
        [{"role": f.role, "name": f.name, "sha256": f.sha256} for f in best.models.files]
    )


def _set_match(row: SightingRow, target: Target, hits: Sequence[Hit], before: int = 0) -> None:
    """What the row says of the match; `before` hits are in it already."""
    mean = float(np.mean([hit.similarity for hit in hits]))
    known = before * (row.mean_similarity or 0.0) if before else 0.0
    row.mean_similarity = (known + mean * len(hits)) / (before + len(hits))
    surest = max(hits, key=lambda hit: hit.similarity)
    if before and row.best_similarity is not None and row.best_similarity >= surest.similarity:
        return
    row.best_similarity, row.threshold = surest.similarity, surest.threshold
    row.reference, row.gallery_version = surest.reference, surest.gallery_version
    photo = target.photos.get(surest.reference)
    row.reference_sha256 = "" if photo is None else photo.sha256
    row.reference_at = None if photo is None else photo.enrolled_at


def _mean(hits: Sequence[Hit]) -> bytes:
    return _unit_bytes(np.sum([hit.embedding for hit in hits], axis=0))


def _unit_bytes(vector: embeddings.Embedding) -> bytes:
    length = float(np.linalg.norm(vector)) or 1.0
    return embeddings.to_bytes((vector / length).astype(np.float32))
