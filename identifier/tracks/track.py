"""One face followed through the frames of one camera."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace

import numpy as np

from identifier.identify import Frame
from identifier.matcher import ReferenceMatrix
from identifier.tracks.quality import face_quality
from identifier.tracks.tracker import Box, Place
from identifier.tracks.values import BestFace, Decision, TrackState
from identifier.tracks.votes import Vote, Votes
from services.records.embeddings import Embedding
from services.records.facestream_pb2 import Face, IdentifiedFace, IdentifiedFrame

_CLEARER = 1.05  # a new best face is so much better: crops need not change with every frame
_LEAST_WEIGHT = 1e-3
_UNCONFIRMED_FRAMES_AWAITED = 2  # times CONFIRM_FRAMES


@dataclass(frozen=True, slots=True)
class TrackRules:
    """What makes a track.

    Attributes:
        confirm_frames: how many frames must agree on a name, or show somebody unknown.
        lost_s: capture time unseen after which a track ends, seconds.
        unknown_after_s: capture time after which an unnamed track is worth remembering, seconds.
        unknown_min_quality: of the best face of an unnamed track worth remembering, 0..1.
    """

    confirm_frames: int = 3
    lost_s: float = 2.0
    unknown_after_s: float = 1.0
    unknown_min_quality: float = 0.35


@dataclass(frozen=True, slots=True)
class Sight:
    """One face of one frame, read once from its record.

    Attributes:
        frame: it is in.
        index: of the face in the frame.
        box_px: x, y, width, height.
        landmarks_px: five (x, y), or none.
        score: detection score.
        embedding: (D,) float32, unit length.
        quality: 0..1.
        vote: what the gallery says to it; None for nobody.
    """

    frame: Frame = field(repr=False)
    index: int
    box_px: Box
    landmarks_px: tuple[tuple[float, float], ...]
    score: float
    embedding: Embedding = field(repr=False)
    quality: float
    vote: Vote | None


def sights(frame: Frame, result: IdentifiedFrame) -> list[Sight]:
    """The faces of a frame, in order."""
    return [
        _sight(frame, index, face, result.faces[index], result.gallery_version)
        for index, face in enumerate(frame.record.faces)
    ]


def track_id(frame: Frame, index: int) -> str:
    """Id of the track that begins with a face: the same however often its frame is read."""
    key = frame.key
    parts = [key.camera, key.session, str(key.seq), str(index)]
    if not key.session:  # the number of a bare JPEG is an offset
        parts += [key.raw_topic, str(key.raw_partition)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


class Track:
    """Place, looks, votes and best face of a track; changes with every frame it is seen in.

    Args:
        sight: the face it begins with; not counted yet.
        rules: see there.
    """

    def __init__(self, sight: Sight, rules: TrackRules) -> None:
        frame = sight.frame
        self.id = track_id(frame, sight.index)
        self.ended = self.confirmed = False
        self.frames = 0
        self.last_seq = frame.key.seq
        self.last_at = self._first_at = frame.key.captured_at
        self._first_seq = frame.key.seq
        self._rules = rules
        self._camera, self._session = frame.key.camera, frame.key.session
        self._models = frame.record.models
        self._votes = Votes(rules.confirm_frames)
        self._gallery_version = ""
        self._sum = np.zeros_like(sight.embedding)
        self._mean = self._newest = sight.embedding
        self._box_px = sight.box_px
        self._best: BestFace | None = None

    @classmethod
    def resume(cls, state: TrackState, rules: TrackRules) -> Track:
        """A track as the memory has it: what it counted is not counted again."""
        track = cls.__new__(cls)
        track.id, track.ended, track.confirmed = state.id, state.ended, state.confirmed
        track.frames, track._first_seq, track.last_seq = (
            state.frames,
            state.first_seq,
            state.last_seq,
        )
        track._first_at, track.last_at = state.first_at, state.last_at
        track._rules = rules
        track._camera, track._session, track._models = state.camera, state.session, state.models
        track._votes = Votes(rules.confirm_frames)
        track._gallery_version = ""
        if (decision := state.decision) is not None:
            surest = Vote(
                decision.slug,
                decision.name,
                decision.best_similarity,
                decision.threshold,
                decision.reference,
                decision.gallery_version,
                state.embedding,
            )
            track._votes.resume(surest, decision.mean_similarity)
            track._gallery_version = decision.gallery_version
        weight = max(_LEAST_WEIGHT, state.best.quality**2) * state.frames
        track._sum = state.embedding * np.float32(weight)
        track._mean = track._newest = state.embedding
        track._box_px = state.box_px
        track._best = state.best
        return track

    def see(self, sight: Sight) -> None:
        """Count a face of a frame after `last_seq`."""
        frame, weight = sight.frame, max(_LEAST_WEIGHT, sight.quality**2)
        self._votes.fade((frame.key.captured_at - self.last_at).total_seconds())
        self._votes.cast(sight.vote, weight)
        self._sum = self._sum + sight.embedding * np.float32(weight)
        self._mean = self._sum / np.float32(max(1e-6, math.sqrt(float(self._sum @ self._sum))))
        self._newest, self._box_px = sight.embedding, sight.box_px
        self.last_seq = frame.key.seq
        self.last_at = max(self.last_at, frame.key.captured_at)
        self.frames += 1
        self.ended = False
        if self._best is None or sight.quality > self._best.quality * _CLEARER:
            self._best = _best_face(sight)
        age_s = (self.last_at - self._first_at).total_seconds()
        if self.named or (age_s >= self._rules.unknown_after_s and self._clear_enough):
            self.confirmed = True

    def revise(self, version: str, matrix: ReferenceMatrix | None) -> None:
        """Ask a gallery that has changed whether the name still stands.

        Everything else that was said before is forgotten: who was not enrolled then may be now.
        """
        if version == self._gallery_version:
            return
        fresh = not self._gallery_version
        self._gallery_version = version
        surest, decision = self._votes.surest, self._votes.decision
        if fresh and decision is None:
            return
        self._votes.forget()
        if surest is None or decision is None or matrix is None:
            return
        (match,) = matrix.match(surest.embedding[np.newaxis], [0], surest.threshold)
        if match.person is not None and match.person.slug == surest.slug:
            again = replace(
                surest,
                name=match.person.name,
                similarity=match.similarity,
                threshold=match.threshold,
                reference=match.photo_id,
                gallery_version=version,
            )
            self._votes.resume(again, min(decision.mean_similarity, match.similarity))

    def yield_to(self, stronger: Track) -> None:
        """Give up a name that a track in the same frame has more right to."""
        if stronger.named is not None:
            self._votes.forget(stronger.named)

    def end(self) -> None:
        """It will not be seen again, as far as we know."""
        self.ended = True
        if self._clear_enough:
            self.confirmed = True

    def end_picture(self, sight: Sight) -> None:
        """Count the one face there is, and end: its match is the decision."""
        self.see(sight)
        self.ended = True
        self.confirmed = self.named is not None or (
            sight.quality >= self._rules.unknown_min_quality
        )

    def counted(self, seq: int) -> bool:
        """Whether a frame that is read again was counted before the memory was asked."""
        return self._first_seq <= seq <= self.last_seq

    @property
    def place(self) -> Place:
        """Where it was last, and what it looks like."""
        return Place(self._box_px, self._newest, self._mean)

    @property
    def named(self) -> str | None:
        """Slug of who it is."""
        return self._votes.named

    @property
    def decision(self) -> Decision | None:
        """Who it is, and why."""
        return self._votes.decision

    @property
    def weight(self) -> float:
        """Of the votes for its name."""
        return self._votes.weight

    @property
    def settled(self) -> bool:
        """Whether waiting for its next frames is of no use."""
        if self.ended or self.named is not None:
            return True
        awaited = _UNCONFIRMED_FRAMES_AWAITED * self._rules.confirm_frames
        return self.frames >= awaited and not self._votes.contested

    @property
    def has_votes(self) -> bool:
        """Whether a frame of it names anybody."""
        return self._votes.any_cast

    @property
    def camera(self) -> str:
        """Name of its camera."""
        return self._camera

    def state(self, unknown: int | None) -> TrackState:
        """As it stands now.

        Args:
            unknown: the number the memory has given it.
        """
        assert self._best is not None  # noqa: S101 - a track has counted at least one face
        decision = self.decision
        return TrackState(
            id=self.id,
            camera=self._camera,
            session=self._session,
            first_seq=self._first_seq,
            last_seq=self.last_seq,
            first_at=self._first_at,
            last_at=self.last_at,
            frames=self.frames,
            box_px=self._box_px,
            embedding=self._mean,
            models=self._models,
            best=self._best,
            decision=decision,
            confirmed=self.confirmed,
            ended=self.ended,
            unknown=unknown if decision is None else None,
        )

    @property
    def _clear_enough(self) -> bool:
        return (
            self.frames >= self._rules.confirm_frames
            and self._best is not None
            and self._best.quality >= self._rules.unknown_min_quality
        )


def _best_face(sight: Sight) -> BestFace:
    key, ref = sight.frame.key, sight.frame.record.frame
    return BestFace(
        jpeg=sight.frame.record.jpeg,
        quality=sight.quality,
        box_px=sight.box_px,
        landmarks_px=sight.landmarks_px,
        score=sight.score,
        frame_size_px=(ref.width, ref.height),
        seq=key.seq,
        captured_at=key.captured_at,
        raw_topic=key.raw_topic,
        raw_partition=key.raw_partition,
        raw_offset=key.raw_offset,
    )


def _sight(
    frame: Frame, index: int, face: Face, found: IdentifiedFace, gallery_version: str
) -> Sight:
    box_px = (face.box.x, face.box.y, face.box.width, face.box.height)
    landmarks_px = tuple((point.x, point.y) for point in face.landmarks)
    embedding = frame.faces[index]
    vote = None
    if found.person:
        vote = Vote(
            found.person,
            found.name,
            found.similarity,
            found.threshold,
            found.reference,
            gallery_version,
            embedding,
        )
    quality = face_quality(box_px, landmarks_px, face.score, face.sharpness or None)
    return Sight(frame, index, box_px, landmarks_px, face.score, embedding, quality, vote)
