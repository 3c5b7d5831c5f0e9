"""Frames to names: what is known of a processed frame and what the gallery says to its faces."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from confluent_kafka import Message

from identifier.matcher import Embeddings, Match
from identifier.reorder import FrameKey
from identifier.snapshot import Snapshot
from services.errors import RecordError
from services.records import embeddings
from services.records.facestream_pb2 import Face, IdentifiedFace, IdentifiedFrame, ProcessedFrame
from services.records.frames import from_ref
from services.records.jpeg import jpeg_size
from services.records.processed import parse_processed

_FRAME_JSON_BYTES, _FACE_JSON_BYTES = 4_096, 1_024
_HEADER_BYTES = 1_048_576  # the most a reader of `faces.identified` accepts


@dataclass(frozen=True, slots=True)
class Frame:
    """A processed frame that was found to be sound.

    Attributes:
        record: the frame as it was read.
        key: what ordering needs.
        faces: (F, D) float32, rows of unit length.
        recogniser_sha256: whose embeddings they are; empty when there is no face.
    """

    record: ProcessedFrame = field(repr=False)
    key: FrameKey
    faces: Embeddings = field(repr=False)
    recogniser_sha256: str


def read_frame(message: Message, max_bytes: int) -> Frame:
    """Read a record of `frames.processed`, trusting nothing.

    Args:
        message: the record.
        max_bytes: the largest record that may be published.

    Raises:
        RecordError: it is not Protobuf, not a frame, has no JPEG, a face of it makes no sense, or
            what would be made of it is too large.
    """
    record = parse_processed(message.value())
    ref, meta = record.frame, from_ref(record.frame)
    if jpeg_size(record.jpeg) != (meta.width, meta.height):
        raise RecordError("bad-frame-ref", "the frame says another size than its JPEG")
    size_bytes = len(record.jpeg) + _FRAME_JSON_BYTES + _FACE_JSON_BYTES * len(record.faces)
    if size_bytes > max_bytes or size_bytes - len(record.jpeg) > _HEADER_BYTES:
        raise RecordError("too-large", f"{len(record.jpeg)} bytes with {len(record.faces)} faces")
    key = FrameKey(
        camera=meta.camera,
        session=meta.session,
        seq=meta.seq,
        live=meta.live,
        captured_at=meta.captured_at,
        raw_topic=ref.topic,
        raw_partition=ref.partition,
        raw_offset=ref.offset,
    )
    recogniser = next((f.sha256 for f in record.models.files if f.role == "recogniser"), "")
    return Frame(record, key, _embeddings(record.faces), recogniser)


def identify(
    frames: Sequence[Frame], snapshot: Snapshot, default_threshold: Callable[[str], float]
) -> list[IdentifiedFrame]:
    """Name the faces of a batch of frames: one matrix multiply per recogniser.

    Args:
        frames: of any cameras.
        snapshot: the gallery.
        default_threshold: of a model pack, by its name, for people without one of their own.

    Returns:
        One record per frame, in order, `late` unset.
    """
    identified = [
        IdentifiedFrame(
            frame=frame.record.frame, models=frame.record.models, gallery_version=snapshot.version
        )
        for frame in frames
    ]
    groups: dict[tuple[str, str, int], list[int]] = {}
    for index, frame in enumerate(frames):
        if len(frame.faces):
            group = (frame.recogniser_sha256, frame.record.models.name, frame.faces.shape[1])
            groups.setdefault(group, []).append(index)
    for (recogniser, pack, dimensions), indices in groups.items():
        threshold = default_threshold(pack)
        matrix = snapshot.matrices.get(recogniser)
        numbers = [index for index in indices for _ in range(len(frames[index].faces))]
        matches: Sequence[Match | None] = [None] * len(numbers)
        if matrix is not None and matrix.dimensions == dimensions:
            stacked = np.concatenate([frames[index].faces for index in indices])
            matches = matrix.match(stacked, numbers, threshold)
        faces = (face for index in indices for face in frames[index].record.faces)
        for index, face, match in zip(numbers, faces, matches, strict=True):
            identified[index].faces.append(_identified_face(face, match, threshold))
    return identified


def people_in(frame: IdentifiedFrame) -> list[str]:
    """Slugs of everyone named in a frame."""
    return [face.person for face in frame.faces if face.person]


def _embeddings(faces: Sequence[Face]) -> Embeddings:
    rows = []
    for face in faces:
        _check_geometry(face)
        rows.append(embeddings.from_bytes(face.embedding))
    if len({len(row) for row in rows}) > 1:
        raise RecordError("bad-embedding", "the faces of a frame have embeddings of several sizes")
    return np.stack(rows) if rows else np.empty((0, 0), np.float32)


def _check_geometry(face: Face) -> None:
    box = face.box
    values = [box.x, box.y, box.width, box.height, face.score, face.sharpness]
    values += [value for point in face.landmarks for value in (point.x, point.y)]
    if not all(map(math.isfinite, values)) or box.width < 0 or box.height < 0:
        raise RecordError("bad-face", "a face with an impossible box, landmark or score")
    if len(face.landmarks) not in (0, 5) or not 0 <= face.score <= 1.001:
        raise RecordError("bad-face", "a face with an impossible score or number of landmarks")


def _identified_face(face: Face, match: Match | None, threshold: float) -> IdentifiedFace:
    found = IdentifiedFace(
        box=face.box, landmarks=face.landmarks, score=face.score, threshold=threshold
    )
    if match is not None:
        found.similarity = match.similarity
        found.threshold = match.threshold
        found.reference = match.photo_id
        if match.person is not None:
            found.person, found.name = match.person.slug, match.person.name
    return found
