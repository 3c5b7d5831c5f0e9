"""What requests and answers about cameras and producers look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from identifier.api.moments import Moment
from identifier.cameras.tables import LONGEST_ADDRESS, LONGEST_CAMERA_NAME
from identifier.cameras.values import LEASE_S, Camera, Orders, Producer, Report, Running
from services.addresses import redact

NAME_PATTERN = r"^[A-Za-z0-9_.-]+$"
PRODUCER_PATTERN = r"^[A-Za-z0-9_.-]+$"

Kind = Literal["rtsp", "http", "device", "file", "images", "push"]
Reported = Literal["opening", "running", "lost", "ended", "failed"]
State = Literal["off", "waiting", "opening", "running", "lost", "ended", "failed"]
Name = Annotated[str, Field(pattern=NAME_PATTERN, min_length=1, max_length=LONGEST_CAMERA_NAME)]
Address = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_ADDRESS,
        description="`rtsp://`, `rtsps://`, `http://` or `https://`, with a login where the camera "
        "wants one. It is kept encrypted and never given out again, but to producers.",
        examples=["rtsp://user:password@10.0.0.5/main"],
    ),
]
Fps = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
        le=1_000,
        allow_inf_nan=False,
        description="Most frames/s that are sent; 0: all.",
    ),
]
MaxSide = Annotated[
    int,
    Field(strict=True, ge=0, le=65_535, description="Longest side (px) that is sent; 0: as it is."),
]


class CameraRequest(BaseModel):
    """A camera to be added."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    address: Address = Field(repr=False)
    enabled: bool = Field(True, strict=True, description="Whether it is to run.")
    fps: Fps = 0
    max_side: MaxSide = 0


class CameraChangeRequest(BaseModel):
    """What is to be changed of a camera; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    address: Address | None = Field(None, repr=False)
    enabled: bool | None = Field(None, strict=True)
    fps: Fps | None = None
    max_side: MaxSide | None = None


class CameraAnswer(BaseModel):
    """A camera: one that was added here, or one that a producer has of its own."""

    name: str
    fixed: bool = Field(description="It is one of its producer's SOURCES: change it there.")
    pushed: bool = Field(description="Somebody pushes its frames; it is gone when they stop.")
    address: str = Field(description="Without user, password and query.")
    kind: Kind | Literal[""] = Field(description="Empty until a producer has it.")
    enabled: bool
    fps: float | None = Field(description="Most frames/s, 0 for all; null where not set here.")
    max_side: int | None = Field(description="Longest side (px), 0 for any; null likewise.")
    state: State = Field(
        description="`off`: not enabled; `waiting`: no producer has it yet; `opening`, `running`; "
        "`lost`: it does not answer and is tried again; `ended`, `failed`."
    )
    rate_fps: float = Field(description="Frames/s of late.")
    frames: int = Field(description="Frames sent since its producer began with it.")
    drops: int = Field(description="Frames left out since then: Kafka was slow, or no JPEG.")
    error: str = Field(description="Why it does not run, in one sentence; empty when it does.")
    since: datetime | None = Field(description="Since when it is in this state.")
    producer: str | None = Field(description="Id of the producer that runs it.")
    created_at: datetime | None
    changed_at: datetime | None

    @classmethod
    def added(cls, camera: Camera, running: Running | None, blocker: str | None) -> Self:
        """A camera that is kept here.

        Args:
            camera: as it is kept.
            running: what its producer says of it, None while none does.
            blocker: the producer that has a camera of that name of its own.
        """
        state, error = _state(camera, running, blocker)
        return cls(
            name=camera.name,
            fixed=False,
            pushed=False,
            address=camera.shown,
            kind=_kind(running),
            enabled=camera.enabled,
            fps=camera.fps,
            max_side=camera.max_side,
            state=state,
            rate_fps=running.fps if running else 0.0,
            frames=running.frames if running else 0,
            drops=running.drops if running else 0,
            error=error,
            since=running.since if running else None,
            producer=camera.producer,
            created_at=camera.created_at,
            changed_at=camera.changed_at,
        )

    @classmethod
    def own(cls, running: Running, producer: str) -> Self:
        """A camera that a producer has of its own."""
        return cls(
            name=running.name,
            fixed=running.fixed,
            pushed=running.pushed,
            address=redact(running.source),
            kind=_kind(running),
            enabled=True,
            fps=None,
            max_side=None,
            state=_reported(running),
            rate_fps=running.fps,
            frames=running.frames,
            drops=running.drops,
            error=running.error,
            since=running.since,
            producer=producer,
            created_at=None,
            changed_at=None,
        )


class ProducerAnswer(BaseModel):
    """A producer that reports."""

    id: str
    version: str
    last_seen: datetime
    follows: bool = Field(description="Whether it runs cameras that are added here.")
    cameras: int = Field(description="How many it runs, its own among them.")

    @classmethod
    def of(cls, producer: Producer) -> Self:
        """From the identifier's value."""
        return cls(
            id=producer.id,
            version=producer.report.version,
            last_seen=producer.last_seen,
            follows=producer.report.follows,
            cameras=len(producer.report.cameras),
        )


class CamerasAnswer(BaseModel):
    """Every camera there is, and who runs them."""

    cameras: list[CameraAnswer] = Field(description="By name.")
    producers: list[ProducerAnswer] = Field(
        description="Those that report; unless one `follows`, no camera added here runs."
    )

    @classmethod
    def of(cls, cameras: Sequence[Camera], producers: Sequence[Producer]) -> Self:
        """Cameras that are kept, then those that producers have of their own."""
        by_id = {producer.id: producer for producer in producers}
        blockers = {c.name: p.id for p in producers for c in p.report.cameras if c.own}
        answers = [answer_of(camera, by_id, blockers) for camera in cameras]
        answers += [
            CameraAnswer.own(running, producer.id)
            for producer in producers
            for running in producer.report.cameras
            if running.own
        ]
        return cls(
            cameras=sorted(answers, key=lambda camera: (camera.name, camera.fixed)),
            producers=[ProducerAnswer.of(producer) for producer in producers],
        )


class ShotRequest(BaseModel):
    """What to take one picture of: an address, or a camera that is kept."""

    model_config = ConfigDict(extra="forbid")

    address: Address | None = Field(None, repr=False)
    camera: Name | None = Field(None, description="Instead of an address: a camera's name.")


class ReportedCamera(BaseModel):
    """One camera as its producer sees it."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    fixed: bool = Field(False, strict=True, description="One of the producer's own SOURCES.")
    pushed: bool = Field(False, strict=True, description="Somebody pushes its frames there.")
    state: Reported
    kind: Kind
    source: str = Field("", max_length=LONGEST_ADDRESS, description="Address without its login.")
    fps: float = Field(
        0, strict=True, ge=0, le=1e6, allow_inf_nan=False, description="Frames/s of late."
    )
    frames: int = Field(0, strict=True, ge=0, le=2**53)
    drops: int = Field(0, strict=True, ge=0, le=2**53)
    error: str = Field("", max_length=500)
    since: Moment


class ReportRequest(BaseModel):
    """What a producer says of itself, every second."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field(pattern=r"^[0-9A-Za-z.+_-]*$", max_length=32)
    leaving: bool = Field(
        False,
        strict=True,
        description="It has stopped what it was given: others may have it at once.",
    )
    follows: bool = Field(
        True, strict=True, description="It runs cameras that are added here, as it is told."
    )
    cameras: list[ReportedCamera] = Field(max_length=2_000)

    def value(self) -> Report:
        """The identifier's value."""
        cameras = tuple(
            Running(**(camera.model_dump() | {"source": redact(camera.source)}))
            for camera in self.cameras
        )
        return Report(self.version, cameras, self.leaving, self.follows)


class GivenCamera(BaseModel):
    """A camera to run."""

    name: str
    address: str = Field(repr=False, description="With its login.")
    fps: float
    max_side: int


class WantedShotAnswer(BaseModel):
    """A picture to take."""

    id: str
    address: str = Field(repr=False, description="With its login.")


class OrdersAnswer(BaseModel):
    """What a producer is to do."""

    cameras: list[GivenCamera] = Field(description="All it is to run; it stops every other.")
    shots: list[WantedShotAnswer] = Field(description="Pictures to take now and to deliver.")
    taken: list[str] = Field(description="Names of cameras that are others': take no pushes.")
    lease_s: float = Field(
        LEASE_S, description="Seconds without an answer after which it stops what it was given."
    )

    @classmethod
    def of(cls, orders: Orders, lease_s: float) -> Self:
        """From the identifier's value."""
        return cls(
            cameras=[
                GivenCamera(name=c.name, address=c.address, fps=c.fps, max_side=c.max_side)
                for c in orders.cameras
            ],
            shots=[WantedShotAnswer(id=s.id, address=s.address) for s in orders.shots],
            taken=list(orders.taken),
            lease_s=lease_s,
        )


class ShotRefusal(BaseModel):
    """Why there is no picture: a problem (RFC 9457), of which these members count."""

    reason: str = Field(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=64)
    detail: str = Field(min_length=1, max_length=500)


def answer_of(
    camera: Camera, producers: Mapping[str, Producer], blockers: Mapping[str, str]
) -> CameraAnswer:
    """A kept camera with what its producer says of it."""
    holder = producers.get(camera.producer or "")
    running = None
    if holder is not None:
        reported = (c for c in holder.report.cameras if c.name == camera.name and not c.own)
        running = next(reported, None)
    return CameraAnswer.added(camera, running, blockers.get(camera.name))


def _state(camera: Camera, running: Running | None, blocker: str | None) -> tuple[State, str]:
    if not camera.enabled:
        return "off", ""
    if not camera.readable:
        return "failed", (
            "its address was encrypted with another CAMERA_KEY: set that key again, or give the "
            "address again"
        )
    if blocker is not None:
        return "failed", f"the producer {blocker} has a camera of that name of its own"
    return ("waiting", "") if running is None else (_reported(running), running.error)


def _reported(running: Running) -> Reported:
    known: dict[str, Reported] = {
        "opening": "opening",
        "running": "running",
        "lost": "lost",
        "ended": "ended",
    }
    return known.get(running.state, "failed")


def _kind(running: Running | None) -> Kind | Literal[""]:
    known: dict[str, Kind] = {
        "rtsp": "rtsp",
        "http": "http",
        "device": "device",
        "file": "file",
        "images": "images",
        "push": "push",
    }
    return known.get(running.kind, "") if running else ""
