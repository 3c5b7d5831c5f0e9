"""What `POST /api/v1/identify` answers with, in facebox's shape and in ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field

from identifier.api.shapes import BoxShape, PoseShape
from identifier.photos import Photo
from identifier.tracks.quality import face_quality, pose_deg
from services.models.analysis import DetectedFace
from services.records.facestream_pb2 import IdentifiedFace, IdentifiedFrame


class RectShape(BaseModel):
    """Whole pixels in the upright photo, as facebox has them."""

    top: int
    left: int
    width: int
    height: int


class FaceboxFace(BaseModel):
    """One face, as facebox says it."""

    rect: RectShape
    id: str = Field(description="Of the reference photo that matched; empty when none did.")
    name: str = Field(description="Empty when nobody known.")
    matched: bool
    confidence: float = Field(ge=0, le=1, description="Cosine similarity; 0 when nobody matched.")

    @classmethod
    def of(cls, face: IdentifiedFace) -> Self:
        """From the matcher's record."""
        box, matched = face.box, bool(face.person)
        left, top = round(box.x), round(box.y)
        return cls(
            rect=RectShape(
                top=top,
                left=left,
                width=round(box.x + box.width) - left,
                height=round(box.y + box.height) - top,
            ),
            id=face.reference if matched else "",
            name=face.name,
            matched=matched,
            confidence=min(1.0, max(0.0, face.similarity)) if matched else 0.0,
        )


class FaceboxAnswer(BaseModel):
    """What facebox answers, so that its clients work unchanged."""

    success: Literal[True] = True
    facesCount: int = Field(description="Length of `faces`.")  # noqa: N815 - facebox's name
    faces: list[FaceboxFace]

    @classmethod
    def of(cls, identified: IdentifiedFrame) -> Self:
        """From the matcher's record."""
        faces = [FaceboxFace.of(face) for face in identified.faces]
        return cls(facesCount=len(faces), faces=faces)


class PointShape(BaseModel):
    """Pixels in the upright photo, top-left origin."""

    x: float
    y: float


class KnownFace(BaseModel):
    """One face and what the gallery says to it; names as in header `faces` of the topics."""

    box: BoxShape
    landmarks: list[PointShape] = Field(description="Eyes, nose, corners of the mouth.")
    score: float = Field(description="Detection score, 0 to 1.")
    person: str | None = Field(description="The slug; null when nobody known.")
    name: str | None
    similarity: float | None = Field(
        description="Cosine to the best reference, of the person where there is one; null while "
        "there is no reference by these models."
    )
    threshold: float = Field(description="The one that applied.")
    reference: str | None = Field(description="Id of that reference photo.")
    quality: float = Field(description="Of the look at the face, 0 to 1.")
    sharpness: float = Field(description="Variance of the Laplacian of the aligned face.")
    pose: PoseShape

    @classmethod
    def of(cls, face: IdentifiedFace, seen: DetectedFace) -> Self:
        """From the matcher's record and what the models saw."""
        box = face.box
        landmarks: list[list[float]] = seen.landmarks.tolist()
        yaw, pitch, roll = pose_deg(landmarks)
        return cls(
            box=BoxShape(x=box.x, y=box.y, width=box.width, height=box.height),
            landmarks=[PointShape(x=point.x, y=point.y) for point in face.landmarks],
            score=face.score,
            person=face.person or None,
            name=face.name or None,
            similarity=face.similarity if face.reference else None,
            threshold=face.threshold,
            reference=face.reference or None,
            quality=face_quality(seen.box_xywh.tolist(), landmarks, seen.score, seen.sharpness),
            sharpness=seen.sharpness,
            pose=PoseShape(yaw=yaw, pitch=pitch, roll=roll),
        )


class ModelFileShape(BaseModel):
    """One file of a model pack."""

    role: str = Field(description="`detector` or `recogniser`.")
    name: str
    sha256: str


class ModelsShape(BaseModel):
    """The models that looked."""

    name: str = Field(description="Of the pack.")
    files: list[ModelFileShape]


class KnownFacesAnswer(BaseModel):
    """Everything that is known of the faces of a photo, and where it comes from."""

    sha256: str = Field(description="Of the photo's file.")
    width: int = Field(description="Of the upright photo, pixels.")
    height: int = Field(description="Of the upright photo, pixels.")
    faces: list[KnownFace] = Field(description="Best detection score first.")
    models: ModelsShape
    gallery_version: str

    @classmethod
    def of(cls, photo: Photo, seen: Sequence[DetectedFace], identified: IdentifiedFrame) -> Self:
        """From the photo, what the models saw and what the gallery says to it, in one order."""
        pack = identified.models
        return cls(
            sha256=photo.sha256,
            width=photo.size_px[0],
            height=photo.size_px[1],
            faces=[
                KnownFace.of(face, found)
                for face, found in zip(identified.faces, seen, strict=True)
            ],
            models=ModelsShape(
                name=pack.name,
                files=[
                    ModelFileShape(role=file.role, name=file.name, sha256=file.sha256)
                    for file in pack.files
                ],
            ),
            gallery_version=identified.gallery_version,
        )
