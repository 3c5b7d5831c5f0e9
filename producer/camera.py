"""One camera: read → thin → pace → encode → publish, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

import structlog

from producer.addresses import Kind, SourceSpec, redact, source_kind
from producer.encoding import EncodedFrame, encode
from producer.link import TOO_LARGE, OutFrame
from producer.pacing import Pacer, Thinner
from producer.publisher import Publisher, drop
from producer.settings import ProducerSettings
from producer.sources import CapturedFrame, FrameSource, SourceLost, SourceOptions, open_source
from services.errors import FacestreamError, RecordError, SourceError
from services.lifecycle import metrics
from services.lifecycle.backoff import Backoff
from services.lifecycle.stopping import StopSignal
from services.records.frames import LIVE, STORED, FrameMeta

log = structlog.get_logger()

State = Literal["opening", "running", "lost", "ended", "failed"]


@dataclass(frozen=True, slots=True)
class Status:
    """How a camera is.

    Attributes:
        state: opening for the first time, running, lost (and tried again), ended, failed.
        error: why it does not run, in one sentence without credentials; empty when it does.
        since: when the state began, UTC.
    """

    state: State
    error: str
    since: datetime


_STORED_KINDS = ("file", "images")
_LOOPED_IMAGES_FPS = 5.0


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """How one source becomes one camera.

    Attributes:
        name: the camera's name.
        uri: where its frames come from; may hold a password.
        kind: what the uri leads to.
        options: how it is opened.
        fps: most frames per second, 0 for all.
        max_side_px: longest side published, 0 for any.
        jpeg_quality: of what is encoded here, 1 to 100.
        loop: play it again and again.
        realtime: play a file at its own rate.
        reconnect_min_s: first pause before a lost camera is opened again.
        reconnect_max_s: longest such pause.
    """

    name: str
    uri: str = field(repr=False)
    kind: Kind
    options: SourceOptions
    fps: float = 0.0
    max_side_px: int = 0
    jpeg_quality: int = 90
    loop: bool = False
    realtime: bool = True
    reconnect_min_s: float = 1.0
    reconnect_max_s: float = 30.0

    @classmethod
    def of(cls, spec: SourceSpec, settings: ProducerSettings) -> CameraPlan:
        """The plan of one source under the process's settings."""
        kind = source_kind(spec.uri)
        looped_show = kind == "images" and settings.loop and settings.realtime
        images_fps = settings.fps or (_LOOPED_IMAGES_FPS if looped_show else 0.0)
        return cls(
            name=spec.camera,
            uri=spec.uri,
            kind=kind,
            options=source_options(settings, images_fps),
            # Of pictures none is left out: FPS is how many are shown.
            fps=0.0 if kind == "images" else settings.fps,
            max_side_px=settings.max_side,
            jpeg_quality=settings.jpeg_quality,
            loop=settings.loop,
            realtime=settings.realtime,
            reconnect_min_s=settings.reconnect_min_s,
            reconnect_max_s=settings.reconnect_max_s,
        )

    @property
    def stored(self) -> bool:
        """Whether the source is a file, which can be opened again from its beginning."""
        return self.kind in _STORED_KINDS

    @property
    def live(self) -> bool:
        """Whether frames may be dropped: cameras, and files that play camera for ever."""
        return not self.stored or (self.loop and self.realtime)

    @property
    def source(self) -> str:
        """The frames' `source` header."""
        return (LIVE if self.live else STORED) + self.kind

    @classmethod
    def assigned(
        cls, spec: SourceSpec, settings: ProducerSettings, *, fps: float, max_side_px: int
    ) -> CameraPlan:
        """The plan of a camera that was added at run time: always live, a file plays for ever.

        Args:
            spec: name and address, checked.
            settings: of the process.
            fps: most frames per second; 0 leaves what the process's settings say.
            max_side_px: likewise, longest side.
        """
        plan = cls.of(spec, settings)
        shown = plan.kind == "images"
        options = replace(
            plan.options,
            link_local=False,
            images_fps=(fps or settings.fps or _LOOPED_IMAGES_FPS) if shown else 0.0,
        )
        return replace(
            plan,
            options=options,
            fps=0.0 if shown else fps or plan.fps,
            max_side_px=max_side_px or plan.max_side_px,
            loop=True,
            realtime=True,
        )


def source_options(settings: ProducerSettings, images_fps: float = 0.0) -> SourceOptions:
    """How sources are opened under the process's settings; `images_fps` is for pictures."""
    return SourceOptions(
        connect_timeout_s=settings.connect_timeout_s,
        read_timeout_s=settings.read_timeout_s,
        rtsp_transport=settings.rtsp_transport,
        images_fps=images_fps,
        max_frame_bytes=settings.kafka_max_message_bytes,
    )


class Camera:
    """Runs one source until it ends, fails or is told to stop.

    A live source that is lost is opened again, for ever, with growing pauses; each outage is one
    warning and one line when it is over. A file ends, or fails with SourceError; `failure` holds
    what ended the camera, if anything did.
    """

    def __init__(
        self,
        plan: CameraPlan,
        session: str,
        stop: StopSignal,
        opener: Callable[[str, SourceOptions], FrameSource] = open_source,
    ) -> None:
        self.plan = plan
        self.status = Status("opening", "", datetime.now(UTC))
        self.failure: BaseException | None = None
        self.read = self.published = 0
        self.total_frames: int | None = None
        self._session = session
        self._stop = stop
        self._opener = opener
        self._source: FrameSource | None = None
        self._unreadable: list[str] = []

    @property
    def state(self) -> State:
        """What it does now."""
        return self.status.state

    def check(self) -> None:
        """Open a file before anything starts, so that a wrong path ends the process at once.

        Raises:
            SourceError: it cannot be opened.
        """
        if self.plan.stored:
            self._source = self._opener(self.plan.uri, self.plan.options)
            if not self.plan.loop:
                self.total_frames = self._source.total_frames

    def start(self, publisher: Publisher) -> threading.Thread:
        """Run on a thread of its own."""
        thread = threading.Thread(
            target=self._run, args=(publisher,), name=f"camera-{self.plan.name}", daemon=True
        )
        thread.start()
        return thread

    def interrupt(self) -> None:
        """End a read that waits; after the stop signal is set."""
        source = self._source
        if source is not None:
            source.interrupt()

    def _run(self, publisher: Publisher) -> None:
        try:
            self._publish_all(publisher)
            self._become("ended")
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            self.failure = error
            self._become("failed", str(error) if isinstance(error, FacestreamError) else "a defect")
            if isinstance(error, SourceError):
                # One line: the trace of a broken file helps nobody.
                log.error("source failed", camera=self.plan.name, error=str(error))  # noqa: TRY400
            else:
                self._stop.stop()

    def _become(self, state: State, error: str = "") -> None:
        before = self.status
        if (before.state, before.error) != (state, error):
            since = before.since if before.state == state else datetime.now(UTC)
            self.status = Status(state, error, since)

    def _publish_all(self, publisher: Publisher) -> None:
        plan = self.plan
        thinner = Thinner(plan.fps)
        pacer = Pacer(self._stop.wait) if plan.stored and plan.realtime else None
        for captured in self._stored_frames() if plan.stored else self._live_frames():
            if self._stop.stopped:
                return
            self.read += 1
            metrics.FRAMES_IN.labels(camera=plan.name).inc()
            if not thinner.keep(captured.position_s):
                continue
            if pacer is not None and not pacer.hold(captured.position_s):
                return
            taken_at = datetime.now(UTC) if plan.stored else captured.captured_at
            try:
                encoded = encode(captured, max_side_px=plan.max_side_px, quality=plan.jpeg_quality)
                if not publisher.publish(self._out_frame(encoded, taken_at)):
                    return
            except RecordError as error:
                self._leave_out(error)
            else:
                self.published += 1

    def _leave_out(self, error: RecordError) -> None:
        camera = self.plan.name
        if self.plan.stored:
            log.warning("frame left out", camera=camera, error=str(error))
            self._unreadable.append(str(error))
        else:
            log.debug("frame left out", camera=camera, error=str(error))
            drop(camera, TOO_LARGE if error.reason == TOO_LARGE else "undecodable")

    def _out_frame(self, encoded: EncodedFrame, taken_at: datetime) -> OutFrame:
        meta = FrameMeta(
            camera=self.plan.name,
            session=self._session,
            seq=self.published,
            captured_at=taken_at,
            width=encoded.width,
            height=encoded.height,
            source=self.plan.source,
        )
        return OutFrame(meta, encoded.jpeg)

    def _stored_frames(self) -> Iterator[CapturedFrame]:
        begins_s = 0.0
        while not self._stop.stopped:
            ends_s, read_before = begins_s, self.read
            source = self._source or self._opener(self.plan.uri, self.plan.options)
            self._source = source
            self._become("running")
            try:
                for captured in source.frames():
                    position_s = begins_s + captured.position_s
                    ends_s = position_s + captured.duration_s
                    yield replace(captured, position_s=position_s)
            finally:
                source.close()
                self._source = None
            if self._unreadable:
                raise SourceError(
                    f"{len(self._unreadable)} of {self.read - read_before} frames of "
                    f"{source.describe()} were left out, the first: {self._unreadable[0]}"
                )
            if not self.plan.loop:
                return
            begins_s = ends_s

    def _live_frames(self) -> Iterator[CapturedFrame]:
        plan = self.plan
        backoff = Backoff(plan.reconnect_min_s, plan.reconnect_max_s)
        address = redact(plan.uri)
        while not self._stop.stopped:
            try:
                self._source = self._opener(plan.uri, plan.options)
                for captured in self._source.frames():
                    if self.state == "lost":
                        log.info("camera is back", camera=plan.name, source=address)
                    self._become("running")
                    backoff.reset()
                    yield captured
            except SourceLost as error:
                if self.state != "lost" and not self._stop.stopped:
                    log.warning("camera lost", camera=plan.name, source=address, error=str(error))
                self._become("lost", str(error))
            finally:
                if self._source is not None:
                    self._source.close()
                self._source = None
            if not self._stop.wait(backoff.next_s()):
                metrics.RECONNECTS.labels(camera=plan.name).inc()
