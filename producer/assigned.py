"""Cameras that the identifier gives this producer: begun, changed and ended as it says.

They run while their lease does. It is put off by every answer of the identifier; when it is over,
another producer may have them, so from that moment no frame of theirs is published here.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from producer.addresses import Kind, SourceSpec, check_source, source_kind
from producer.camera import Camera, CameraPlan
from producer.identifier import Given
from producer.link import OutFrame
from producer.names import Names
from producer.publisher import LivePublisher
from producer.reporting import CameraReport, Reported, drops_by_camera
from producer.settings import ProducerSettings
from services.errors import SourceError
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

_CLOSE_WITHIN_S = 1.0
_FAILED_AGAIN_AFTER_S = 30.0


class Gate:
    """Lets frames of one camera through until it is closed, or its lease is over.

    Args:
        publisher: where frames go.
        until_s: when the lease is over, monotonic; asked for every frame.
        clock: seconds, monotonic.
    """

    def __init__(
        self, publisher: LivePublisher, until_s: Callable[[], float], clock: Callable[[], float]
    ) -> None:
        self._publisher = publisher
        self._until_s = until_s
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = False

    def publish(self, frame: OutFrame) -> bool:
        """Pass one frame on; False once the gate is closed.

        Raises:
            BrokerError: the broker refuses for good.
            RecordError: `too-large`, no record can hold the frame.
        """
        with self._lock:
            if self._closed or self._clock() >= self._until_s():
                return False
            return self._publisher.publish(frame)

    def close(self, timeout_s: float = 0.0) -> int:
        """Let nothing through from now on: when it returns, nothing is under way any more."""
        del timeout_s
        with self._lock:
            self._closed = True
        return 0


@dataclass(frozen=True, slots=True)
class _Run:
    """One camera as it runs."""

    given: Given
    camera: Camera
    thread: threading.Thread
    stop: StopSignal
    gate: Gate
    report: CameraReport

    def end(self) -> None:
        self.gate.close()
        self.stop.stop()
        self.camera.interrupt()


class Assigned:
    """Runs what the identifier says.

    `apply` and `reports` are called by the thread that asks the identifier, `look` and `close` by
    the one that watches over the process.

    Args:
        settings: of the process.
        publisher: where frames go.
        names: what is called how here.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        settings: ProducerSettings,
        publisher: LivePublisher,
        names: Names,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._names = names
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._barred: dict[str, Reported] = {}
        self._until_s = clock()
        self._closed = False

    def apply(self, cameras: Sequence[Given], until_s: float) -> None:
        """Run these cameras, and no others, until a moment of the monotonic clock."""
        with self._lock:
            if self._closed:
                return
            self._until_s = until_s
            wanted = {given.name: given for given in cameras}
            for name, run in tuple(self._runs.items()):
                if wanted.get(name) != run.given or self._names.bars_running(name):
                    self._end(name)
            self._barred = {name: barred for name, barred in self._barred.items() if name in wanted}
            for given in cameras:
                self._begin(given)
            self._names.assigned = frozenset(self._runs)

    def reports(self) -> list[Reported]:
        """How the cameras are."""
        now_s, drops = self._clock(), drops_by_camera()
        with self._lock:
            self._end_when_over()
            running = [run.report.at(now_s, drops) for run in self._runs.values()]
            return running + list(self._barred.values())

    def look(self) -> None:
        """End what may not run any longer, begin again what failed long ago.

        Raises:
            BaseException: what ended a camera and is not its own fault, such as BrokerError.
        """
        with self._lock:
            self._end_when_over()
            for name, run in tuple(self._runs.items()):
                failure = run.camera.failure
                if failure is not None and not isinstance(failure, SourceError):
                    raise failure
                ended = datetime.now(UTC) - run.camera.status.since
                if failure is not None and ended.total_seconds() > _FAILED_AGAIN_AFTER_S:
                    self._end(name)
                    self._begin(run.given)

    def close(self) -> None:
        """End every camera; waits for them for a second at most."""
        with self._lock:
            self._closed = True
            runs = tuple(self._runs.values())
            for name in tuple(self._runs):
                self._end(name)
            self._barred.clear()
        until_s = time.monotonic() + _CLOSE_WITHIN_S
        for run in runs:
            run.thread.join(max(0.0, until_s - time.monotonic()))

    def _begin(self, given: Given) -> None:
        if given.name in self._runs:
            return
        if barred := self._names.bars_running(given.name):
            self._bar(given, barred)
            return
        try:
            check_source(given.name, given.address)
            plan = CameraPlan.assigned(
                SourceSpec(given.name, given.address),
                self._settings,
                fps=given.fps,
                max_side_px=given.max_side,
            )
        except ValueError as error:
            self._bar(given, str(error))
            return
        self._barred.pop(given.name, None)
        stop = StopSignal()
        camera = Camera(plan, str(uuid.uuid4()), stop)
        gate = Gate(self._publisher, lambda: self._until_s, self._clock)
        report = CameraReport(camera, fixed=False)
        log.info("camera begins", camera=given.name, source=plan.kind)
        self._runs[given.name] = _Run(given, camera, camera.start(gate), stop, gate, report)

    def _end(self, name: str) -> None:
        run = self._runs.pop(name)
        run.end()
        self._publisher.forget(name)
        self._names.assigned = frozenset(self._runs)
        log.info("camera ends", camera=name, frames=run.camera.published)

    def _end_when_over(self) -> None:
        if self._runs and self._clock() >= self._until_s:
            log.warning("cameras end: the identifier was silent too long", cameras=len(self._runs))
            for name in tuple(self._runs):
                self._end(name)

    def _bar(self, given: Given, why: str) -> None:
        known = self._barred.get(given.name)
        if known is not None and known.error == why:
            return
        log.warning("camera does not begin", camera=given.name, error=why)
        self._barred[given.name] = Reported(
            name=given.name,
            state="failed",
            kind=_kind(given.address),
            source="",
            fps=0.0,
            frames=0,
            drops=0,
            error=why,
            since=datetime.now(UTC),
        )


def _kind(address: str) -> Kind:
    try:
        return source_kind(address)
    except ValueError:
        return "file"
