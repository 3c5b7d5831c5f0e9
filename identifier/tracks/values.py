"""What is known of a track: plain values, handed to the memory and taken back from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.records.embeddings import Embedding
from services.records.facestream_pb2 import ModelPack


@dataclass(frozen=True, slots=True)
class Decision:
    """Who a track is, and why.

    Attributes:
        slug: of the person.
        name: as the user wrote it.
        best_similarity: cosine, of the vote that was surest.
        mean_similarity: cosine, over the votes for this person.
        threshold: the one that applied.
        reference: id of the reference photo of the surest vote.
        gallery_version: of the gallery that the surest vote was cast with.
    """

    slug: str
    name: str
    best_similarity: float
    mean_similarity: float
    threshold: float
    reference: str
    gallery_version: str


@dataclass(frozen=True, slots=True)
class BestFace:
    """The clearest face of a track, and the frame it is in.

    Attributes:
        jpeg: the whole frame; empty when the state was read back from the memory.
        quality: 0..1, of size, sharpness, pose and detection score; higher is better.
        box_px: x, y, width, height in the frame.
        landmarks_px: five (x, y), InsightFace order; may be empty.
        score: detection score, 0..1.
        frame_size_px: width and height.
        seq: of the frame.
        captured_at: UTC.
        raw_topic: where the frame's raw record lies.
        raw_partition: of `raw_topic`.
        raw_offset: in `raw_partition`.
    """

    jpeg: bytes = field(repr=False)
    quality: float
    box_px: tuple[float, float, float, float]
    landmarks_px: tuple[tuple[float, float], ...]
    score: float
    frame_size_px: tuple[int, int]
    seq: int
    captured_at: datetime
    raw_topic: str
    raw_partition: int
    raw_offset: int


@dataclass(frozen=True, slots=True)
class TrackState:
    """A track as it stands. The newest state of an id replaces the ones before.

    Attributes:
        id: 32 hex digits, made of camera, session, number of the first frame and the place of
            the face in it: reading the same frames again makes the same id.
        camera: name of the camera.
        session: the producer's session; empty for bare JPEGs.
        first_seq: of its first frame.
        last_seq: of its newest frame.
        first_at: capture time of the first frame, UTC.
        last_at: of the newest frame, UTC.
        frames: in which it was seen.
        box_px: where it was last: x, y, width, height.
        embedding: (D,) float32, unit length: mean over the track, weighted by quality.
        models: the pack that made the embeddings.
        best: the clearest face.
        decision: who it is; None for nobody known, or not decided yet.
        confirmed: whether it was seen in enough frames to be worth remembering.
        ended: whether it will not be seen again.
        unknown: number of the unknown person the memory has given it; None when named, not
            confirmed, or not given yet.
    """

    id: str
    camera: str
    session: str
    first_seq: int
    last_seq: int
    first_at: datetime
    last_at: datetime
    frames: int
    box_px: tuple[float, float, float, float]
    embedding: Embedding = field(repr=False)
    models: ModelPack = field(repr=False)
    best: BestFace
    decision: Decision | None
    confirmed: bool
    ended: bool
    unknown: int | None = None
