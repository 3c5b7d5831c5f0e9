"""Faces from the log against one person: which of them are theirs, and nobody else's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from identifier.history.target import Target
from identifier.matcher import Embeddings, Match
from identifier.snapshot import Snapshot
from identifier.tracks.quality import face_quality
from services.errors import RecordError
from services.records.embeddings import Embedding
from services.records.faces import check_faces
from services.records.facestream_pb2 import DetectedFace, Face, ModelPack
from services.records.frames import FrameMeta, from_ref

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels of the frame."""

_LENGTH_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class LoggedFace:
    """A record of `faces.detected` and where in the log it lies.

    Attributes:
        record: as it was read, not checked yet.
        partition: of `faces.detected`.
        offset: in that partition.
        logged_ms: the record's own time, milliseconds since 1970.
    """

    record: DetectedFace = field(repr=False)
    partition: int
    offset: int
    logged_ms: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A face in the log that is the person's.

    Attributes:
        partition: of `faces.detected`.
        offset: in that partition.
        logged_ms: the record's own time, milliseconds since 1970.
        frame: camera, session, number, time and size of the frame.
        raw: topic, partition and offset of the frame's raw record.
        index: of the face in its frame.
        box_px: in the frame.
        score: detection score, 0..1.
        quality: 0..1, as of tracks.
        embedding: (D,) float32, unit length.
        crop: JPEG, 112 x 112.
        models: the pack that made the embedding.
        recogniser_sha256: of the pack's recogniser.
        similarity: cosine to the best reference.
        threshold: the one that applied.
        reference: id of the best reference's photo.
        gallery_version: of the gallery it was compared with.
    """

    partition: int
    offset: int
    logged_ms: int
    frame: FrameMeta
    raw: tuple[str, int, int]
    index: int
    box_px: Box
    score: float
    quality: float
    embedding: Embedding = field(repr=False)
    crop: bytes = field(repr=False)
    models: ModelPack = field(repr=False)
    recogniser_sha256: str
    similarity: float
    threshold: float
    reference: str
    gallery_version: str

    @property
    def at(self) -> datetime:
        """When the frame was taken, UTC."""
        return self.frame.captured_at


def find_hits(
    faces: Sequence[LoggedFace],
    target: Target,
    snapshot: Snapshot,
    default_threshold: Callable[[str], float],
) -> list[Hit]:
    """The person's faces among those of a stretch of the log.

    Almost every face is somebody else's, so all are compared with the person's own references
    first, and only those above the threshold with the rest of the gallery: they are the person's
    when nobody else there is more, or equally, like them. A face at least as near to one that
    was said not to be the person's is not theirs.

    Args:
        faces: any; what makes no sense is passed over.
        target: who is looked for.
        snapshot: the whole gallery.
        default_threshold: of a model pack, by its name.

    Returns:
        The hits, in the order of the faces.
    """
    groups: dict[tuple[str, str, int], list[LoggedFace]] = {}
    for face in faces:
        sha = _recogniser(face.record.models)
        if sha in target.references:
            size = len(face.record.face.embedding)
            groups.setdefault((sha, face.record.models.name, size), []).append(face)
    found: list[Hit] = []
    for (sha, pack, size), group in groups.items():
        if size == 4 * target.references[sha].shape[1]:
            found += _of_group(group, sha, default_threshold(pack), target, snapshot)
    order = {(face.partition, face.offset): at for at, face in enumerate(faces)}
    return sorted(found, key=lambda hit: order[hit.partition, hit.offset])


def _of_group(
    group: Sequence[LoggedFace], sha: str, default: float, target: Target, snapshot: Snapshot
) -> list[Hit]:
    matrix = snapshot.matrices.get(sha)
    if matrix is None:
        return []
    stacked = np.frombuffer(b"".join(face.record.face.embedding for face in group), "<f4")
    vectors: Embeddings = stacked.reshape(len(group), -1).astype(np.float32, copy=False)
    likely = _likely(
        vectors, sha, default if target.threshold is None else target.threshold, target
    )
    if not len(likely):
        return []
    # Each face is asked about alone: who else is in the frame is not known here.
    matches = matrix.match(vectors[likely], range(len(likely)), default)
    hits = []
    for at, match in zip(likely.tolist(), matches, strict=True):
        if match.person is not None and match.person.slug == target.slug:
            hit = _hit(group[at], vectors[at], sha, match, snapshot.version)
            if hit is not None:
                hits.append(hit)
    return hits


def _likely(vectors: Embeddings, sha: str, threshold: float, target: Target) -> NDArray[np.intp]:
    """Indices of the faces that may be the person's: (F, D) float32 in, (C,) int64 out."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        own = (vectors @ target.references[sha].T).max(axis=1)
        likely = (np.abs(lengths - 1) <= _LENGTH_TOLERANCE) & (own >= threshold)
        negatives = target.negatives.get(sha)
        if negatives is not None and negatives.shape[1] == vectors.shape[1]:
            likely &= (vectors @ negatives.T).max(axis=1) < own
    return np.flatnonzero(likely)


def _hit(face: LoggedFace, vector: Embeddings, sha: str, match: Match, version: str) -> Hit | None:
    record = face.record
    try:
        check_faces([record.face])
        meta = from_ref(record.frame)
    except RecordError:
        return None
    box = record.face.box
    return Hit(
        partition=face.partition,
        offset=face.offset,
        logged_ms=face.logged_ms,
        frame=meta,
        raw=(record.frame.topic, record.frame.partition, record.frame.offset),
        index=record.index,
        box_px=(box.x, box.y, box.width, box.height),
        score=record.face.score,
        quality=_quality(record.face),
        embedding=vector.copy(),
        crop=record.crop,
        models=record.models,
        recogniser_sha256=sha,
        similarity=match.similarity,
        threshold=match.threshold,
        reference=match.photo_id,
        gallery_version=version,
    )


def _recogniser(models: ModelPack) -> str:
    return next((file.sha256 for file in models.files if file.role == "recogniser"), "")


def _quality(face: Face) -> float:
    sharpness = face.sharpness if math.isfinite(face.sharpness) else None
    box = (face.box.x, face.box.y, face.box.width, face.box.height)
    points = [(point.x, point.y) for point in face.landmarks]
    return face_quality(box, points, face.score, sharpness)
