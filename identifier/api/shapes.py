"""What the API answers with; the OpenAPI document is made from these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from identifier.gallery.values import Enrolled, PersonInfo, PersonSummary, PhotoInfo


class BoxShape(BaseModel):
    """Pixels in the upright photo, top-left origin."""

    x: float
    y: float
    width: float
    height: float


class FaceShape(BaseModel):
    """A reference face: one photo of a person and what the models saw in it."""

    id: str = Field(description="Travels as `reference` with every face it names.")
    sha256: str = Field(description="Of the photo's file.")
    media_type: str
    width: int = Field(description="Of the photo, pixels.")
    height: int = Field(description="Of the photo, pixels.")
    origin: str = Field(description="`upload`, or the file's path in PEOPLE_DIR.")
    created_at: datetime
    box: BoxShape | None
    score: float | None = Field(description="Detection score, 0 to 1.")
    sharpness: float | None = Field(description="Variance of the Laplacian of the aligned face.")
    model_pack: str | None

    @classmethod
    def of(cls, photo: PhotoInfo) -> Self:
        """From the gallery's value."""
        reading = photo.reading
        box = None
        if reading is not None:
            x, y, width, height = reading.box_px
            box = BoxShape(x=x, y=y, width=width, height=height)
        return cls(
            id=photo.id,
            sha256=photo.sha256,
            media_type=photo.media_type,
            width=photo.size_px[0],
            height=photo.size_px[1],
            origin=photo.path or "upload",
            created_at=photo.created_at,
            box=box,
            score=reading.score if reading else None,
            sharpness=reading.sharpness if reading else None,
            model_pack=reading.pack if reading else None,
        )


class PersonShape(BaseModel):
    """A person, as the list shows them."""

    slug: str = Field(description="As in `faces.person.<slug>` and in addresses; never changes.")
    name: str
    threshold: float | None = Field(description="Their own threshold, null for the default.")
    created_at: datetime
    faces: int = Field(description="Number of reference photos.")

    @classmethod
    def of(cls, person: PersonSummary | PersonInfo) -> Self:
        """From the gallery's value."""
        photos = person.photos if isinstance(person, PersonSummary) else len(person.photos)
        return cls(
            slug=person.slug,
            name=person.name,
            threshold=person.threshold,
            created_at=person.created_at,
            faces=photos,
        )


class PeopleAnswer(BaseModel):
    """Everyone who is enrolled."""

    people: list[PersonShape]

    @classmethod
    def of(cls, people: Sequence[PersonSummary]) -> Self:
        """From the gallery's values."""
        return cls(people=[PersonShape.of(person) for person in people])


class PersonAnswer(BaseModel):
    """One person with their reference photos."""

    person: PersonShape
    faces: list[FaceShape]

    @classmethod
    def of(cls, person: PersonInfo) -> Self:
        """From the gallery's value."""
        return cls(
            person=PersonShape.of(person), faces=[FaceShape.of(photo) for photo in person.photos]
        )


class EnrolledAnswer(BaseModel):
    """What became of a photo."""

    person: PersonShape
    face: FaceShape
    added: bool = Field(description="False when the person had this very photo already.")

    @classmethod
    def of(cls, enrolled: Enrolled) -> Self:
        """From the gallery's value."""
        return cls(
            person=PersonShape.of(enrolled.person),
            face=FaceShape.of(enrolled.photo),
            added=enrolled.added,
        )


class HealthAnswer(BaseModel):
    """Whether the identifier is ready, and what it matches against."""

    ready: bool
    gallery_version: str
    references: int
