"""Why a sighting has its name: the chain from the row back to the frame and the photo."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.gallery.tables import PersonRow, PhotoRow
from identifier.history.hits import Box
from identifier.history.raw_frames import FramePlace, RawFrames
from identifier.memory.tables import SightingRow
from services.errors import BrokerUnavailable


@dataclass(frozen=True, slots=True)
class UsedModel:
    """A model file that had a part in it.

    Attributes:
        role: `detector` or `recogniser`.
        name: of the file.
        sha256: of the file as published.
    """

    role: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class UsedPhoto:
    """The reference photo of the surest match.

    Attributes:
        id: of the photo.
        sha256: of its file, as it was then.
        enrolled_at: UTC; None where nobody wrote it down.
        kept: whether it is still in the gallery; False: deleted since.
        slug: under which person it is kept; empty when it is not.
    """

    id: str
    sha256: str
    enrolled_at: datetime | None
    kept: bool
    slug: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The chain of one sighting.

    Attributes:
        id: of the sighting, which is that of its track.
        camera: of its frames.
        session: the producer's.
        found_by: `live`, `backfill` or `naming`.
        slug: of the person; None for an unknown one.
        name: of the person; None for an unknown one.
        unknown: number of the unknown person, if it was given one.
        started_at: UTC.
        last_at: UTC.
        ended: whether the track is over.
        frames: in which the face was seen.
        first_seq: of its first frame.
        last_seq: of its last frame.
        quality: of the best face, 0..1.
        score: detection score of the best face, 0..1.
        box_px: of the best face.
        frame: where the best face's frame lies.
        retained: whether Kafka still has that frame; None when it does not answer.
        pack: name of the model pack.
        models: its files.
        photo: the reference; None where no name was given by a photo.
        best_similarity: cosine of the surest match; None for an unknown person.
        mean_similarity: cosine, mean over the frames; None for an unknown person.
        threshold: the one that applied; None for an unknown person.
        gallery_version: of the gallery that gave the name; empty for an unknown person.
    """

    id: str
    camera: str
    session: str
    found_by: str
    slug: str | None
    name: str | None
    unknown: int | None
    started_at: datetime
    last_at: datetime
    ended: bool
    frames: int
    first_seq: int
    last_seq: int
    quality: float
    score: float
    box_px: Box
    frame: FramePlace
    retained: bool | None
    pack: str
    models: tuple[UsedModel, ...]
    photo: UsedPhoto | None
    best_similarity: float | None
    mean_similarity: float | None
    threshold: float | None
    gallery_version: str


class Explainer:
    """Answers from the database, and from Kafka for the frame.

    Methods may raise SQLAlchemy's `DBAPIError` when the database is away.

    Args:
        database: the gallery's.
        frames: reads raw frames.
    """

    def __init__(self, database: Database, frames: RawFrames) -> None:
        self._database = database
        self._frames = frames

    def explain(self, sighting_id: str) -> Explanation | None:
        """The chain of a sighting; None when there is no such sighting."""
        with self._database.reading() as session:
            row = session.get(SightingRow, sighting_id)
            if row is None:
                return None
            person = None if row.person_id is None else session.get(PersonRow, row.person_id)
            photo = _photo(session, row)
        place = _place(row)
        try:
            retained: bool | None = self._frames.jpeg(place) is not None
        except BrokerUnavailable:
            retained = None
        return Explanation(
            id=row.id,
            camera=row.camera,
            session=row.session,
            found_by=row.found_by,
            slug=None if person is None else person.slug,
            name=None if person is None else person.name,
            unknown=row.unknown_id,
            started_at=utc(row.started_at),
            last_at=utc(row.last_at),
            ended=row.ended,
            frames=row.frames,
            first_seq=row.first_seq,
            last_seq=row.last_seq,
            quality=row.quality,
            score=row.best_score,
            box_px=(row.x, row.y, row.width, row.height),
            frame=place,
            retained=retained,
            pack=row.pack,
            models=_models(row.model_files),
            photo=photo,
            best_similarity=row.best_similarity,
            mean_similarity=row.mean_similarity,
            threshold=row.threshold,
            gallery_version=row.gallery_version,
        )

    def place(self, sighting_id: str) -> FramePlace | None:
        """Where the best frame of a sighting lies; None when there is no such sighting."""
        with self._database.reading() as session:
            row = session.get(SightingRow, sighting_id)
            return None if row is None else _place(row)

    def frame_jpeg(self, place: FramePlace) -> bytes | None:
        """The frame itself; None when it is not retained any more.

        Raises:
            BrokerUnavailable: Kafka does not answer in time.
        """
        return self._frames.jpeg(place)


def _photo(session: Session, row: SightingRow) -> UsedPhoto | None:
    if not row.reference:
        return None
    kept = session.get(PhotoRow, row.reference)
    owner = None if kept is None else session.get(PersonRow, kept.person_id)
    enrolled_at = row.reference_at if kept is None else kept.created_at
    return UsedPhoto(
        id=row.reference,
        sha256=row.reference_sha256 or ("" if kept is None else kept.sha256),
        enrolled_at=None if enrolled_at is None else utc(enrolled_at),
        kept=kept is not None,
        slug="" if owner is None else owner.slug,
    )


def _place(row: SightingRow) -> FramePlace:
    return FramePlace(
        topic=row.raw_topic,
        partition=row.raw_partition,
        offset=row.raw_offset,
        camera=row.camera,
        session=row.session,
        seq=row.best_seq,
        captured_at=utc(row.best_at),
        size_px=(row.frame_width, row.frame_height),
    )


def _models(text: str) -> tuple[UsedModel, ...]:
    return tuple(
        UsedModel(str(file["role"]), str(file["name"]), str(file["sha256"]))
        for file in json.loads(text or "[]")
    )
