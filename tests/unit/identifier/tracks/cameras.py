"""Synthetic faces before synthetic cameras, identified as the identifier would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from identifier.identify import Frame, identify
from identifier.matcher import Person, Reference
from identifier.reorder import FrameKey
from identifier.snapshot import Snapshot
from identifier.tracks.identity import Named, TrackIdentities, WaitLimits
from identifier.tracks.track import TrackRules
from identifier.tracks.values import TrackState
from services.records.embeddings import Embedding, to_bytes
from services.records.facestream_pb2 import (
    Box,
    Face,
    FrameRef,
    ModelFile,
    ModelPack,
    Point,
    ProcessedFrame,
)
from tests.processed import JPEG, RECOGNISER, embedding

START = datetime(2026, 1, 1, tzinfo=UTC)
THRESHOLD = 0.4
FPS = 25.0


def look(of: Embedding, cosine: float, seed: int) -> Embedding:
    """A face that is this similar to `of`: (512,) float32."""
    noise = embedding(seed)
    noise = noise - of * float(noise @ of)
    noise /= np.linalg.norm(noise)
    mixed: Embedding = (of * cosine + noise * np.sqrt(1 - cosine**2)).astype(np.float32)
    return mixed


@dataclass(frozen=True)
class Seen:
    """A face in a frame: what it looks like, and where."""

    embedding: Embedding = field(repr=False)
    x: float = 100
    size_px: float = 90
    score: float = 0.9
    sharpness: float = 200


def frame(
    seq: int,
    faces: Sequence[Seen] = (),
    *,
    camera: str = "door",
    session: str = "s",
    source: str = "live:rtsp",
    at_s: float | None = None,
    recogniser: str = RECOGNISER,
) -> Frame:
    """A frame as the identifier has read it, `seq` in a stream of 25 a second."""
    at = START + timedelta(seconds=seq / FPS if at_s is None else at_s)
    ref = FrameRef(camera=camera, session=session, seq=seq, width=640, height=360, source=source)
    ref.topic, ref.offset = "frames.raw", seq
    ref.captured_at.FromDatetime(at)
    record = ProcessedFrame(
        frame=ref,
        jpeg=JPEG,
        faces=[_face(seen) for seen in faces],
        models=ModelPack(
            name="buffalo_s", files=[ModelFile(role="recogniser", name="r", sha256=recogniser)]
        ),
    )
    rows = [seen.embedding for seen in faces]
    key = FrameKey(camera, session, seq, source.startswith("live:"), at, "frames.raw", 0, seq)
    return Frame(record, key, np.stack(rows) if rows else np.empty((0, 0), np.float32), recogniser)


def gallery(people: dict[str, Embedding], version: str = "1") -> Snapshot:
    """One reference per person; slugs are the names in small letters."""
    references = [
        Reference(f"photo-{name}", Person(name.lower(), name), face)
        for name, face in people.items()
    ]
    return Snapshot.of(version, {RECOGNISER: references})


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Identities:
    """`TrackIdentities` under test: pushes frames in real time, remembers what came out."""

    def __init__(
        self,
        people: dict[str, Embedding] | None = None,
        rules: TrackRules | None = None,
        limits: WaitLimits | None = None,
        remembered: dict[str, list[TrackState]] | None = None,
        unknowns: dict[str, int] | None = None,
    ) -> None:
        self.clock = Clock()
        self.snapshot = gallery(people or {})
        memory = {} if remembered is None else remembered
        numbers = {} if unknowns is None else unknowns
        self.tracks: TrackIdentities[int] = TrackIdentities(
            rules or TrackRules(),
            limits or WaitLimits(),
            numbers.get,
            lambda camera: memory.get(camera, []),
            self.clock,
        )
        self.out: list[Named[int]] = []

    def push(self, *frames: Frame, late: bool = False, step_s: float = 1 / FPS) -> list[Named[int]]:
        """Push frames one after the other; what came out."""
        out = []
        for one in frames:
            self.clock.now_s += step_s
            (result,) = identify([one], self.snapshot, lambda _: THRESHOLD)
            result.late = late
            out += self.tracks.push(one.key.seq, one, result, self.snapshot, late=late)
            out += self.tracks.due()
        self.out += out
        return out

    def wait(self, seconds: float, coming: Sequence[tuple[int, str]] = ()) -> list[Named[int]]:
        """Let time pass; what came out. A later frame of the cameras that are `coming` is there."""
        self.clock.now_s += seconds
        out = self.tracks.due(coming)
        self.out += out
        return out

    def names(self) -> list[list[str]]:
        """Of the faces of every frame that came out, by number of the frame."""
        ordered = sorted(self.out, key=lambda named: named.item)
        return [[face.person for face in named.result.faces] for named in ordered]

    def states(self) -> dict[str, TrackState]:
        """The newest state of every track told of by now."""
        return {state.id: state for state in self.tracks.changes(everything=True)}


def _face(seen: Seen) -> Face:
    x, y, size = seen.x, 80.0, seen.size_px
    spots = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.62), (0.34, 0.83), (0.66, 0.83)]
    return Face(
        box=Box(x=x, y=y, width=size, height=size),
        landmarks=[Point(x=x + size * right, y=y + size * down) for right, down in spots],
        score=seen.score,
        embedding=to_bytes(seen.embedding),
        sharpness=seen.sharpness,
    )
