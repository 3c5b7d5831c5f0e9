"""What was found in an input: faces and names, frame by frame, as it is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.records.facestream_pb2 import IdentifiedFace, IdentifiedFrame

_PLACES = 3  # of numbers: the same faces matched again are the same to the last bit, but who knows


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference photo that somebody was recognised by."""

    id: str
    sha256: str
    path: str


def facebox(frame: IdentifiedFrame) -> dict[str, Any]:
    """One frame in facebox's shape."""
    faces = [_face(face) for face in frame.faces]
    return {"success": True, "facesCount": len(faces), "faces": faces}


def names_in(frames: Sequence[IdentifiedFrame]) -> list[str]:
    """Everyone who is named, in order of the alphabet."""
    return sorted({face.name for frame in frames for face in frame.faces if face.person})


def references_of(
    frames: Sequence[IdentifiedFrame], known: Mapping[str, Reference]
) -> list[dict[str, str]]:
    """The photos that the names of an input come from."""
    ids = {face.reference for frame in frames for face in frame.faces if face.person}
    used = (known[each] for each in ids if each in known)
    photos = {photo.path: photo.sha256 for photo in used}
    return [{"path": path, "sha256": photos[path]} for path in sorted(photos)]


def _face(face: IdentifiedFace) -> dict[str, Any]:
    box = face.box
    return {
        "rect": {
            "top": round(box.y),
            "left": round(box.x),
            "width": round(box.width),
            "height": round(box.height),
        },
        "id": face.person,
        "name": face.name,
        "matched": bool(face.person),
        "confidence": round(face.similarity, _PLACES) if face.person else 0.0,
    }
