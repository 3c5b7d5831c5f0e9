"""What the gallery takes in and gives back: plain values, no rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.records.embeddings import Embedding


@dataclass(frozen=True, slots=True)
class PhotoReading:
    """The one face a model pack found in a photo.

    Attributes:
        pack: name of the model pack.
        recogniser_sha256: of the recogniser's file.
        detector_sha256: of the detector's file.
        embedding: (D,) float32, unit length.
        score: detection score, 0..1.
        sharpness: variance of the Laplacian of the aligned crop.
        box_px: x, y, width, height in the upright photo.
        pose_deg: yaw, pitch and roll; None where nobody measured it.
    """

    pack: str
    recogniser_sha256: str
    detector_sha256: str
    embedding: Embedding = field(repr=False)
    score: float
    sharpness: float
    box_px: tuple[float, float, float, float]
    pose_deg: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photo that passed enrolment.

    Attributes:
        data: the file as it came.
        sha256: of `data`.
        media_type: `image/jpeg` or `image/png`.
        size_px: width and height, upright.
        reading: the face in it.
        folder: the PEOPLE_DIR it lies in; empty for an upload.
        path: where in that folder.
    """

    data: bytes = field(repr=False)
    sha256: str
    media_type: str
    size_px: tuple[int, int]
    reading: PhotoReading
    folder: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class PhotoInfo:
    """A reference photo, without the file."""

    id: str
    sha256: str
    media_type: str
    size_px: tuple[int, int]
    folder: str
    path: str
    created_at: datetime
    reading: PhotoReading | None


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """A person, as lists show them.

    Attributes:
        slug: never changes.
        name: as the user wrote it.
        threshold: cosine from which they are named; None takes the deployment's.
        created_at: UTC.
        photos: how many reference photos they have.
        notes: whatever the user wrote.
        sightings: how often they were seen.
        last_seen: end of the latest sighting, UTC; None when never.
    """

    slug: str
    name: str
    threshold: float | None
    created_at: datetime
    photos: int
    notes: str = ""
    sightings: int = 0
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class PersonInfo:
    """A person with their photos."""

    slug: str
    name: str
    threshold: float | None
    created_at: datetime
    photos: tuple[PhotoInfo, ...]
    notes: str = ""
    sightings: int = 0
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some people of a long list, by name.

    Attributes:
        people: of this page.
        after: where the next page begins; empty on the last.
    """

    people: tuple[PersonSummary, ...]
    after: str


@dataclass(frozen=True, slots=True)
class PersonChange:
    """What is to be changed about a person.

    Attributes:
        name: None leaves it.
        notes: None leaves them.
        set_threshold: whether `threshold` is meant.
        threshold: cosine; None takes the deployment's.
    """

    name: str | None = None
    notes: str | None = None
    set_threshold: bool = False
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class LooksLike:
    """Somebody else whom a new photo matches: perhaps the same person under two names.

    Attributes:
        slug: of the other person.
        name: of the other person.
        similarity: cosine to their most similar photo.
        threshold: the one that it passes.
        photo_id: of that photo.
    """

    slug: str
    name: str
    similarity: float
    threshold: float
    photo_id: str


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo as it came."""

    data: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class PackProgress:
    """How far one recogniser is with the photos of the gallery.

    Attributes:
        ready: photos that it has read.
        failed: photos in which its pack does not find the face.
        total: photos in the gallery.
        matched: whether faces are matched against it: once it has been through all photos.
    """

    ready: int
    failed: int
    total: int
    matched: bool


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What enrolling a photo came to.

    Attributes:
        person: with all their photos.
        photo: the one that was enrolled.
        added: False when the person had the very same photo already.
        like: somebody else whom the photo matches, as a warning.
    """

    person: PersonInfo
    photo: PhotoInfo
    added: bool
    like: LooksLike | None = None


@dataclass(frozen=True, slots=True)
class FolderPhoto:
    """A photo of PEOPLE_DIR as the gallery knows it.

    Attributes:
        slug: of the person.
        id: of the photo.
        sha256: of the file.
        path: in the folder.
    """

    slug: str
    id: str
    sha256: str
    path: str
