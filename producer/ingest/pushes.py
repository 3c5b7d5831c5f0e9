"""Cameras that push: whose frame is taken, in which session, under which number."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from producer.encoding import EncodedFrame
from producer.link import OutFrame
from producer.names import Names
from producer.pacing import Thinner
from producer.publisher import LivePublisher
from producer.reporting import Rate, Reported, drops_by_camera
from services.errors import FacestreamError
from services.lifecycle import metrics
from services.records.frames import LIVE, FrameMeta, valid_camera_name

log = structlog.get_logger()

SOURCE = f"{LIVE}push"
ANOTHER_AFTER_S = 3.0
"""A pusher silent for so long may be followed by another."""

NEW_SESSION_AFTER_S = 30.0
FORGOTTEN_AFTER_S = 60.0
_SILENT_AFTER_S = 10.0


class PushRefused(FacestreamError):  # noqa: N818 - says what happened
    """A frame is not taken.

    Attributes:
        status: of HTTP.
        reason: one kebab-case word.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(slots=True)
class _Pushed:
    """One camera that is pushed.

    Attributes:
        pusher: what it calls its session; empty when it does not say.
        session: ours, never used twice, whatever the pusher calls its own.
        seq: of the next frame.
        last_s: when it was heard of last, monotonic.
        since: when its frames began to come.
        drops_before: drops under its name from before it began.
    """

    pusher: str
    session: str
    last_s: float
    since: datetime
    drops_before: int
    thinner: Thinner
    seq: int = 0
    frames: int = 0
    silent: bool = False
    rate: Rate = field(default_factory=Rate)


class Pushes:
    """Takes frames that were pushed; safe to use from any thread.

    Args:
        publisher: where they go.
        names: what is called how in this process.
        most_cameras: at a time.
        fps: most frames/s per camera, 0 for all.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        publisher: LivePublisher,
        names: Names,
        most_cameras: int,
        fps: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._names = names
        self._most_cameras = most_cameras
        self._fps = fps
        self._clock = clock
        self._lock = threading.Lock()
        self._cameras: dict[str, _Pushed] = {}

    def check(self, camera: str, pusher: str) -> None:
        """Refuse, before its picture is read, a frame that would not be taken.

        Raises:
            PushRefused: 400 for what is no name, 409 while it is another's, 429 for one too many.
        """
        if not valid_camera_name(camera):
            raise PushRefused(
                400, "bad-name", "a camera's name has 1 to 64 of A-Z a-z 0-9 _ . -, not dots alone"
            )
        if barred := self._names.bars_pushing(camera):
            raise PushRefused(409, "name-taken", barred)
        with self._lock:
            self._check_turn(camera, pusher, self._clock())

    def take(
        self, camera: str, pusher: str, frame: EncodedFrame, captured_at: datetime
    ) -> int | None:
        """Publish one frame; gives its number, None for one that FPS leaves out.

        Raises:
            PushRefused: as `check`.
            BrokerError: the broker refuses for good.
            RecordError: `too-large`, no record can hold it.
        """
        self.check(camera, pusher)
        with self._lock:
            now_s = self._clock()
            self._check_turn(camera, pusher, now_s)
            pushed = self._in_session(camera, pusher, now_s)
            pushed.last_s = now_s
            metrics.FRAMES_IN.labels(camera=camera).inc()
            if not pushed.thinner.keep(now_s):
                return None
            meta = FrameMeta(
                camera=camera,
                session=pushed.session,
                seq=pushed.seq,
                captured_at=captured_at,
                width=frame.width,
                height=frame.height,
                source=SOURCE,
            )
            self._publisher.publish(OutFrame(meta, frame.jpeg))
            pushed.seq += 1
            pushed.frames += 1
            pushed.rate.at(now_s, pushed.frames)
            return meta.seq

    def reports(self) -> list[Reported]:
        """How the cameras are; forgets those that have been silent for a minute."""
        now_s, drops = self._clock(), drops_by_camera()
        with self._lock:
            self._forget_silent(now_s)
            return [
                _report(name, pushed, now_s, drops[name]) for name, pushed in self._cameras.items()
            ]

    def _check_turn(self, camera: str, pusher: str, now_s: float) -> None:
        pushed = self._cameras.get(camera)
        if pushed is None:
            self._forget_silent(now_s)
            if len(self._cameras) >= self._most_cameras:
                raise PushRefused(
                    429, "too-many-cameras", f"{self._most_cameras} cameras push already"
                )
        elif pushed.pusher != pusher and now_s - pushed.last_s < ANOTHER_AFTER_S:
            raise PushRefused(
                409,
                "another-pusher",
                f"somebody else pushes {camera}: it is free when they were silent for "
                f"{ANOTHER_AFTER_S:g} s",
            )

    def _in_session(self, camera: str, pusher: str, now_s: float) -> _Pushed:
        pushed = self._cameras.get(camera)
        if pushed is None:
            pushed = _Pushed(
                pusher=pusher,
                session=str(uuid.uuid4()),
                last_s=now_s,
                since=datetime.now(UTC),
                drops_before=drops_by_camera()[camera],
                thinner=Thinner(self._fps),
            )
            self._cameras[camera] = pushed
            self._names.pushed = frozenset(self._cameras)
            log.info("camera begins", camera=camera, source="push")
        elif pushed.pusher != pusher or now_s - pushed.last_s >= NEW_SESSION_AFTER_S:
            pushed.pusher, pushed.session, pushed.seq = pusher, str(uuid.uuid4()), 0
        if pushed.silent:
            pushed.silent, pushed.since = False, datetime.now(UTC)
        return pushed

    def _forget_silent(self, now_s: float) -> None:
        for name, pushed in tuple(self._cameras.items()):
            quiet_s = now_s - pushed.last_s
            if quiet_s >= FORGOTTEN_AFTER_S:
                del self._cameras[name]
                self._publisher.forget(name)
                log.info("camera ends", camera=name, frames=pushed.frames)
            elif quiet_s >= _SILENT_AFTER_S and not pushed.silent:
                pushed.silent, pushed.since = True, datetime.now(UTC)
        self._names.pushed = frozenset(self._cameras)


def _report(name: str, pushed: _Pushed, now_s: float, drops: int) -> Reported:
    quiet = f"no picture for {_SILENT_AFTER_S:g} s" if pushed.silent else ""
    return Reported(
        name=name,
        state="lost" if pushed.silent else "running",
        kind="push",
        source="",
        fps=pushed.rate.at(now_s, pushed.frames),
        frames=pushed.frames,
        drops=drops - pushed.drops_before,
        error=quiet,
        since=pushed.since,
        pushed=True,
    )
