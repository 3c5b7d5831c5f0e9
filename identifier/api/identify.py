"""`POST /api/v1/identify`: who is in a photo, without remembering it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from identifier.api.analysts import Analysts, BusyError
from identifier.api.identify_shapes import FaceboxAnswer, KnownFacesAnswer
from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError, problem, respond
from identifier.enrolment import PhotoAnalyser
from identifier.identify import Frame, identify
from identifier.photos import Photo, read_photo
from identifier.reorder import FrameKey
from identifier.snapshot import SnapshotSource
from services.models.analysis import DetectedFace
from services.records import embeddings
from services.records.facestream_pb2 import Face, IdentifiedFrame, ProcessedFrame

_RETRY_AFTER_S = 1
_WHOLE_BODY = ("image/", "application/octet-stream")
_PHOTO = {"type": "string", "format": "binary"}
_REQUEST_BODY = {
    "requestBody": {
        "required": True,
        "description": "One JPEG or PNG: as the field `file` of a form, or as the body itself.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": _PHOTO},
                }
            },
            "image/jpeg": {"schema": _PHOTO},
            "image/png": {"schema": _PHOTO},
        },
    }
}
_REFUSALS = {
    400: "The form cannot be read.",
    413: "The photo has too many bytes or pixels.",
    415: "Neither a JPEG nor a PNG.",
    422: "The photo, or the request, cannot be used; `reason` says why.",
    503: "Too many photos are waiting (then with `Retry-After`), or the models cannot be had.",
}


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """How large a photo may be.

    Attributes:
        max_bytes: of the file.
        max_pixels: width x height.
    """

    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class _Looked:
    """A photo, what the models saw in it, and what the gallery says to it."""

    photo: Photo
    faces: Sequence[DetectedFace]
    identified: IdentifiedFrame


def identify_routes(
    gallery: SnapshotSource,
    default_threshold: Callable[[str], float],
    analysts: Analysts,
    limits: PhotoLimits,
) -> APIRouter:
    """The path that names the faces of a photo.

    Args:
        gallery: who can be recognised.
        default_threshold: of a model pack, by its name, for people without one of their own.
        analysts: who look at the photos.
        limits: how large a photo may be.
    """
    router = APIRouter(tags=["identify"])

    def look(data: bytes, analyser: PhotoAnalyser) -> _Looked:
        photo = read_photo(data, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
        faces = analyser.analyse_photo(photo.pixels)
        frame = _as_frame(photo, faces, analyser)
        (identified,) = identify([frame], gallery.snapshot, default_threshold)
        return _Looked(photo, faces, identified)

    @router.post(
        "/api/v1/identify",
        response_model=FaceboxAnswer | KnownFacesAnswer,
        openapi_extra=_REQUEST_BODY,
        responses={status: _described(status) for status in _REFUSALS},
    )
    async def identify_photo(
        request: Request,
        shape: Annotated[
            Literal["facebox", "facestream"],
            Query(description="`facebox`'s answer, or all that is known."),
        ] = "facebox",
    ) -> FaceboxAnswer | KnownFacesAnswer | Response:
        """Name the faces of a photo. Nothing of it is kept."""
        data = await _photo_of(request)
        try:
            looked = await analysts.run(lambda analyser: look(data, analyser))
        except BusyError:
            return _busy()
        if shape == "facebox":
            return FaceboxAnswer.of(looked.identified)
        return KnownFacesAnswer.of(looked.photo, looked.faces, looked.identified)

    return router


async def _photo_of(request: Request) -> bytes:
    """The photo's bytes; how many they may be was seen to before.

    Raises:
        ProblemError: the request has no photo.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form(max_files=1, max_fields=8) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise ProblemError(422, "bad-request", "the form has no file in its field `file`")
            return await file.read()
    if kind.startswith(_WHOLE_BODY):
        return await request.body()
    raise ProblemError(
        415,
        "unsupported-media-type",
        "send the photo as a form's field `file`, or as the body with Content-Type image/jpeg or "
        "image/png",
    )


def _as_frame(photo: Photo, faces: Sequence[DetectedFace], analyser: PhotoAnalyser) -> Frame:
    """The photo as the matcher takes it: a frame of no camera."""
    record = ProcessedFrame(faces=[_as_record(face) for face in faces])
    record.frame.width, record.frame.height = photo.size_px
    record.models.name = analyser.pack_name
    recogniser = ""
    for file in analyser.model_files:
        record.models.files.add(role=file.role, name=file.name, sha256=file.sha256)
        if file.role == "recogniser":
            recogniser = file.sha256
    rows = [face.embedding for face in faces]
    stacked = np.stack(rows) if rows else np.empty((0, 0), np.float32)
    key = FrameKey("", "", 0, live=False, captured_at=datetime.now(UTC), raw_topic="",
                   raw_partition=0, raw_offset=0)  # fmt: skip
    return Frame(record, key, stacked, recogniser)


def _as_record(face: DetectedFace) -> Face:
    x, y, width, height = (float(value) for value in face.box_xywh)
    record = Face(
        score=face.score, sharpness=face.sharpness, embedding=embeddings.to_bytes(face.embedding)
    )
    record.box.x, record.box.y, record.box.width, record.box.height = x, y, width, height
    for landmark_x, landmark_y in face.landmarks.tolist():
        record.landmarks.add(x=landmark_x, y=landmark_y)
    return record


def _busy() -> Response:
    answer = respond(problem(503, "busy", "too many photos are waiting: try again in a second"))
    answer.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return answer


def _described(status: int) -> dict[str, object]:
    return {
        "description": _REFUSALS[status],
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
