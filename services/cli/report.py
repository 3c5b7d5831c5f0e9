"""Who was seen where and when, gathered from `faces.identified` and told as JSON."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypedDict

from services.cli.intervals import Intervals
from services.records.facestream_pb2 import IdentifiedFrame
from services.records.headers import rfc3339

_KEPT_DELAYS = 4096


class PersonReport(TypedDict):
    """One person on one camera; `seqs` are closed intervals of frame numbers."""

    frames: int
    seqs: list[list[int]]
    first: str
    last: str
    best_score: float


class CameraReport(TypedDict):
    """One camera."""

    frames_in: int
    frames_identified: int
    dropped: dict[str, int]
    dead_letters: int
    people: dict[str, PersonReport]
    unknown_faces: int
    end_to_end_ms: dict[str, float | None]


class Report(TypedDict):
    """What `--report` writes."""

    broker: str
    model_pack: str
    threshold: float | None
    seconds: float
    cameras: dict[str, CameraReport]


@dataclass
class PersonTally:
    """What was seen of one person on one camera."""

    seqs: defaultdict[str, Intervals] = field(default_factory=lambda: defaultdict(Intervals))
    first: datetime | None = None
    last: datetime | None = None
    best_score: float = -1.0

    def report(self) -> PersonReport:
        """As it stands; intervals of several sessions follow one another."""
        return {
            "frames": sum(len(seqs) for seqs in self.seqs.values()),
            "seqs": [pair for seqs in self.seqs.values() for pair in seqs.pairs()],
            "first": rfc3339(self.first) if self.first else "",
            "last": rfc3339(self.last) if self.last else "",
            "best_score": round(self.best_score, 4),
        }


class Delays:
    """A fair sample of delays, in bounded memory (reservoir sampling, Vitter's algorithm R)."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()  # noqa: S311 - a sample needs no secrecy
        self._seen = 0
        self._sample_ms: list[float] = []

    def add(self, delay_ms: float) -> None:
        """Count one delay, milliseconds."""
        self._seen += 1
        if len(self._sample_ms) < _KEPT_DELAYS:
            self._sample_ms.append(delay_ms)
        elif (at := self._rng.randrange(self._seen)) < _KEPT_DELAYS:
            self._sample_ms[at] = delay_ms

    def quantile_ms(self, share: float) -> float | None:
        """The delay that `share` of all stay below; None before the first."""
        if not self._sample_ms:
            return None
        ordered = sorted(self._sample_ms)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


@dataclass
class CameraTally:
    """What was seen on one camera."""

    frames: defaultdict[str, Intervals] = field(default_factory=lambda: defaultdict(Intervals))
    people: defaultdict[str, PersonTally] = field(default_factory=lambda: defaultdict(PersonTally))
    unknown_faces: int = 0
    faces: int = 0
    delays: Delays = field(default_factory=Delays)
    recent_names: list[str] = field(default_factory=list)

    @property
    def identified(self) -> int:
        """Frames, each counted once however often it was read."""
        return sum(len(seqs) for seqs in self.frames.values())


class Sightings:
    """Adds up identified frames; a frame that is read twice counts once."""

    def __init__(self) -> None:
        self.cameras: defaultdict[str, CameraTally] = defaultdict(CameraTally)
        self.model_pack = ""
        self.threshold: float | None = None

    def add(self, frame: IdentifiedFrame, now: datetime) -> bool:
        """Count one frame, seen now; False when it was counted before."""
        ref = frame.frame
        camera = self.cameras[ref.camera]
        if not camera.frames[ref.session].add(ref.seq):
            return False
        captured_at = ref.captured_at.ToDatetime(UTC)
        camera.delays.add(max(0.0, (now - captured_at).total_seconds() * 1000))
        camera.recent_names = [face.name for face in frame.faces if face.person]
        camera.faces += len(frame.faces)
        self.model_pack = frame.models.name or self.model_pack
        for face in frame.faces:
            if not face.person:
                camera.unknown_faces += 1
                continue
            self.threshold = round(face.threshold, 4)
            person = camera.people[face.name]
            person.seqs[ref.session].add(ref.seq)
            person.first = min(person.first or captured_at, captured_at)
            person.last = max(person.last or captured_at, captured_at)
            person.best_score = max(person.best_score, face.similarity)
        return True

    def camera_report(
        self, camera: str, frames_in: int, dropped: dict[str, int], dead_letters: int
    ) -> CameraReport:
        """One camera, with what only the other services know."""
        tally = self.cameras[camera]
        return {
            "frames_in": frames_in,
            "frames_identified": tally.identified,
            "dropped": dropped,
            "dead_letters": dead_letters,
            "people": {name: tally.people[name].report() for name in sorted(tally.people)},
            "unknown_faces": tally.unknown_faces,
            "end_to_end_ms": {
                "p50": tally.delays.quantile_ms(0.50),
                "p95": tally.delays.quantile_ms(0.95),
            },
        }
