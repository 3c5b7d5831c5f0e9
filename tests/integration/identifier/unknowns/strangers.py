"""Strangers: made-up faces that are alike or not, tracks of them, and crops in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from identifier.gallery.database import Database
from identifier.memory.tables import SightingRow
from identifier.tracks.values import BestFace, Decision, TrackState
from identifier.unknowns.store import Unknowns
from identifier.unknowns.values import Media
from services.records import embeddings
from services.records.embeddings import Embedding
from services.records.facestream_pb2 import ModelPack

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECOGNISER = "a" * 64


def models(recogniser: str = RECOGNISER, pack: str = "buffalo_s") -> ModelPack:
    found = ModelPack(name=pack)
    found.files.add(role="recogniser", name="w600k_mbf.onnx", sha256=recogniser)
    return found


def face(of: int, seed: int = 0, noise: float = 0.5) -> Embedding:
    """A face of a stranger: two of one are at a cosine of about 0.8, of two at about 0."""
    vector = np.random.default_rng(of).normal(size=128)
    scatter = np.random.default_rng((of, seed)).normal(size=128) * noise
    unit: Embedding = ((vector + scatter) / np.linalg.norm(vector + scatter)).astype(np.float32)
    return unit


def track(
    name: str,
    embedding: Embedding,
    *,
    camera: str = "door",
    at: datetime = NOON,
    quality: float = 0.8,
    recogniser: str = RECOGNISER,
    ended: bool = False,
    decision: Decision | None = None,
) -> TrackState:
    return TrackState(
        id=hashlib.sha256(name.encode()).hexdigest()[:32],
        camera=camera,
        session="s",
        first_seq=0,
        last_seq=9,
        first_at=at,
        last_at=at + timedelta(seconds=3),
        frames=10,
        box_px=(1, 2, 80, 100),
        embedding=embedding,
        models=models(recogniser),
        best=BestFace(
            jpeg=b"",
            quality=quality,
            box_px=(1, 2, 80, 100),
            landmarks_px=(),
            score=0.9,
            frame_size_px=(640, 480),
            seq=4,
            captured_at=at,
            raw_topic="frames.raw",
            raw_partition=0,
            raw_offset=17,
        ),
        decision=decision,
        confirmed=True,
        ended=ended,
    )


def alice(slug: str = "alice") -> Decision:
    return Decision(slug, slug.title(), 0.7, 0.6, 0.33, "f" * 32, "gallery-1")


class CropsInMemory(Media):
    """Crops by key."""

    def __init__(self) -> None:
        self.crops: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.crops.get(key)

    def delete_many(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.crops.pop(key, None)


def see(
    database: Database, unknowns: Unknowns, *states: TrackState, person_id: int | None = None
) -> list[int | None]:
    """Write tracks down as the memory does, in one transaction; their numbers."""
    with database.writing() as session:
        return [write(session, unknowns, state, person_id) for state in states]


def write(
    session: Session, unknowns: Unknowns, state: TrackState, person_id: int | None = None
) -> int | None:
    number = unknowns.assign(session, state)
    row = session.get(SightingRow, state.id)
    if row is None:
        row = SightingRow(id=state.id, crop=f"crops/{state.id}.jpg", found_by="live")
        row.camera, row.session = state.camera, state.session
        row.started_at, row.first_seq = state.first_at, state.first_seq
        row.person_id, row.frames = person_id, state.frames
        row.pack, row.recogniser_sha256 = state.models.name, state.models.files[0].sha256
        row.model_files = "[]"
        row.x, row.y, row.width, row.height = state.best.box_px
        row.last_x, row.last_y, row.last_width, row.last_height = state.box_px
        row.frame_width, row.frame_height = state.best.frame_size_px
        row.best_seq, row.best_at = state.best.seq, state.best.captured_at
        row.best_score, row.quality = state.best.score, state.best.quality
        row.raw_topic, row.raw_partition = state.best.raw_topic, state.best.raw_partition
        row.raw_offset = state.best.raw_offset
        session.add(row)
    row.unknown_id = number
    row.last_at, row.last_seq, row.ended = state.last_at, state.last_seq, state.ended
    row.embedding = embeddings.to_bytes(state.embedding)
    session.flush()
    return number


def later(state: TrackState, **by: float) -> TrackState:
    """The track a while later."""
    return replace(state, last_at=state.last_at + timedelta(**by), last_seq=state.last_seq + 1)
