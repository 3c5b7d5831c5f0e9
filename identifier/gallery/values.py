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
    """

    pack: str
    recogniser_sha256: str
    detector_sha256: str
    embedding: Embedding = field(repr=False)
    score: float
    sharpness: float
    box_px: tuple[float, float, float, float]


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
    """A person, as lists show them."""

    slug: str
    name: str
    threshold: float | None
    created_at: datetime
    photos: int


@dataclass(frozen=True, slots=True)
class PersonInfo:
    """A person with their photos."""

    slug: str
    name: str
    threshold: float | None
    created_at: datetime
    photos: tuple[PhotoInfo, ...]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What enrolling a photo came to.

    Attributes:
        person: with all their photos.
        photo: the one that was enrolled.
        added: False when the person had the very same photo already.
    """

    person: PersonInfo
    photo: PhotoInfo
    added: bool


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
