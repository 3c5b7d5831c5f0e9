"""Clips and photos as the identifier sees them: analysed frames, and a gallery."""

from __future__ import annotations

import csv
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import cv2
import numpy as np

from consumer.records import face_record
from identifier.identify import Frame
from identifier.matcher import Person, Reference
from identifier.reorder import FrameKey
from identifier.snapshot import Snapshot
from identifier.tracks.quality import face_quality
from services.models.analysis import DetectedFace, FaceAnalyser
from services.records.embeddings import Embedding
from services.records.facestream_pb2 import Face, FrameRef, ModelFile, ModelPack, ProcessedFrame
from services.records.jpeg import Image, decode_jpeg, encode_jpeg

_START = datetime(2026, 1, 1, tzinfo=UTC)
_JPEG_QUALITY = 95  # the producer's


@dataclass(frozen=True)
class Clip:
    """A clip, analysed.

    Attributes:
        name: short, for tables.
        frames: in order.
    """

    name: str
    frames: Sequence[Frame] = field(repr=False)


@dataclass(frozen=True)
class Label:
    """Who is in a run of frames.

    Attributes:
        person: slug.
        frames: numbers.
        note: what the labels say of the run.
    """

    person: str
    frames: range
    note: str


def analyse_clip(
    name: str, path: Path, analyser: FaceAnalyser, wanted: Container[int] | None = None
) -> Clip:
    """Decode a clip, encode each frame as the producer does, and find its faces.

    Args:
        name: short, for tables.
        path: of the video.
        analyser: finds the faces.
        wanted: numbers of the frames to take; None for all.
    """
    models = ModelPack(
        name=analyser.pack_name,
        files=[ModelFile(role=f.role, name=f.name, sha256=f.sha256) for f in analyser.model_files],
    )
    frames = []
    for seq, (at_s, image) in enumerate(decode(path)):
        if wanted is None or seq in wanted:
            jpeg = encode_jpeg(image, _JPEG_QUALITY)
            pixels = decode_jpeg(jpeg, max_bytes=len(jpeg), max_pixels=image.size)
            (faces,) = analyser.analyse([pixels])
            frames.append(frame_of(name, seq, at_s, jpeg, image.shape[:2], faces, models))
    return Clip(name, frames)


def decode(path: Path) -> Iterator[tuple[float, Image]]:
    """The frames of a clip: seconds from its start, and (H, W, 3) uint8 BGR."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield float(frame.time or 0), np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def frame_of(
    camera: str,
    seq: int,
    at_s: float,
    jpeg: bytes,
    size_hw: tuple[int, ...],
    faces: Sequence[DetectedFace],
    models: ModelPack,
) -> Frame:
    """One frame as the identifier reads it."""
    at = _START + timedelta(seconds=at_s)
    ref = FrameRef(
        camera=camera,
        session="bench",
        seq=seq,
        width=size_hw[1],
        height=size_hw[0],
        source="stored:file",
        topic="frames.raw",
        offset=seq,
    )
    ref.captured_at.FromDatetime(at)
    record = ProcessedFrame(
        frame=ref, jpeg=jpeg, faces=[face_record(face) for face in faces], models=models
    )
    key = FrameKey(camera, "bench", seq, False, at, "frames.raw", 0, seq)
    rows = [face.embedding for face in faces]
    stacked = np.stack(rows) if rows else np.empty((0, 0), np.float32)
    recogniser = next(f.sha256 for f in models.files if f.role == "recogniser")
    return Frame(record, key, stacked, recogniser)


def photo_embedding(path: Path, analyser: FaceAnalyser) -> Embedding:
    """The embedding of the largest face of a photo."""
    image = cv2.imread(str(path))
    assert image is not None, path
    faces = analyser.analyse_photo(np.asarray(image, np.uint8))
    return max(faces, key=lambda face: float(face.box_xywh[2] * face.box_xywh[3])).embedding


def clearest_embedding(clip: Clip) -> Embedding:
    """The embedding of the clearest face of a clip that shows one person."""
    faces = [
        (_quality(face), frame.faces[index])
        for frame in clip.frames
        for index, face in enumerate(frame.record.faces)
    ]
    clearest: Embedding = max(faces, key=lambda face: face[0])[1]
    return clearest


def gallery(people: Mapping[str, Embedding], recogniser: str) -> Snapshot:
    """One reference per person, made by the recogniser of this SHA-256."""
    references = [
        Reference(f"photo-{slug}", Person(slug, slug), embedding)
        for slug, embedding in people.items()
    ]
    return Snapshot.of("bench", {recogniser: references})


def labels(folder: Path) -> list[Label]:
    """`labels.csv` of a clip's folder; runs of nobody are left out."""
    with (folder / "labels.csv").open(newline="") as file:
        return [
            Label(
                row["person"],
                range(int(row["first_frame"]), int(row["last_frame"]) + 1),
                row["note"],
            )
            for row in csv.DictReader(file)
            if row["person"]
        ]


def _quality(face: Face) -> float:
    box = face.box
    points = [(point.x, point.y) for point in face.landmarks]
    return face_quality((box.x, box.y, box.width, box.height), points, face.score, face.sharpness)
