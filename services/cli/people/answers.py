"""What the identifier answers, as far as the command line reads it; the rest is passed over."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Page(BaseModel):
    """Part of a list.

    Attributes:
        next: where the following part begins; None at the end.
    """

    next: str | None = None


class Person(BaseModel):
    """A person, as lists show them."""

    slug: str
    name: str
    threshold: float | None = None
    notes: str = ""
    created_at: datetime
    faces: int
    sightings: int = 0
    last_seen: datetime | None = None


class Pose(BaseModel):
    """Where a face looks, degrees."""

    yaw: float
    pitch: float


class Box(BaseModel):
    """Pixels in the upright photo."""

    width: float
    height: float


class Face(BaseModel):
    """A reference photo."""

    id: str
    sha256: str
    width: int
    height: int
    origin: str = ""
    created_at: datetime
    box: Box | None = None
    score: float | None = None
    sharpness: float | None = None
    model_pack: str | None = None
    pose: Pose | None = None

    @property
    def summary(self) -> str:
        """Its quality in a few words: `face 212 px, score 0.87, sharpness 340, turned +5/-12°`."""
        size_px = None if self.box is None else min(self.box.width, self.box.height)
        parts = [
            None if size_px is None else f"face {size_px:.0f} px",
            None if self.score is None else f"score {self.score:.2f}",
            None if self.sharpness is None else f"sharpness {self.sharpness:.0f}",
            None if self.pose is None else f"turned {self.pose.yaw:+.0f}/{self.pose.pitch:+.0f}°",
        ]
        return ", ".join(part for part in parts if part) or "not measured"


class PeoplePage(Page):
    """Some of everyone."""

    people: list[Person]


class PersonWithFaces(BaseModel):
    """One person and their reference photos."""

    person: Person
    faces: list[Face]


class Like(BaseModel):
    """Somebody else whom a new photo looks like."""

    slug: str
    name: str
    similarity: float
    threshold: float


class Enrolled(BaseModel):
    """What became of a photo."""

    person: Person
    face: Face
    added: bool
    warning: Like | None = None

    @property
    def remark(self) -> str:
        """The warning in words; empty where there is none."""
        like = self.warning
        if like is None:
            return ""
        return (
            f"looks like {like.name} ({like.slug}) too: similarity {like.similarity:.2f}, "
            f"threshold {like.threshold:.2f}"
        )


class Backfill(BaseModel):
    """A search for someone in the past."""

    id: str
    state: str
    faces: int
    faces_total: int
    hits: int
    sightings: int
    rate_faces_s: float
    error: str = ""


class Who(BaseModel):
    """A person, as a sighting names them."""

    slug: str
    name: str


class Sighting(BaseModel):
    """Someone who was somewhere for a while."""

    model_config = ConfigDict(extra="allow")

    id: str
    camera: str
    person: Who | None = None
    unknown: int | None = None
    started_at: datetime
    last_at: datetime
    ended: bool = True
    frames: int
    best_similarity: float | None = None
    found_by: str = ""

    @property
    def who(self) -> str:
        """The name, or the number of the unknown."""
        if self.person is not None:
            return self.person.name
        return "?" if self.unknown is None else f"Unknown {self.unknown}"


class SightingsPage(Page):
    """Some sightings, newest first."""

    sightings: list[Sighting]


class Unknown(BaseModel):
    """Someone who was seen and has, or had, no name."""

    model_config = ConfigDict(extra="allow")

    number: int
    person: Who | None = None
    sightings: int
    first_at: datetime
    last_at: datetime
    cameras: list[str]
    ignored: bool

    @property
    def remark(self) -> str:
        """What became of them, if anything."""
        parts = [
            None if self.person is None else f"is {self.person.name}",
            "ignored" if self.ignored else None,
        ]
        return ", ".join(part for part in parts if part)


class UnknownsPage(Page):
    """Some unknown people."""

    unknowns: list[Unknown]


class Named(BaseModel):
    """What naming an unknown came to."""

    person: Who
    sightings: int
    references: list[str]
    refused: list[str]


class Forgotten(BaseModel):
    """What went with an unknown."""

    sightings: int
    crops: int
    events: int


class Kept(BaseModel):
    """A topic that forgets by itself."""

    topic: str
    holds: str
    expires_at: datetime | None = None
    retention_ms: int | None = None


class Erasure(BaseModel):
    """What erasing removed, and what goes by itself."""

    model_config = ConfigDict(extra="allow")

    at: datetime
    removed: dict[str, int]
    kept: list[Kept]
    not_removed: list[str]
    remaining: list[str]
    verified: bool


class Anything(BaseModel):
    """An answer that is shown as it came."""

    model_config = ConfigDict(extra="allow")
