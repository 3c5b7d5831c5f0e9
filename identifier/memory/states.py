"""Between what is known of a track and its row."""

from __future__ import annotations

import json

from identifier.gallery.rows import utc
from identifier.memory.tables import SightingRow
from identifier.tracks.values import BestFace, Decision, TrackState
from services.records import embeddings
from services.records.facestream_pb2 import ModelFile, ModelPack


def fill(row: SightingRow, state: TrackState) -> None:
    """Write into a row what does not depend on who it is, and not the best face."""
    row.camera, row.session = state.camera, _text(state.session, 64)
    row.started_at, row.last_at, row.ended = state.first_at, state.last_at, state.ended
    row.first_seq, row.last_seq, row.frames = state.first_seq, state.last_seq, state.frames
    row.embedding = embeddings.to_bytes(state.embedding)
    row.last_x, row.last_y, row.last_width, row.last_height = state.box_px
    row.pack = _text(state.models.name, 64)
    row.recogniser_sha256 = _text(recogniser_of(state.models), 64)
    row.model_files = json.dumps(
        [{"role": f.role, "name": f.name, "sha256": f.sha256} for f in state.models.files]
    )


def fill_best(row: SightingRow, best: BestFace) -> None:
    """Write the best face into a row; the crop is another's business."""
    row.quality = best.quality
    row.best_seq, row.best_at, row.best_score = best.seq, best.captured_at, best.score
    row.x, row.y, row.width, row.height = best.box_px
    row.frame_width, row.frame_height = best.frame_size_px
    row.raw_topic, row.raw_partition = _text(best.raw_topic, 249), best.raw_partition
    row.raw_offset = best.raw_offset


def fill_match(row: SightingRow, decision: Decision | None) -> None:
    """Write why it is who it is, or that there is nothing to say."""
    if decision is None:
        row.best_similarity = row.mean_similarity = row.threshold = None
        row.reference = row.gallery_version = ""
        return
    row.best_similarity = decision.best_similarity
    row.mean_similarity = decision.mean_similarity
    row.threshold = decision.threshold
    row.reference = decision.reference
    row.gallery_version = decision.gallery_version


def _text(said: str, longest: int) -> str:
    """What a record says, as PostgreSQL takes it: one bad text would keep everything else out."""
    return said.replace("\0", "")[:longest]


def recogniser_of(models: ModelPack) -> str:
    """SHA-256 of the recogniser that made the embeddings; empty when it is not said."""
    return next((file.sha256 for file in models.files if file.role == "recogniser"), "")


def state_of(row: SightingRow, slug: str | None, name: str) -> TrackState:
    """A track as its row has it; the best face without its frame.

    Args:
        row: of the sighting.
        slug: of the person in it; None for an unknown.
        name: of that person.
    """
    decision = None
    if slug is not None and row.best_similarity is not None:
        decision = Decision(
            slug=slug,
            name=name,
            best_similarity=row.best_similarity,
            mean_similarity=row.mean_similarity or row.best_similarity,
            threshold=row.threshold or 0.0,
            reference=row.reference,
            gallery_version=row.gallery_version,
        )
    best = BestFace(
        jpeg=b"",
        quality=row.quality,
        box_px=(row.x, row.y, row.width, row.height),
        landmarks_px=(),
        score=row.best_score,
        frame_size_px=(row.frame_width, row.frame_height),
        seq=row.best_seq,
        captured_at=utc(row.best_at),
        raw_topic=row.raw_topic,
        raw_partition=row.raw_partition,
        raw_offset=row.raw_offset,
    )
    return TrackState(
        id=row.id,
        camera=row.camera,
        session=row.session,
        first_seq=row.first_seq,
        last_seq=row.last_seq,
        first_at=utc(row.started_at),
        last_at=utc(row.last_at),
        frames=row.frames,
        box_px=(row.last_x, row.last_y, row.last_width, row.last_height),
        embedding=embeddings.from_bytes(row.embedding),
        models=ModelPack(
            name=row.pack, files=[ModelFile(**file) for file in json.loads(row.model_files)]
        ),
        best=best,
        decision=decision,
        confirmed=True,
        ended=row.ended,
        unknown=row.unknown_id,
    )
