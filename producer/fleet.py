"""All cameras of one process: started together, watched, and brought to an end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from producer.camera import Camera
from producer.progress import Progress
from producer.publisher import LivePublisher, StoredPublisher
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

_LOOK_EVERY_S = 0.2
_JOIN_S = 3.0
_FLUSH_S = 4.0


@dataclass(frozen=True, slots=True)
class Publishers:
    """Where frames go; a kind that no camera needs is not there."""

    stored: StoredPublisher | None
    live: LivePublisher | None


class Companion(Protocol):
    """Something that brings cameras of its own while the process runs."""

    def start(self) -> None:
        """Begin, on threads of its own."""

    def look(self) -> None:
        """See that all is well; called a few times a second.

        Raises:
            BaseException: what the process has to end of.
        """

    def close(self) -> None:
        """End, within a second or so; no frame is published when it returns."""


class Fleet:
    """Runs cameras until all of them have ended, or until told to stop.

    With `waits` it goes on until told to stop, for companions may bring others.

    A file that breaks does not take the other cameras along: they go on, the process is not
    ready from then on, and it fails in the end.
    """

    def __init__(
        self,
        cameras: Sequence[Camera],
        stop: StopSignal,
        health: Health,
        companions: Sequence[Companion] = (),
        *,
        waits: bool = False,
    ) -> None:
        self._cameras = tuple(cameras)
        self._stop = stop
        self._health = health
        self._companions = tuple(companions)
        self._waits = waits
        self._failure: BaseException | None = None

    def run(self, publishers: Publishers, progress: Progress) -> None:
        """Start, wait, flush, sum up.

        Raises:
            FatalError: the first failure of a camera, once the others have ended.
        """
        began_s = time.monotonic()
        threads = []
        for camera in self._cameras:
            publisher = publishers.live if camera.plan.live else publishers.stored
            if publisher is None:
                raise ValueError(f"no publisher for {camera.plan.source}")
            threads.append(camera.start(publisher))
        for companion in self._companions:
            companion.start()
        while (self._waits or any(thread.is_alive() for thread in threads)) and not self._stop.wait(
            _LOOK_EVERY_S
        ):
            self._look(progress)
            self._look_after_companions()
        for camera in self._cameras if self._stop.stopped else ():
            camera.interrupt()
        until_s = time.monotonic() + _JOIN_S
        for companion in self._companions:
            companion.close()
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        self._flush(publishers)
        self._look(progress)
        self._sum_up(time.monotonic() - began_s)

    def _look(self, progress: Progress) -> None:
        self._health.beat()
        states = {camera.plan.name: camera.state for camera in self._cameras}
        ok = all(state in ("running", "ended") for state in states.values())
        detail = ", ".join(f"{name}: {state}" for name, state in states.items())
        self._health.ready("sources", ok, detail)
        progress.show()

    def _look_after_companions(self) -> None:
        for companion in self._companions:
            try:
                companion.look()
            except BaseException as error:  # noqa: BLE001 - raised again when all is flushed
                self._failure = error
                self._stop.stop()

    def _flush(self, publishers: Publishers) -> None:
        unsent = 0
        if publishers.stored is not None:
            unsent += publishers.stored.finish(_FLUSH_S)
        if publishers.live is not None:
            unsent += publishers.live.close(_FLUSH_S)
        if unsent:
            log.warning("stopped before Kafka took every frame", frames=unsent)

    def _sum_up(self, took_s: float) -> None:
        frames = sum(camera.published for camera in self._cameras)
        ended = not self._waits and all(c.state == "ended" for c in self._cameras)
        log.info(
            "every source has ended" if ended and not self._stop.stopped else "sources stopped",
            cameras=len(self._cameras),
            frames=frames,
            seconds=round(took_s, 2),
            frames_per_s=round(frames / took_s, 1) if took_s else 0.0,
        )
        failures = [camera.failure for camera in self._cameras if camera.failure is not None]
        if self._failure is not None:
            failures.append(self._failure)
        if failures:
            raise failures[0]
