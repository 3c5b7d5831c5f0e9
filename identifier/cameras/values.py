"""Cameras and producers as the rest of the identifier knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

LEASE_S = 10.0
"""A producer silent for so long has lost its cameras; it knows, and has stopped by then."""

SHOT_KEPT_S = 60.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera somebody added.

    Attributes:
        name: unlike any other's.
        shown: its address without login and query.
        enabled: whether it is to run.
        fps: most frames/s, 0 for all.
        max_side: longest side (px) that is sent, 0 for any.
        created_at: when it was added.
        changed_at: when somebody last changed it.
        producer: the producer that runs it, None while none does.
        readable: whether the address can be decrypted.
    """

    name: str
    shown: str
    enabled: bool
    fps: float
    max_side: int
    created_at: datetime
    changed_at: datetime
    producer: str | None
    readable: bool


@dataclass(frozen=True, slots=True)
class CameraChange:
    """What is to be changed; None leaves it."""

    address: str | None = field(default=None, repr=False)
    enabled: bool | None = None
    fps: float | None = None
    max_side: int | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """One camera as its producer reports it.

    Attributes:
        name: the camera's.
        fixed: it is one of the producer's own SOURCES.
        pushed: somebody pushes its frames.
        state: opening, running, lost, ended or failed.
        kind: rtsp, http, device, file, images or push.
        source: its address without login and query.
        fps: frames/s of late.
        frames: published since it began.
        drops: left out since it began.
        error: why it does not run, else empty.
        since: when the state began.
    """

    name: str
    fixed: bool
    pushed: bool
    state: str
    kind: str
    source: str
    fps: float
    frames: int
    drops: int
    error: str
    since: datetime

    @property
    def own(self) -> bool:
        """Whether it runs there whatever the identifier says."""
        return self.fixed or self.pushed


@dataclass(frozen=True, slots=True)
class Report:
    """What a producer says of itself.

    Attributes:
        version: of facestream.
        cameras: all that it runs.
        leaving: it has stopped what it was given, and will not report again.
        follows: it runs cameras that are added here; else it only tells of its own.
    """

    version: str
    cameras: tuple[Running, ...]
    leaving: bool = False
    follows: bool = True


@dataclass(frozen=True, slots=True)
class Producer:
    """A producer that has reported of late."""

    id: str
    last_seen: datetime
    report: Report


@dataclass(frozen=True, slots=True)
class Given:
    """A camera that a producer is to run."""

    name: str
    address: str = field(repr=False)
    fps: float
    max_side: int


@dataclass(frozen=True, slots=True)
class WantedShot:
    """A picture that a producer is to take."""

    id: str
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Orders:
    """What a producer is told.

    Attributes:
        cameras: all that it is to run.
        shots: pictures to take now.
        taken: names of cameras that others run, or are to run.
    """

    cameras: tuple[Given, ...]
    shots: tuple[WantedShot, ...]
    taken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shot:
    """What came of a wanted picture.

    Attributes:
        state: wanted, taken, done or failed.
        jpeg: the picture, when done.
        reason: one word, when failed.
        error: one sentence, when failed.
    """

    state: str
    jpeg: bytes | None = field(repr=False)
    reason: str
    error: str
