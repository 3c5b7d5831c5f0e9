"""What the API answers with about sightings, events and counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from identifier.api.shapes import BoxShape
from identifier.memory.events import EVENT_TYPES, StoredEvent, crop_path
from identifier.memory.sightings import Count, SightingInfo

EventType = Literal["person_enter", "person_exit", "unknown_enter", "unknown_exit"]
if EventType.__args__ != EVENT_TYPES:  # type: ignore[attr-defined]
    raise ImportError("the API knows other events than the memory")


class WhoShape(BaseModel):
    """A person, as a sighting names them."""

    slug: str
    name: str


class SightingShape(BaseModel):
    """Someone who was somewhere for a while: one track of one camera."""

    id: str
    camera: str
    session: str = Field(description="The producer's, new at each of its starts.")
    person: WhoShape | None = Field(description="Null for somebody unknown.")
    unknown: int | None = Field(description='7 for "Unknown 7"; stays when they get a name.')
    found_by: str = Field(description="`live`, `backfill` or `naming`.")
    started_at: datetime
    last_at: datetime
    ended: bool = Field(description="False while they are still there.")
    frames: int = Field(description="In which they were seen.")
    best_similarity: float | None = Field(description="Cosine to the reference, -1 to 1.")
    mean_similarity: float | None
    threshold: float | None = Field(description="The one that applied.")
    quality: float = Field(description="Of the best face, 0 to 1.")
    score: float = Field(description="Detection score of the best face, 0 to 1.")
    best_at: datetime = Field(description="When the best face was seen.")
    box: BoxShape = Field(description="Of the best face, in its frame.")
    frame_width: int
    frame_height: int
    crop: str | None = Field(description="Path of the best face's picture, while it is kept.")

    @classmethod
    def of(cls, found: SightingInfo) -> Self:
        """From the memory's value."""
        person = None
        if found.slug is not None:
            person = WhoShape(slug=found.slug, name=found.name or found.slug)
        x, y, width, height = found.box_px
        return cls(
            id=found.id,
            camera=found.camera,
            session=found.session,
            person=person,
            unknown=found.unknown,
            found_by=found.found_by,
            started_at=found.started_at,
            last_at=found.last_at,
            ended=found.ended,
            frames=found.frames,
            best_similarity=found.best_similarity,
            mean_similarity=found.mean_similarity,
            threshold=found.threshold,
            quality=found.quality,
            score=found.score,
            best_at=found.best_at,
            box=BoxShape(x=x, y=y, width=width, height=height),
            frame_width=found.frame_size_px[0],
            frame_height=found.frame_size_px[1],
            crop=crop_path(found.id) if found.crop else None,
        )


class SightingsAnswer(BaseModel):
    """Sightings, newest first."""

    sightings: list[SightingShape]
    next: str | None = Field(description="Pass it as `after` for the next ones; null at the end.")


class EventShape(BaseModel):
    """Someone came or went; the same JSON is published on Kafka and delivered elsewhere."""

    id: int
    type: EventType
    camera: str
    session: str
    sighting: str
    person: WhoShape | None
    unknown: int | None
    at: datetime
    started_at: datetime = Field(description="When the sighting began.")
    score: float | None = Field(description="Best similarity so far.")
    crop: str | None = Field(description="Path of the best face's picture.")


class EventsAnswer(BaseModel):
    """Events, oldest first."""

    events: list[EventShape]
    next: int = Field(description="Pass it as `after` for those that come later.")

    @classmethod
    def of(cls, found: Sequence[StoredEvent], after: int) -> Self:
        """From what the log gave for the events behind `after`."""
        return cls(
            events=[EventShape.model_validate(json.loads(each.payload)) for each in found],
            next=found[-1].id if found else after,
        )


class CountShape(BaseModel):
    """How often somebody was before a camera within an hour."""

    hour: datetime = Field(description="Its beginning, UTC.")
    camera: str
    person: WhoShape | None = Field(description="Null counts all unknown people together.")
    sightings: int = Field(description="That began in that hour.")
    seconds: float = Field(description="How long they lasted together.")

    @classmethod
    def of(cls, count: Count) -> Self:
        """From the memory's value."""
        person = None
        if count.slug is not None:
            person = WhoShape(slug=count.slug, name=count.name or count.slug)
        return cls(
            hour=count.hour,
            camera=count.camera,
            person=person,
            sightings=count.sightings,
            seconds=count.seconds,
        )


class StatisticsAnswer(BaseModel):
    """Sightings by hour, camera and person."""

    since: datetime
    until: datetime
    counts: list[CountShape]
