"""The chain of a sighting as the REST API tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from identifier.api.shapes import BoxShape
from identifier.history.explain import Explanation
from identifier.history.explain_text import as_text


class ExplainedPerson(BaseModel):
    """Who it is."""

    slug: str
    name: str


class ExplainedTrack(BaseModel):
    """The face as it was followed from frame to frame."""

    camera: str
    session: str = Field(description="The producer's; empty for bare JPEGs.")
    started_at: datetime
    last_at: datetime
    ended: bool
    frames: int = Field(description="In which the face was seen.")
    first_seq: int
    last_seq: int


class ExplainedFrame(BaseModel):
    """The frame with the clearest look at the face, and where in the log it lies."""

    topic: str
    partition: int
    offset: int
    seq: int
    captured_at: datetime
    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")
    box: BoxShape = Field(description="Of the face, pixels of the frame.")
    score: float = Field(description="Detection score, 0 to 1.")
    quality: float = Field(description="Of the look at the face, 0 to 1.")
    retained: bool | None = Field(
        description="Whether the log still has it; null when Kafka does not answer."
    )
    address: str = Field(description="Of the JPEG while it is retained, in this API.")


class ExplainedModel(BaseModel):
    """A model file that had a part in it."""

    role: str
    name: str
    sha256: str


class ExplainedPhoto(BaseModel):
    """The reference photo of the surest match."""

    id: str
    sha256: str
    enrolled_at: datetime | None
    state: Literal["kept", "deleted"] = Field(description="`deleted`: it was removed since.")
    address: str | None = Field(description="Of the photo while it is kept, in this API.")


class ExplainedMatch(BaseModel):
    """What the gallery said."""

    best_similarity: float = Field(description="Cosine of the surest vote.")
    mean_similarity: float | None = Field(description="Cosine, mean over the votes.")
    threshold: float | None = Field(description="The one that applied.")
    gallery_version: str


class ExplanationAnswer(BaseModel):
    """Why a sighting has its name: sighting, track, frame, models, photo, match."""

    id: str = Field(description="Of the sighting, which is that of its track.")
    found_by: str = Field(description="`live`, `backfill` or `naming`.")
    person: ExplainedPerson | None
    unknown: int | None
    track: ExplainedTrack
    frame: ExplainedFrame
    model_pack: str
    models: list[ExplainedModel]
    photo: ExplainedPhoto | None = Field(description="Null where no photo gave the name.")
    match: ExplainedMatch | None = Field(description="Null where there is no name.")
    text: str = Field(description="The same in words, one line per link of the chain.")

    @classmethod
    def of(cls, found: Explanation) -> Self:
        """From the history's value."""
        return cls(
            id=found.id,
            found_by=found.found_by,
            person=None
            if found.slug is None or found.name is None
            else ExplainedPerson(slug=found.slug, name=found.name),
            unknown=found.unknown,
            track=ExplainedTrack(
                camera=found.camera,
                session=found.session,
                started_at=found.started_at,
                last_at=found.last_at,
                ended=found.ended,
                frames=found.frames,
                first_seq=found.first_seq,
                last_seq=found.last_seq,
            ),
            frame=_frame(found),
            model_pack=found.pack,
            models=[
                ExplainedModel(role=model.role, name=model.name, sha256=model.sha256)
                for model in found.models
            ],
            photo=_photo(found),
            match=_match(found),
            text=as_text(found),
        )


def _frame(found: Explanation) -> ExplainedFrame:
    place = found.frame
    x, y, width, height = found.box_px
    return ExplainedFrame(
        topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        seq=place.seq,
        captured_at=place.captured_at,
        width=place.size_px[0],
        height=place.size_px[1],
        box=BoxShape(x=x, y=y, width=width, height=height),
        score=found.score,
        quality=found.quality,
        retained=found.retained,
        address=f"/api/v1/sightings/{found.id}/frame",
    )


def _photo(found: Explanation) -> ExplainedPhoto | None:
    photo = found.photo
    if photo is None:
        return None
    address = f"/api/v1/people/{photo.slug}/faces/{photo.id}/photo" if photo.slug else None
    return ExplainedPhoto(
        id=photo.id,
        sha256=photo.sha256,
        enrolled_at=photo.enrolled_at,
        state="kept" if photo.kept else "deleted",
        address=address,
    )


def _match(found: Explanation) -> ExplainedMatch | None:
    if found.best_similarity is None:
        return None
    return ExplainedMatch(
        best_similarity=found.best_similarity,
        mean_similarity=found.mean_similarity,
        threshold=found.threshold,
        gallery_version=found.gallery_version,
    )
