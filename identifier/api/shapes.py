"""What the API answers with; the OpenAPI document is made from these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from identifier.gallery.store import LONGEST_NOTES
from identifier.gallery.values import Enrolled, LooksLike, PersonInfo, PersonSummary, PhotoInfo
from identifier.names import LONGEST_NAME, LONGEST_SLUG

SLUG_PATTERN = r"^[a-z0-9-]+$"


class BoxShape(BaseModel):
    """Pixels in the upright photo, top-left origin."""

    x: float
    y: float
    width: float
    height: float


class PoseShape(BaseModel):
    """Where a face looks, degrees; within some ten of them."""

    yaw: float = Field(description="Aside; positive to the picture's right.")
    pitch: float = Field(description="Positive up.")
    roll: float = Field(description="Positive clockwise.")


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
    pose: PoseShape | None
    model_pack: str | None

    @classmethod
    def of(cls, photo: PhotoInfo) -> Self:
        """From the gallery's value."""
        reading = photo.reading
        box = pose = None
        if reading is not None:
            x, y, width, height = reading.box_px
            box = BoxShape(x=x, y=y, width=width, height=height)
            if reading.pose_deg is not None:
                yaw, pitch, roll = reading.pose_deg
                pose = PoseShape(yaw=yaw, pitch=pitch, roll=roll)
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
            pose=pose,
            model_pack=reading.pack if reading else None,
        )


class PersonShape(BaseModel):
    """A person, as the list shows them."""

    slug: str = Field(description="As in `faces.person.<slug>` and in addresses; never changes.")
    name: str
    threshold: float | None = Field(description="Their own threshold, null for the default.")
    created_at: datetime
    faces: int = Field(description="Number of reference photos.")
    notes: str
    sightings: int = Field(description="How often they were seen.")
    last_seen: datetime | None = Field(description="End of the latest sighting; null for never.")

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
            notes=person.notes,
            sightings=person.sightings,
            last_seen=person.last_seen,
        )


class PeopleAnswer(BaseModel):
    """Some of the people who are enrolled, by name."""

    people: list[PersonShape]
    next: str | None = Field(description="Give it as `after` for who follows; null at the end.")

    @classmethod
    def of(cls, people: Sequence[PersonSummary], following: str | None = None) -> Self:
        """From the gallery's values."""
        return cls(people=[PersonShape.of(person) for person in people], next=following)


class ChangeRequest(BaseModel):
    """What is to be changed about a person; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=2 * LONGEST_NAME)
    threshold: float | None = Field(
        None, ge=-1, le=1, description="Cosine from which they are named; null for the default."
    )
    notes: str | None = Field(None, max_length=LONGEST_NOTES)


class MergeRequest(BaseModel):
    """Who a person is, too."""

    model_config = ConfigDict(extra="forbid")

    into: str = Field(
        pattern=SLUG_PATTERN, max_length=LONGEST_SLUG + 8, description="Slug of who stays."
    )


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


class LikeShape(BaseModel):
    """Somebody else whom a new photo matches: the wrong name, or one person under two."""

    slug: str
    name: str
    similarity: float = Field(description="Cosine to the most similar photo of theirs.")
    threshold: float = Field(description="The one that it passes.")
    face: str = Field(description="Id of that photo.")

    @classmethod
    def of(cls, like: LooksLike) -> Self:
        """From the gallery's value."""
        return cls(
            slug=like.slug,
            name=like.name,
            similarity=like.similarity,
            threshold=like.threshold,
            face=like.photo_id,
        )


class EnrolledAnswer(BaseModel):
    """What became of a photo."""

    person: PersonShape
    face: FaceShape
    added: bool = Field(description="False when the person had this very photo already.")
    warning: LikeShape | None = Field(description="Somebody else whom the photo looks like.")

    @classmethod
    def of(cls, enrolled: Enrolled) -> Self:
        """From the gallery's value."""
        return cls(
            person=PersonShape.of(enrolled.person),
            face=FaceShape.of(enrolled.photo),
            added=enrolled.added,
            warning=None if enrolled.like is None else LikeShape.of(enrolled.like),
        )


class GalleryAnswer(BaseModel):
    """The gallery, and how far the model pack in use is with its photos."""

    version: str
    pack: str
    ready: int = Field(description="Photos that the pack has read.")
    failed: int = Field(description="Photos in which the pack does not find the face.")
    total: int = Field(description="Photos in the gallery.")
    matched: bool = Field(description="Whether faces are matched against what the pack read.")
    reembedding: bool = Field(description="Whether photos are being read by the pack now.")
    threshold: float = Field(description="Cosine from which people without their own are named.")


class HealthAnswer(BaseModel):
    """Whether the identifier is ready, and what it matches against."""

    ready: bool
    gallery_version: str
    references: int
