"""The way of a frame through a worker: receive, decode, detect, align, embed, publish, commit.

Receiving, publishing and committing are `services.kafka.loop`'s; what happens between is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import Message

from consumer.records import frame_outputs
from services.errors import RecordError
from services.kafka.outputs import Outcome
from services.lifecycle import metrics
from services.models.analysis import FaceAnalyser
from services.records import frames
from services.records.facestream_pb2 import ModelFile, ModelPack
from services.records.frames import FrameMeta
from services.records.jpeg import Image, check_jpeg, decode_jpeg


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What a worker accepts.

    Attributes:
        max_bytes: longest JPEG.
        max_pixels: largest width x height.
        max_age_s: oldest frame of a live source that is still worth a look; 0 is any.
        crop_quality: JPEG quality of face crops.
    """

    max_bytes: int
    max_pixels: int
    max_age_s: float
    crop_quality: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame: where it came from, its bytes and its pixels."""

    message: Message
    meta: FrameMeta
    image: Image


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FrameWorker:
    """Turns batches of raw frames into processed ones.

    Args:
        analyser: finds and embeds the faces.
        processed_topic: where whole frames go.
        detected_topic: where single faces go.
        limits: what is accepted.
        now: the wall clock, UTC.
    """

    def __init__(
        self,
        analyser: FaceAnalyser,
        *,
        processed_topic: str,
        detected_topic: str,
        limits: WorkerLimits,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._analyser = analyser
        self._processed_topic = processed_topic
        self._detected_topic = detected_topic
        self._limits = limits
        self._now = now
        self._models = ModelPack(
            name=analyser.pack_name,
            files=[
                ModelFile(role=file.role, name=file.name, sha256=file.sha256)
                for file in analyser.model_files
            ],
        )

    def process(self, batch: Sequence[Message]) -> list[Outcome]:
        """One outcome per record: its outputs, nothing when stale, or why it is a dead letter."""
        with metrics.STAGE_SECONDS.labels("decode").time():
            received = [self._receive(message) for message in batch]
        good = [item for item in received if isinstance(item, Frame)]
        with metrics.STAGE_SECONDS.labels("analyse").time():
            found = iter(self._analyser.analyse([frame.image for frame in good]) if good else ())
        with metrics.STAGE_SECONDS.labels("encode").time():
            outcomes: list[Outcome] = []
            for item in received:
                if isinstance(item, RecordError):
                    outcomes.append(item)
                elif isinstance(item, FrameMeta):
                    outcomes.append([])
                else:
                    outcomes.append(
                        frame_outputs(
                            frames.to_ref(item.meta, item.message),
                            item.message.value() or b"",
                            next(found),
                            self._models,
                            processed_topic=self._processed_topic,
                            detected_topic=self._detected_topic,
                            crop_quality=self._limits.crop_quality,
                        )
                    )
        return outcomes

    def settled(self, batch: Sequence[Message], outcomes: Sequence[Outcome]) -> None:
        """Count what is out for good; not earlier, as a batch may be processed twice."""
        now = self._now()
        for message, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, RecordError):
                continue
            if not outcome:
                camera = frames.camera_of(message)
                metrics.FRAMES_IN.labels(camera=camera).inc()
                metrics.DROPS.labels(camera=camera, reason="stale").inc()
                continue
            camera = (outcome[0].key or b"").decode()
            metrics.FRAMES_IN.labels(camera=camera).inc()
            metrics.FACES.labels(camera=camera).inc(len(outcome) - 1)
            metrics.FRAMES_OUT.labels(camera=camera).inc()
            metrics.BYTES_OUT.inc(sum(len(record.value or b"") for record in outcome))
            metrics.END_TO_END_SECONDS.labels(camera=camera).observe(
                max(0.0, (now - frames.captured_at(message)).total_seconds())
            )

    def _receive(self, message: Message) -> Frame | FrameMeta | RecordError:
        """Decode one record; its metadata alone when it is too stale to be worth decoding."""
        data = message.value() or b""
        limits = self._limits
        try:
            size = check_jpeg(data, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
            meta = frames.from_message(message, size)
            if self._is_stale(meta):
                return meta
            image = decode_jpeg(data, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
        except RecordError as error:
            return error
        return Frame(message, meta, image)

    def _is_stale(self, meta: FrameMeta) -> bool:
        if not meta.live or self._limits.max_age_s == 0:
            return False
        return (self._now() - meta.captured_at).total_seconds() > self._limits.max_age_s
